"""A run that is killed and resumed gives what an uninterrupted one gives, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from shared import CODE, batch, logits, model

import jaxrd
from jaxrd.errors import InputError
from jaxrd.neural import family
from jaxrd.neural.checkpoint import latest, save
from jaxrd.neural.codec import fitted, quantise
from jaxrd.neural.evaluate import evaluate
from jaxrd.neural.losses import Weights
from jaxrd.neural.run import Leg, train
from jaxrd.neural.train import Code, Objective, Stage, initial, universal

LEGS = [Leg(Stage(), 2, 1e-3), Leg(Stage(), 2, 5e-4)]


WEIGHTS = Weights(1.0, 0.01, 0.001)


def run(folder=None, report=lambda *_: None, **other):
    images, labels = batch(n=130)
    given = {
        "code": CODE, "legs": LEGS, "logits": logits, "state": initial(CODE, 5), "images": images, "labels": labels,
        "weights": WEIGHTS,
    }  # fmt: skip
    given |= other
    objective = Objective(**{name: given.pop(name) for name in ("code", "logits", "images", "labels", "weights")})
    return train(objective, **given, folder=folder, report=report)


def assert_same(found, expected):
    assert found[1] == expected[1]
    for a, b in zip(jax.tree.leaves(found[0].parameters), jax.tree.leaves(expected[0].parameters), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def whole():
    return run()


def test_a_history_row_an_epoch(whole):
    rows = whole[1]
    assert [(row["leg"], row["epoch"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(np.isfinite([row["mse"], row["cross_entropy"], row["wasserstein"]]).all() for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("after", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_interrupted_anywhere(whole, tmp_path, after):
    def stop(leg, epoch, _):
        if (leg, epoch) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop)
    assert_same(run(tmp_path), whole)


def test_another_run_is_refused_not_continued(whole, tmp_path):
    """It was handed the state that lay there, whatever had been asked for."""
    assert_same(run(tmp_path), whole)
    images, labels = batch(n=130)
    last = [LEGS[0], Leg(Stage(), 2, 6e-4)]
    for name, value in {
        "code": Code(sharpness=5.0), "legs": last, "state": initial(CODE, 6), "images": images.at[0, 0].add(1e-3),
        "labels": labels.at[3].add(1), "weights": Weights(1.0, 0.01, 0.002), "logits": lambda x: logits(x) + x[:, :10],
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=f"holds another run: it differs in {name}. Pass another folder"):
            run(tmp_path, **{name: value})
    assert_same(run(tmp_path, logits=lambda x: logits(x) * (1 + 1e-4)), whole)  # as on another device
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run.json is damaged"):
        run(tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match=r"checkpoints of a run that run.json does not describe"):
        run(tmp_path)


def test_images_and_labels_that_are_none_are_refused():
    """They ended in errors of JAX's, or trained on pixels up to 255, or took a label beyond the last class for it."""
    images, labels = batch(n=130)
    for other, message in (
        ({"images": images.reshape(-1, 28, 28)}, r"\(count, 784\); got \(130, 28, 28\). Pass images.reshape"),
        ({"images": images[:, 1:]}, r"images must have shape \(count, 784\); got \(130, 783\)"),
        ({"images": (255 * images).astype(np.uint8)}, r"floats in \[0, 1\]; got uint8"),
        ({"images": 255 * images}, r"pixels in \[0, 1\]; got 229.499. Divide by 255"),
        ({"labels": labels + 1}, r"labels of 10 classes must lie in 0..9; got 10"),
        ({"labels": labels + 0.0}, "labels must be whole numbers; got float"),
    ):
        with pytest.raises(InputError, match=message):
            run(**other)
        changed = (np.asarray(other.get("images", images)), np.asarray(other.get("labels", labels)))
        with pytest.raises(InputError, match=message):
            evaluate(CODE, model().parameters, logits, *changed, batch=130)
        if "images" in other:
            for measure in (lambda x: fitted(CODE, model().parameters, x), lambda x: quantise(model(), x)):
                with pytest.raises(InputError, match=message):
                    measure(changed[0])
    # A batch larger than the sample is the whole of it.
    args = CODE, model().parameters, logits, np.asarray(images), np.asarray(labels)
    assert evaluate(*args, batch=1000) == evaluate(*args, batch=130)


def test_what_would_have_no_effect_is_refused():
    silent = Stage(adversarial=False)
    _, labels = batch(n=130)
    for other, message in (
        ({"weights": Weights(wasserstein=5.0), "legs": [Leg(silent, 1)]}, "weight of 5 has no effect without a critic"),
        ({"weights": family.weights([(0, 0), (0, -2)]), "legs": [Leg(silent, 1)]}, "weight of 2 has no effect"),
        ({"legs": [Leg(Stage(batch=131), 1)]}, "a batch of 131 is more than the 130 images"),
        ({"labels": labels[:-1]}, "images and labels must be as many; got 130 and 129"),
    ):
        with pytest.raises(InputError, match=message):
            run(**other)
    for make, message in (
        (lambda: Leg(silent, 1, critic_rate=1e-3), "critic_rate 0.001 has no effect"),
        (lambda: Leg(Stage(), -1), "epochs must be >= 0"),
        (lambda: Stage(("critic",)), r"trained must name encoder, decoder or both; got \('critic',\)"),
        (lambda: Stage(()), "trained must name"),
        (lambda: Stage(temperature=0.0), "temperature must be > 0"),
        (lambda: Stage(shift=-1), "shift must be >= 0"),
        (lambda: Code(levels=1), "at least 1 dimension and 2 levels; got 3 and 1"),
        (lambda: Code(dither=-1.0), "dither must be >= 0"),
    ):
        with pytest.raises(InputError, match=message):
            make()


@pytest.mark.slow
def test_killed(whole, tmp_path):
    script = f"""
import pathlib, sys, time, jax
jax.config.update("jax_enable_x64", True)
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
import test_run
test_run.run(pathlib.Path({str(tmp_path)!r}), lambda *_: time.sleep(0.2))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(jaxrd.__file__).parents[1]), "JAX_PLATFORMS": "cpu"}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    while process.poll() is None and not any(p.name[6:].isdigit() for p in tmp_path.glob("epoch-*")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 0 < len(latest(tmp_path, initial(CODE, 5))[1]) < 4
    assert_same(run(tmp_path), whole)


def test_an_unfinished_checkpoint_is_not_seen(tmp_path):
    state = initial(CODE, 5)
    assert latest(tmp_path, state) is None
    save(tmp_path, state, [{"leg": 0}])
    (tmp_path / "epoch-00002.orbax-checkpoint-tmp-1").mkdir()
    assert latest(tmp_path, state)[1] == [{"leg": 0}]


def test_rates_fall_by_a_cosine():
    rates = Leg(Stage(), 3, rate=1e-2, critic_rate=1e-4).rates(10)
    assert rates.shape == (3, 10, 2)
    flat = rates[..., 0].ravel()
    assert flat[0] == np.float32(1e-2)
    assert (np.diff(flat) < 0).all()
    assert flat[-1] < 2e-4
    np.testing.assert_array_equal(rates[..., 1], np.float32(1e-4))


def test_the_universal_stage_begins_afresh():
    state = initial(CODE, 0)
    fresh = universal(CODE, state, 1)
    for name, same in (("encoder", True), ("decoder", False), ("critic", False)):
        kernel = "patch1" if name == "encoder" else "hidden1"
        equal = (fresh.parameters[name][kernel]["kernel"] == state.parameters[name][kernel]["kernel"]).all()
        assert bool(equal) == same
