"""Samples in blocks of a few sizes: another file compiles nothing, and the size of a block changes no number."""

import jax
import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.distortion import streamed
from jaxrd.tosc import posterior
from jaxrd.tosc.posterior import Posterior


def file(n, classes=10, seed=0):
    g = np.random.default_rng(seed)
    labels = g.integers(0, classes, n)
    return g.standard_normal((n, classes)) + 2.5 * np.eye(classes)[labels], labels


@pytest.fixture
def compiles():
    """The programs compiled or loaded so far."""
    names = []

    def note(event, seconds, **_):
        if event.endswith("backend_compile_duration"):
            names.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield names
    jax.monitoring.unregister_event_duration_listener(note)


def test_another_file_of_the_kind_compiles_nothing(compiles):
    tosc.limits(*file(4000), at=[0.3, 0.6])
    compiles.clear()
    for n in (4003, 4700, 5500, 6000):
        found = tosc.limits(*file(n, seed=n), at=[0.25, 0.5])
        assert found.summary["samples"] == n - n // 2
    assert not compiles


@pytest.fixture
def in_blocks(monkeypatch):
    monkeypatch.setattr(posterior, "HELD", 1000)
    monkeypatch.setattr(posterior, "_NUMBERS", 3000)
    monkeypatch.setattr(streamed, "_NUMBERS", 4000)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_every_number_is_that_of_one_block(kept, dtype, request, monkeypatch):
    scores, labels = file(2000, 5)
    scores = scores.astype(dtype)
    whole = tosc.limits(scores, labels, at=[0.2, 0.45], tol=1e-12)
    request.getfixturevalue("in_blocks")
    if not kept:
        monkeypatch.setattr(posterior, "_KEPT", 0)
    parts = tosc.limits(scores, labels, at=[0.2, 0.45], tol=1e-12)
    assert not parts.workings.posterior.held
    for name, curve in whole.curves.items():
        for field in ("distortion", "rate", "model_distortion"):
            if getattr(curve, field) is not None:
                np.testing.assert_allclose(getattr(parts.curves[name], field), getattr(curve, field), atol=1e-10)
    for row, other in zip(whole.at, parts.at, strict=True):
        np.testing.assert_allclose(list(other.values()), list(row.values()), atol=1e-10)
    assert parts.summary["loss"] == whole.summary["loss"] == "zero-one"
    for key, value in ((key, value) for key, value in whole.summary.items() if key != "loss"):
        np.testing.assert_allclose(parts.summary[key], value, atol=1e-10, err_msg=key)
    assert whole.warnings == parts.warnings


def test_blocks_hold_every_sample_once(in_blocks):
    scores, labels = file(1111, 4)
    some = Posterior(scores, labels, 1.3)
    blocks = some.blocks_folded(lambda block: [block])
    chunks = some.folded(lambda log_v, y, w: [(log_v, y, w)])
    assert len({block.logits.shape for block in blocks}) == 1
    np.testing.assert_allclose(sum(block.weights.sum() for block in blocks), 1)
    seen = np.concatenate([block.logits[block.weights > 0] for block in blocks])
    np.testing.assert_array_equal(seen, scores)
    log_v, y, weights = (np.concatenate(each) for each in zip(*chunks, strict=True))
    np.testing.assert_array_equal(y, labels)
    np.testing.assert_array_equal(weights, some.weights)
    np.testing.assert_allclose(log_v, some.log_v)
    assert some.chunk_count == len(chunks)
    np.testing.assert_allclose(np.exp(some.log_v), jax.nn.softmax(scores / 1.3, axis=1), rtol=1e-12)
