"""Outputs from a model and from what frameworks hold: the same as from one array, each score held once."""

import tracemalloc
import weakref

import jax.numpy as jnp
import numpy as np
import pytest

import jaxrd
from jaxrd import InputError, tosc
from jaxrd.tosc.frames import Classes, classes_of
from jaxrd.tosc.rows import Rows

G = np.random.default_rng(0)
X = G.normal(size=(60, 4))
W = G.normal(size=(4, 3))
Y = (X @ W + G.normal(size=(60, 3))).argmax(1)


def predict(x):
    return 2 * x @ W


def batches(size=7):
    return ((X[i : i + size], Y[i : i + size]) for i in range(0, 60, size))


def same(found, expected):
    np.testing.assert_array_equal(np.asarray(found.logits), np.asarray(expected.logits))
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.decisions, expected.decisions)
    assert (found.classes, found.notes, found.names) == (expected.classes, expected.notes, expected.names)


class Dlpack:
    """A tensor that only DLPack can read."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **kwargs):
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Tensor:
    """What PyTorch's tensors have that matters here."""

    requires_grad, dtype = True, "torch.float64"

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array


class Frame:
    """What a DataFrame has that matters here."""

    def __init__(self, array, columns):
        self.array, self.columns, self.shape = np.asarray(array), columns, np.shape(array)

    def to_numpy(self, dtype=None, na_value=None):
        if dtype is None:
            return self.array
        return np.array([na_value if one is None else one for one in self.array.flat], dtype).reshape(self.shape)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray, Dlpack, Tensor, np.ndarray.tolist])
def test_from_model_is_from_scores_of_all(kind):
    found = jaxrd.from_model(lambda x: kind(predict(x)), ((x, kind(y)) for x, y in batches()))
    same(found, tosc.from_scores(predict(X), Y))
    assert tosc.limits(found, at=[0.3], slopes=4).at == tosc.limits(predict(X), Y, at=[0.3], slopes=4).at


def test_options_reach_from_scores():
    with pytest.raises(InputError, match="probabilities must be >= 0"):
        jaxrd.from_model(predict, batches(), probabilities=True)
    shares = np.exp(predict(X))
    assert jaxrd.from_model(lambda x: np.exp(predict(x)), batches(), probabilities=True).notes == (
        tosc.from_scores(shares, Y, probabilities=True).notes
    )
    counted = jaxrd.from_model(predict, ((x, y + 1) for x, y in batches()), first_label=1)
    same(counted, tosc.from_scores(predict(X), Y + 1, first_label=1))
    seen = []
    jaxrd.from_model(predict, batches(20), progress=lambda *args: seen.append(args))
    assert seen[:3] == [("scoring", 1, 1), ("scoring", 2, 2), ("scoring", 3, 3)]


def test_one_score_a_sample():
    odds = np.log(3) * (X[:, 0] > 0) - 0.5
    coin = (X[:, 0] + X[:, 1] > 0).astype(int)
    pairs = [(odds[:20], coin[:20]), (odds[20:], coin[20:])]
    same(jaxrd.from_model(lambda x: x, pairs, probabilities=False), tosc.from_scores(odds, coin, probabilities=False))


def test_a_buffer_that_the_model_uses_again():
    buffer = np.empty((20, 3))

    def into_it(x):
        buffer[:] = predict(x)
        return buffer

    same(jaxrd.from_model(into_it, batches(20)), tosc.from_scores(predict(X), Y))


def test_many_scores_stay_in_their_parts(monkeypatch):
    monkeypatch.setattr("jaxrd.tosc.model.LARGE", 100)
    found = jaxrd.from_model(lambda x: predict(x).astype(np.float32), batches())
    assert isinstance(found.logits, Rows)
    assert {part.dtype for part in found.logits.parts} == {np.dtype(np.float32)}
    expected = tosc.from_scores(predict(X).astype(np.float32), Y)
    same(found, expected)


def test_nothing_is_held_twice(monkeypatch):
    """The peak is that of the scores and of some blocks: inputs, of 4 times the size, go as they came."""
    monkeypatch.setattr("jaxrd.tosc.model.LARGE", 100)
    alive = []

    def some():
        for _ in range(160):
            inputs = np.full((500, 400), 0.25, np.float32)
            alive.append(weakref.ref(inputs))
            yield inputs, np.arange(500) % 100
            assert sum(one() is not None for one in alive) <= 2

    def scores(x):
        return x[:, :100] + np.eye(len(x), 100, dtype=np.float32)

    jaxrd.from_model(scores, ((np.ones((4, 100), np.float32), [0, 1, 2, 3]) for _ in range(2)))  # imports
    tracemalloc.start()
    found = jaxrd.from_model(scores, some())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = 160 * 500 * 100 * 4
    assert found.logits.shape == (80_000, 100)
    assert peak < 1.6 * held  # blocks of 4 MB in float64 while the scores are looked through; 5.1 times with the inputs


