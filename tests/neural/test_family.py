"""Families of runs: each member as if alone, resumed bit for bit, over several devices; saved models."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from shared import CODE, batch, compiled_quickly, logits, model

import jaxrd
from jaxrd.errors import ModelError
from jaxrd.neural import codec, family, model_file
from jaxrd.neural.losses import Weights
from jaxrd.neural.run import Leg, train
from jaxrd.neural.train import Objective, Stage, initial

# Nearly all of their time is compiling, and legs of one stage share it.
LEGS = [Leg(Stage(batch=8), 1, 1e-3), Leg(Stage(batch=8), 2, 5e-4)]
DECODER = [Leg(Stage(("decoder",), adversarial=False, batch=8), 1, 1e-3)]
PAIRS = [(0.0, 0.0), (0.01, 0.001)]


@pytest.fixture(autouse=True, scope="module")
def _compiled_quickly():
    with compiled_quickly():
        yield


def run(over, folder=None, report=lambda *_: None, legs=LEGS):
    images, labels = batch(n=20)
    states = family.stacked([initial(CODE, seed) for seed in (5, 6)])
    weights = family.weights(PAIRS if any(leg.stage.adversarial for leg in legs) else [(0.0, 0.0), (0.01, 0.0)])
    objective = Objective(CODE, logits, images, labels, weights)
    return train(objective, legs, states, over=over, folder=folder, report=report)


def leaves(found):
    return jax.tree.leaves(found[0].parameters)


@pytest.fixture(scope="module")
def together():
    return run(family.in_turn)


@pytest.mark.slow
def test_a_member_is_a_run_of_its_own(together):
    images, labels = batch(n=20)
    cross_entropy, wasserstein = PAIRS[1]
    weights = Weights(*(np.float32(w) for w in (1, cross_entropy, wasserstein)))
    alone = train(Objective(CODE, logits, images, labels, weights), LEGS, initial(CODE, 6))
    for a, b in zip(leaves(together), leaves(alone), strict=True):
        np.testing.assert_allclose(a[1], b, atol=2e-5)
    for a, b in zip(together[1], alone[1], strict=True):
        assert a["mse"][1] == pytest.approx(b["mse"], rel=1e-4)


def test_side_by_side_is_one_after_the_other(together):
    beside = run(family.at_once)
    for a, b in zip(leaves(together), leaves(beside), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_interrupted(together, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(family.in_turn, tmp_path, stop)
    resumed = run(family.in_turn, tmp_path)
    assert resumed[1] == together[1]
    for a, b in zip(leaves(together), leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_over_two_devices():
    """In a process of its own: XLA counts its devices when it starts."""
    script = f"""
import sys, jax, numpy as np
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]
import test_family as t
from jaxrd.neural import family
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
assert jax.device_count() == 2
spread, plain = t.run(family.by_backend(2), legs=t.DECODER), t.run(family.in_turn, legs=t.DECODER)
assert family.over_devices(family.in_turn, 3) is family.in_turn
kernel = spread[0].parameters["decoder"]["head"]["kernel"]
assert len(kernel.sharding.device_set) == 2, kernel.sharding
for a, b in zip(t.leaves(spread), t.leaves(plain), strict=True):
    np.testing.assert_allclose(a, b, atol=2e-5)
"""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(jaxrd.__file__).parents[1]),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class TestModelFile:
    def test_what_was_saved_comes_back(self, tmp_path):
        sender = model()
        path = tmp_path / "model.npz"
        path.write_bytes(model_file.to_bytes(sender))
        receiver = model_file.read(path)
        assert receiver.code == sender.code
        images = np.asarray(batch(n=8)[0])
        np.testing.assert_array_equal(
            codec.decompress(receiver, codec.compress(sender, images)),
            codec.decompress(sender, codec.compress(receiver, images)),
        )

    def test_damaged(self, tmp_path):
        whole = model_file.to_bytes(model())
        path = tmp_path / "model.npz"
        with np.load(_written(path, whole)) as archive:
            held = {name: archive[name] for name in archive.files}
        held["decoder.head.bias"] = held["decoder.head.bias"] + 1
        np.savez(path, **held)
        with pytest.raises(ModelError, match="damaged"):
            model_file.read(path)
        for content in (b"", b"no model", whole[: len(whole) // 2]):
            with pytest.raises(ModelError, match="no model"):
                model_file.read(_written(path, content))


def _written(path, content):
    path.write_bytes(content)
    return path
