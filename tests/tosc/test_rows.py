"""Scores that are read a block of rows at a time: every number, note and refusal is that of scores held in memory."""

import jax
import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.distortion import streamed
from jaxrd.documents.limits import Analysed
from jaxrd.errors import InputError
from jaxrd.io import arrays, read_outputs
from jaxrd.tosc import posterior, rows
from jaxrd.tosc.rows import Rows
from jaxrd.tosc.split import split


def file(n=2000, classes=5, seed=0):
    g = np.random.default_rng(seed)
    labels = g.integers(0, classes, n)
    return g.standard_normal((n, classes)) + 2.5 * np.eye(classes)[labels], labels


def probabilities(logits):
    v = np.exp(logits - logits.max(1, keepdims=True))
    return v / v.sum(1, keepdims=True)


@pytest.fixture
def in_blocks(monkeypatch):
    """Every file is large: mapped, read in blocks of some hundred rows, and solved in blocks."""
    monkeypatch.setattr(rows, "LARGE", 0)
    monkeypatch.setattr(rows, "_NUMBERS", 1500)
    monkeypatch.setattr(arrays, "MAPPED", 0)
    monkeypatch.setattr(posterior, "HELD", 1000)
    monkeypatch.setattr(posterior, "_KEPT", 0)
    monkeypatch.setattr(posterior, "_NUMBERS", 3000)
    monkeypatch.setattr(streamed, "_NUMBERS", 4000)


def document(path, **how):
    """All that limits.json holds but `meta`."""
    outputs, _ = read_outputs(path)
    found = tosc.limits(outputs, at=[0.2, 0.45], tol=1e-12, **how)
    return outputs, Analysed("it", found, None, outputs.notes, None, 0, False).document({})


