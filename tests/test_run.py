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
from test_neural import CODE, batch, logits

import jaxrd
from jaxrd.neural.checkpoint import latest, save
from jaxrd.neural.losses import Weights
from jaxrd.neural.run import Leg, train
from jaxrd.neural.train import Stage, initial, universal

LEGS = [Leg(Stage(), 2, 1e-3), Leg(Stage(), 2, 5e-4)]


def run(folder=None, report=lambda *_: None):
    images, labels = batch(n=130)
    state = initial(CODE, 5)
    return train(CODE, LEGS, logits, state, images, labels, Weights(1.0, 0.01, 0.001), folder=folder, report=report)


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


@pytest.mark.parametrize("after", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_interrupted_anywhere(whole, tmp_path, after):
    def stop(leg, epoch, _):
        if (leg, epoch) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop)
    assert_same(run(tmp_path), whole)


def test_killed(whole, tmp_path):
    script = f"""
import pathlib, sys, time, jax
jax.config.update("jax_enable_x64", True)
sys.path.insert(0, {str(Path(__file__).parent)!r})
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
