"""Scores as people keep them: rounded, in percent, of half precision, of one class alone, as tensors."""

import ml_dtypes
import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.errors import InputError

G = np.random.default_rng(7)
N, K = 400, 4
Y = np.arange(N) % K
Z = G.normal(size=(N, K)) * 1.2
Z[np.arange(N), Y] += 1.6
P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
GOOD = np.log(P)


def information(logits):
    """I(X;Y) in bits of the posterior, to compare readings by."""
    v = np.exp(logits - logits.max(1, keepdims=True))
    v /= v.sum(1, keepdims=True)
    return float((v * np.log2(v / v.mean(0))).sum(1).mean())


@pytest.mark.parametrize("digits", [2, 3])
@pytest.mark.parametrize("unit", [1, 100])
def test_rounded_probabilities_are_renormalised_in_words(digits, unit):
    rounded = (unit * P.round(digits)).round(digits)
    found = tosc.from_scores(rounded, Y)
    assert "renormalised" in found.notes[0] if digits == 2 else "probabilities" in found.notes[0] or unit == 100
    assert information(found.logits) == pytest.approx(information(GOOD), abs={2: 5e-3, 3: 5e-4}[digits])
    # a probability rounded to zero is below half a unit, not impossible
    zero = rounded == 0
    assert zero.any() or digits == 3
    assert found.logits[zero] == pytest.approx(np.log(0.5 * 10.0**-digits / K))


def test_percent():
    found = tosc.from_scores(100 * P, Y)
    assert found.notes == ("scores read as percent (rows are >= 0 and sum to 100)",)
    np.testing.assert_allclose(found.logits, GOOD, atol=1e-12)


def test_softmax_in_bfloat16():
    values = P.astype(ml_dtypes.bfloat16)
    assert np.abs(values.astype(float).sum(1) - 1).max() > 1e-3
    for stored in (values, values.astype(np.float32), values.view("V2")):
        found = tosc.from_scores(stored, Y)
        assert "renormalised" in found.notes[0]
        assert information(found.logits) == pytest.approx(information(GOOD), abs=2e-3)
    # half precision keeps sums within 1e-3
    assert tosc.from_scores(P.astype(np.float16), Y).notes[0].endswith("sum to 1)")


@pytest.mark.parametrize(
    ("scores", "named"),
    [(P * 1.01, "scores"), (P * 1.2, "scores"), (0.6 * P, "scores"), (P - P.min() - 1e-9, "scores"),
     (103 * P, "scores"), (P * 1.01, "probs"), (Z, "probs"), (Z, "prob_0")],
)  # fmt: skip
def test_doubt_is_refused(scores, named):
    with pytest.raises(InputError, match="--logits or --probabilities"):
        tosc.from_scores(scores, Y, named=named)
    assert tosc.from_scores(scores, Y, probabilities=False).notes == ("scores read as logits, as asked",)
    if scores.min() >= 0:
        found = tosc.from_scores(scores, Y, probabilities=True)
        assert "renormalised" in found.notes[0]
        np.testing.assert_allclose(found.logits, np.log(scores / scores.sum(1, keepdims=True)), atol=1e-12)
    else:
        with pytest.raises(InputError, match="probabilities must be >= 0"):
            tosc.from_scores(scores, Y, probabilities=True)


def test_what_the_scores_are_called_settles_it():
    small = np.abs(Z) * 0.1  # may be either
    assert tosc.from_scores(small, Y, named="logits").notes == ("scores read as logits",)
    assert tosc.from_scores(Z, Y).notes == ("scores read as logits",)
    assert tosc.from_scores(GOOD, Y).notes == ("scores read as logits",)
    assert tosc.from_scores(P, Y, named="logits").notes[0].startswith("scores read as probabilities")


def test_an_empty_row():
    scores = P.copy()
    scores[3] = 0
    with pytest.raises(InputError, match="row 3 is"):
        tosc.from_scores(scores, Y, probabilities=True)


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_one_score_for_two_classes(shape):
    p, y = P[:, 3].reshape(shape), (Y == 3).astype(int)
    found = tosc.from_scores(p, y)
    assert found.classes == 2
    np.testing.assert_allclose(found.logits, np.log(np.stack([1 - P[:, 3], P[:, 3]], 1)), atol=1e-12)
    assert "probability of class 1" in found.notes[0]
    odds = np.log(p / (1 - p))
    with pytest.raises(InputError, match=r"in \[0, 1\]; got .* --logits"):
        tosc.from_scores(odds, y)
    for options in ({"probabilities": False}, {"named": "logits"}):
        again = tosc.from_scores(odds, y, **options)
        np.testing.assert_allclose(np.diff(again.logits), np.diff(found.logits), atol=1e-9)
        np.testing.assert_array_equal(again.decisions, found.decisions)


class Tensor:
    """What of torch's is touched: numpy() as torch refuses it."""

    def __init__(self, values, dtype="torch.float32", *, grad=False, layout="torch.strided", quantized=False):
        self.values, self.dtype, self.grad, self.layout = np.asarray(values), dtype, grad, layout
        self.is_quantized = quantized

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")

    def detach(self):
        return Tensor(self.values, self.dtype, layout=self.layout, quantized=self.is_quantized)

    def to_dense(self):
        return Tensor(self.values, self.dtype)

    def dequantize(self):
        return Tensor(self.values)

    def float(self):
        return Tensor(self.values.astype(np.float32))

    def cpu(self):
        return self

    def numpy(self):
        if self.grad or self.is_quantized or self.layout != "torch.strided" or self.dtype != "torch.float32":
            raise TypeError(f"Got unsupported {self.dtype}")
        return self.values


@pytest.mark.parametrize(
    "options",
    [{"grad": True}, {"dtype": "torch.bfloat16", "grad": True}, {"dtype": "torch.float8_e4m3fn"},
     {"layout": "torch.sparse_coo"}, {"quantized": True}],
)  # fmt: skip
def test_tensors(options):
    np.testing.assert_allclose(tosc.from_scores(Tensor(P, **options), Y).logits, GOOD, atol=1e-6)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (Tensor(P, "torch.complex64"), r"scores cannot be read as an array \(TypeError: Got unsupported"),
        ([[1.0, 2.0], [3.0]], "scores cannot be read as an array"),
        (np.zeros((N, K), "V3"), "scores must be numbers; got"),
        (np.where(np.arange(K) == 2, -np.inf, Z), "got -inf at sample 0, class 2. Write a class that is ruled out"),
    ],
)  # fmt: skip
def test_what_is_no_array(scores, message):
    with pytest.raises(InputError, match=message) as error:
        tosc.from_scores(scores, Y)
    assert "\n" not in str(error.value)


def test_extreme_temperatures_and_logits():
    v = np.asarray(tosc.log_posterior(Z, 1e-20))
    assert np.exp(v).sum(1) == pytest.approx(np.ones(N))
    np.testing.assert_array_equal(v.argmax(1), Z.argmax(1))
    with pytest.raises(InputError, match="temperature 1e-310 is too small for float64"):
        tosc.limits(tosc.from_scores(Z, Y), temperature=1e-310)
    with pytest.raises(InputError, match=r"logits reach 1e\+308, too much for float64"):
        tosc.limits(tosc.from_scores(np.where(Z.max() == Z, 1e308, Z), Y))