def test_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    model = torch.nn.Linear(4, 3, dtype=torch.float64)
    with torch.no_grad():
        model.weight[:] = torch.tensor(2 * W.T)
        model.bias[:] = 0
    pairs = [(torch.tensor(x), torch.tensor(y)) for x, y in batches()]
    found = jaxrd.from_model(model, pairs)  # its scores have a gradient
    np.testing.assert_allclose(found.logits, predict(X), rtol=1e-12)
    narrow = jaxrd.from_model(lambda x: model(x).to(torch.bfloat16), pairs)
    np.testing.assert_allclose(narrow.logits, predict(X), rtol=2**-8)


MISTAKES = {
    "no batches": (predict, [], "there is no batch"),
    "a dictionary": (predict, [{"image": 1, "label": 2}], "got a dict with image, label. Make pairs of it"),
    "three": (predict, [(X, Y, Y)], "batch 0 must be a pair (inputs, labels); got a tuple of 3"),
    "other classes": (lambda x: x, [(X, Y), (X[:, :3], Y)], "batch 1 has scores of shape (60, 3), those before it"),
    "too few labels": (predict, [(X, Y[:5])], "batch 0 has scores of shape (60, 3) and labels of shape (5,)"),
    "one label": (predict, [(X, 1)], "labels of shape ()"),
    "no array": (lambda x: [[1, 2], [3]], [(X, Y)], "the scores of batch 0 cannot be read as an array"),
    "nan": (lambda x: x * np.nan, [(X, Y)], "scores must be finite; got nan at sample 0"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name):
    model, given, message = MISTAKES[name]
    with pytest.raises(InputError) as caught:
        jaxrd.from_model(model, given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


class TestFrames:
    def test_names_of_classes(self):
        names = ("cat", "dog", "owl")
        found = tosc.from_scores(Frame(predict(X), list(names)), np.array(names)[Y])
        assert found.names == names
        np.testing.assert_array_equal(found.labels, Y)
        np.testing.assert_array_equal(tosc.from_scores(Frame(predict(X), list(names)), Y).labels, Y)

    def test_numbers_of_classes(self):
        found = tosc.from_scores(Frame(predict(X), [1, 2, 3]), Y + 1)
        assert found.names == ("1", "2", "3")
        same(tosc.from_scores(Frame(predict(X), [0, 1, 2]), Y), tosc.from_scores(predict(X), Y))

    def test_missing_values_of_its_own(self):
        held = np.where(predict(X) > 99, None, predict(X))
        same(tosc.from_scores(Frame(held, [0, 1, 2]), Y), tosc.from_scores(predict(X), Y))
        held[3, 1] = None
        with pytest.raises(InputError, match="scores must be finite; got nan at sample 3, class 1"):
            tosc.from_scores(Frame(held, [0, 1, 2]), Y)

    @pytest.mark.parametrize(
        ("columns", "labels", "message"),
        [
            ([1, 0, 2], Y, "columns of the scores must be the classes in order; got 1, 0, 2"),
            (["a", "b", "a"], Y, "two columns 'a'"),
            (["a", "b", "c"], np.array(["a", "b", "d"])[Y], "the label 'd' is no column of the scores"),
        ],
    )
    def test_refused(self, columns, labels, message):
        with pytest.raises(InputError, match=message):
            tosc.from_scores(Frame(predict(X), columns), labels)

    def test_arrays_have_no_columns(self):
        assert classes_of(predict(X)) == classes_of([[1, 2]]) == Classes()

    def test_arrow(self):
        arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        table = arrow.table(dict(zip(("cat", "dog", "owl"), predict(X).T, strict=True)))
        found = tosc.from_scores(table, arrow.array(Y))
        assert found.names == ("cat", "dog", "owl")
        np.testing.assert_allclose(found.logits, predict(X))
        np.testing.assert_array_equal(found.labels, Y)

    def test_pandas(self):
        pandas = pytest.importorskip("pandas", reason="pandas is not installed")
        frame = pandas.DataFrame(predict(X), columns=["cat", "dog", "owl"])
        names = pandas.Series(Y).map({0: "cat", 1: "dog", 2: "owl"})
        np.testing.assert_array_equal(tosc.from_scores(frame, names).labels, Y)
        same(
            tosc.from_scores(pandas.DataFrame(predict(X)), pandas.Series(Y, dtype="Int64")),
            tosc.from_scores(predict(X), Y),
        )
        same(tosc.from_scores(pandas.DataFrame(predict(X)).astype("Float64"), Y), tosc.from_scores(predict(X), Y))