def same(one, other, where=""):
    """Equal words, and numbers to 1e-10."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple | np.ndarray):
        assert len(one) == len(other), where
        for a, b in zip(one, other, strict=True):
            same(a, b, where)
    elif isinstance(one, float) and isinstance(other, float):  # numpy's too
        np.testing.assert_allclose(other, one, atol=1e-10, rtol=1e-10, err_msg=where)
    else:
        assert one == other, where


def save(folder, scores, labels, name="logits"):
    folder.mkdir()
    np.save(folder / f"{name}.npy", scores)
    np.save(folder / "labels.npy", labels)
    return folder


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f2", np.int64])
def test_logits(dtype, tmp_path, request):
    scores, labels = file()
    path = save(tmp_path / "some", (scores if dtype != np.int64 else np.round(3 * scores)).astype(dtype), labels)
    held, whole = document(path)
    assert isinstance(held.logits, np.ndarray)
    request.getfixturevalue("in_blocks")
    outputs, parts = document(path)
    assert isinstance(outputs.logits, Rows)
    assert outputs.logits[:1].dtype.itemsize == min(np.dtype(dtype).itemsize, 8)  # not widened
    np.testing.assert_array_equal(np.asarray(outputs.logits), held.logits)
    same(whole, parts)


def test_float32(tmp_path, request):
    path = save(tmp_path / "some", file()[0].astype(np.float16), file()[1])
    try:
        jax.config.update("jax_enable_x64", False)
        held = tosc.limits(read_outputs(path)[0], at=[0.45])
        request.getfixturevalue("in_blocks")
        parts = tosc.limits(read_outputs(path)[0], at=[0.45])
    finally:
        jax.config.update("jax_enable_x64", True)
    assert parts.curves["TMRD"].rate.dtype == held.curves["TMRD"].rate.dtype
    np.testing.assert_allclose(list(parts.at[0].values()), list(held.at[0].values()), atol=3e-5)


FORMS = {
    "probabilities": lambda z: probabilities(z),
    "float16": lambda z: probabilities(z).astype(np.float16),
    "percent": lambda z: 100 * probabilities(z),
    "two decimals": lambda z: probabilities(z).round(2),
    "a class ruled out": lambda z: np.concatenate([probabilities(z), np.zeros((len(z), 1))], 1),
    "a masked class": lambda z: np.concatenate([z, np.full((len(z), 1), -1e4)], 1),
    "columns": lambda z: np.asfortranarray(probabilities(z)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", [{}, {"temperature": 1.3}])
def test_forms(form, how, tmp_path, request):
    scores, labels = file(900, 4)
    path = save(tmp_path / "some", FORMS[form](scores), labels, "scores")
    held, whole = document(path, **how)
    request.getfixturevalue("in_blocks")
    outputs, parts = document(path, **how)
    assert isinstance(outputs.logits, Rows)
    assert outputs.notes == held.notes
    np.testing.assert_allclose(np.asarray(outputs.logits), held.logits, rtol=1e-15)
    same(whole, parts)


def spoiled(row, column, value):
    def spoil(z, y):
        z[row, column] = value

    return spoil


def relabelled(row, value):
    def spoil(z, y):
        y[row] = value

    return spoil


REFUSED = {
    "NaN": ("logits", lambda z: z, spoiled(731, 2, np.nan)),
    "-inf": ("logits", lambda z: z, spoiled(731, 2, -np.inf)),
    "negative": ("probs", probabilities, spoiled(802, 1, -0.01)),
    "sum": ("probs", probabilities, spoiled(802, 1, 3)),
    "doubtful": ("scores", lambda z: probabilities(z) * 1.2, spoiled(0, 0, 0.5)),
    "label": ("logits", lambda z: z, relabelled(640, 7)),
    "negative label": ("logits", lambda z: z, relabelled(640, -1)),
    "huge": ("logits", lambda z: z, spoiled(555, 3, 1e308)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_the_same_words(what, tmp_path, request):
    name, form, spoil = REFUSED[what]
    scores, labels = file(900, 4)
    scores = form(scores)
    spoil(scores, labels)
    path = save(tmp_path / "some", scores, labels, name)
    with pytest.raises(InputError) as held:
        document(path)
    request.getfixturevalue("in_blocks")
    with pytest.raises(InputError) as parts:
        document(path)
    assert str(parts.value) == str(held.value)


def test_a_row_that_moves_the_temperature_is_named(tmp_path, request):
    scores, labels = file(900, 4)
    row = split(labels, 0).fit[0]
    scores[row, labels[row]] = -5e3
    path = save(tmp_path / "some", scores, labels)
    warnings = [document(path)[1]["warnings"]]
    request.getfixturevalue("in_blocks")
    warnings.append(document(path)[1]["warnings"])
    assert warnings[0] == warnings[1]
    assert any(f"sample {row} alone moves" in words for words in warnings[0])


def test_bfloat16_stays_two_bytes(tmp_path, in_blocks):
    scores, labels = file()
    narrow = (scores.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view("V2")
    outputs, _ = read_outputs(save(tmp_path / "some", narrow, labels))
    assert isinstance(outputs.logits, Rows)
    assert outputs.logits.parts[0].dtype.itemsize == 2
    np.testing.assert_allclose(np.asarray(outputs.logits), scores, rtol=1e-2)


def test_progress_counts_to_the_end(tmp_path, in_blocks):
    seen = {}

    def tick(what, done, total):
        seen.setdefault(what, []).append((done, total))

    path = save(tmp_path / "some", *file())
    outputs, _ = read_outputs(path, progress=tick)
    tosc.limits(outputs, at=[0.2, 0.45], progress=tick)
    assert {"reading", "temperature", "calibration", "TMRD", "S&C", "rates asked for"} <= seen.keys()
    for what, calls in seen.items():
        assert calls[-1][0] == calls[-1][1], what
        assert len(calls) > 1, what
    slopes = 1 + 32
    assert len(seen["TMRD"]) >= 2 * slopes  # when it is solved, and when it is measured


class TestRows:
    z = np.arange(40.0).reshape(10, 4)

    def test_slices_of_parts(self):
        some = Rows([self.z[:3], self.z[3:4], self.z[4:]])
        for first in range(11):
            for last in range(11):
                np.testing.assert_array_equal(some[first:last], self.z[first:last])
        np.testing.assert_array_equal(some[-3:], self.z[-3:])

    @pytest.mark.parametrize("cuts", [(), (3, 4)])
    def test_some_rows_and_columns(self, cuts):
        order = np.random.default_rng(0).permutation(10)[:7]
        some = Rows(np.split(self.z, cuts)).take(order).keep(np.array([3, 1]))
        assert some.shape == (7, 2)
        np.testing.assert_array_equal(np.asarray(some), self.z[order][:, [3, 1]])
        np.testing.assert_array_equal(
            np.asarray(some.take(np.array([6, 0])).keep(np.array([1]))), self.z[order[[6, 0]]][:, 1:2]
        )
        np.testing.assert_array_equal(np.asarray(some, np.float32), self.z[order][:, [3, 1]].astype(np.float32))

    def test_made_of_stored_rows(self):
        some = Rows([self.z]).read_as(lambda z: z + 0.5).take(np.array([2]))
        assert some[:].tolist() == [[8.5, 9.5, 10.5, 11.5]]

    def test_a_step_is_refused(self):
        with pytest.raises(IndexError, match="step 2"):
            Rows([self.z])[::2]
