"""What has no answer is refused in one line by the functions beneath the commands, or comes out as NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import Problem, check, closed_form, coding, lower_convex_envelope, rate_at, rdc, solve, sweep, tosc
from jaxrd.distortion import PointCloud, SparseDiscount, pairwise_squares, remote, squared_error
from jaxrd.errors import InputError
from jaxrd.information import mutual_information
from jaxrd.tosc.calibration.reliability import estimated_kappa
from jaxrd.tosc.curves.configurations import configuration
from jaxrd.tosc.curves.merged import merge_order
from jaxrd.tosc.estimate import risk_of
from jaxrd.tosc.identifiability.annotations import repeated_inputs
from jaxrd.tosc.identifiability.fano import greatest_entropy, least_entropy, least_error

NAN = float("nan")
V = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
BAD = np.array([[0.9, 0.1], [NAN, 0.8], [0.6, 0.4]])
LOG_V, Y = np.log(V), np.array([0, 1, 1])
JOINT = np.array([[0.4, 0.1], [0.1, 0.4]])
HALF, HAMMING = np.array([0.5, 0.5]), 1 - np.eye(2)
TWO = Problem(HALF, HAMMING)
LAW = coding.quantised_law(V)

REFUSED = {
    "a posterior with NaN": (lambda: tosc.model_aware_problem(BAD), "posterior must be probabilities, .* got nan at"),
    "a posterior below 0": (lambda: tosc.model_aware_problem([[1.5, -0.5]]), r"in \[0, 1\]; got 1.5 at \(0, 0\)"),
    "no posterior": (lambda: tosc.model_aware_problem(np.zeros((0, 3))), "none of them zero"),
    "weights for others": (lambda: tosc.model_aware_problem(V, np.ones(2)), r"weights must have shape \(3,\)"),
    "weights below 0": (lambda: tosc.model_aware_problem(V, [2.0, -1, 0]), "weights must not be negative"),
    "logits with NaN": (lambda: tosc.log_posterior(BAD), "logits must be finite or -inf; got nan"),
    "temperature -1": (lambda: tosc.log_posterior(LOG_V, -1.0), "temperature must be a positive number; got -1"),
    "labels beyond": (lambda: tosc.fit_temperature(LOG_V, Y + 5), "labels must be integers in 0..1; got 5 to 6"),
    "labels below": (lambda: tosc.fit_temperature(LOG_V, Y - 1), "got -1 to 0"),
    "too few labels": (lambda: tosc.fit_temperature(LOG_V, Y[:2]), r"labels must have shape \(3,\); got \(2,\)"),
    "reliability below": (lambda: tosc.reliability(LOG_V, Y - 1), "got -1 to 0"),
    "reliability of v": (lambda: tosc.reliability(V, Y), "log_posterior must be ln of probabilities, <= 0; got 0.9"),
    "no bin": (lambda: tosc.reliability(LOG_V, Y, bins=0), "bins must be at least 1; got 0"),
    "kappa with NaN": (lambda: estimated_kappa(np.log(BAD), Y), "got nan at"),
    "a class beyond": (lambda: tosc.confusion_joint([0, 5], [0, 1], 2), "labels must be integers in 0..1; got 0 to 5"),
    "a decision below": (lambda: tosc.confusion_joint([0, 1], [0, -1], 2), "decisions must be integers in 0..1"),
    "no sample": (lambda: tosc.confusion_joint(np.zeros(0, int), np.zeros(0, int), 2), "at least one"),
    "weights of zero": (lambda: tosc.confusion_joint([0, 1], [0, 1], 2, [0.0, 0.0]), "positive finite sum"),
    "sparse, weight NaN": (lambda: tosc.sparse_joint([0, 1], [0, 1], 2, [1, NAN]), "weights must be finite; got nan"),
    "a joint of counts": (lambda: tosc.landmarks(10 * JOINT), "joint must sum to 1; got 10. Pass joint / joint.sum"),
    "a joint with NaN": (lambda: merge_order(JOINT * [[NAN, 1], [1, 1]]), "joint must be finite; got nan"),
    "no square": (lambda: tosc.merge_baseline(np.ones((2, 3)) / 6), r"shape \(classes, classes\)"),
    "a joint below 0": (lambda: tosc.indirect_problem([[0.9, -0.2], [-0.1, 0.4]]), "joint must not be negative"),
    "error 1.5": (lambda: greatest_entropy(1.5, 3), r"error must be in \[0, 1\]; got 1.5"),
    "one class": (lambda: least_entropy(0.1, 1), "classes must be an integer, at least 2; got 1"),
    "entropy below 0": (lambda: least_error(-0.1, 3), "entropy must be a number of nats, >= 0; got -0.1"),
    "a label of repeats": (lambda: repeated_inputs("aa", [0, 7], 2), "labels must be integers in 0..1"),
    "t below 0": (lambda: tosc.sample_and_communicate(LOG_V, Y, -1.0), "inverse_temperature must be >= 0 and finite"),
    "a state below": (lambda: configuration([-1], 3), "states must be integers in 0..2; got -1"),
    "classes 2.5": (lambda: tosc.from_decisions([0, 1], [0, 1], classes=2.5), "classes must be an integer >= 2"),  # pyright: ignore
    "a mask": (lambda: tosc.from_scores(np.ma.array(V, mask=V > 0.85), Y), "scores has masked entries"),
    "seed -1": (lambda: tosc.limits(LOG_V, Y, seed=-1), "seed must be an integer >= 0; got -1"),
    "words": (lambda: solve(Problem(np.array(["a", "b"]), HAMMING), 1.0), "source must be real numbers; got <U1"),
    "complex": (lambda: solve(Problem(HALF, HAMMING * 1j), 1.0), "distortion must be real numbers; got complex128"),
    "slopes 4.5": (lambda: tosc.limits(LOG_V, Y, slopes=4.5), "slopes must be an integer >= 2; got 4.5"),  # pyright: ignore
    "a temperature in words": (lambda: tosc.limits(LOG_V, Y, temperature="1"), "got 1, of type str"),  # pyright: ignore
    "half a batch": (lambda: sweep(TWO, [1.0], batch_size=1.5), "batch_size must be an integer >= 1"),  # pyright: ignore
    "half a block": (lambda: coding.encode(V, block=1.5), "block must be an integer >= 1; got 1.5"),  # pyright: ignore
    "confidence 2": (lambda: risk_of(2), r"confidence must be a number in \(0, 1\); got 2"),
    "confidence in words": (lambda: risk_of("x"), "got x, of type str"),  # pyright: ignore
    "tol in words": (lambda: solve(Problem(HALF, HAMMING), 1.0, tol="x"), "tol must be a number >= 0; got x"),  # pyright: ignore
    "tol -1": (lambda: rate_at(Problem(HALF, HAMMING), 0.1, tol=-1), "tol must be a number >= 0; got -1"),
    "tol NaN": (lambda: sweep(Problem(HALF, HAMMING), [1.0], tol=NAN), "tol must be a number >= 0; got nan"),
    "nothing": (lambda: solve(Problem(HALF, HAMMING), None), "slope must be real numbers; got object"),  # pyright: ignore
    "a word": (lambda: solve(Problem(HALF, HAMMING), "1"), "slope must be real numbers; got <U1"),  # pyright: ignore
    "masked source": (lambda: solve(Problem(np.ma.array(HALF), HAMMING), 1.0), "source is a masked array"),
    "a pair beyond": (
        lambda: solve(Problem(HALF, SparseDiscount(1.0, np.array([0, 5]), np.array([0, 1]), np.ones(2), (2, 2))), 1.0),
        "rows must lie in 0..1; got 0 to 5",
    ),
    "check of a problem": (lambda: check(Problem(HALF, HAMMING)), "takes what solve or sweep returned; got Problem"),  # pyright: ignore
    "an envelope of two shapes": (lambda: lower_convex_envelope([1.0, 2.0], [1.0]), "one shape"),
    "an envelope of none": (lambda: lower_convex_envelope([], []), "at least 1"),
    "points of two spaces": (lambda: squared_error(np.zeros((2, 3)), np.zeros((2, 2))), "values must have shapes"),
    "points on a line": (lambda: pairwise_squares([1.0], [2.0]), "points must have shapes"),
    "a covariance": (lambda: closed_form.vector_gaussian.rate(np.eye(2), 0.1), r"eigenvalues must have shape \(k,\)"),
    "no eigenvalue": (lambda: closed_form.vector_gaussian.rate([], 0.1), "k at least 1"),
    "a word's rate": (lambda: closed_form.gaussian.rate("1", 0.1), "variance must be numbers; got <U1"),
    "2.5 classes": (lambda: closed_form.erasure.rate(2.5, 0.1), "an integer >= 1; got 2.5"),
    "a channel below 0": (lambda: coding.mean_index([1.5, -0.5], LAW), "negative or NaN"),
    "a channel with NaN": (lambda: coding.index_entropy([[NAN, 1]], LAW, [0]), "must be pmfs"),
    "no bits": (lambda: coding.payload_bound(-1.0, 3), "information must be >= 0"),
    "a bottleneck of a Problem": (lambda: rdc.bottleneck_rate(TWO, V[:2], 0.1), "source must be a pmf, .* got Problem"),  # pyright: ignore
    "no stream": (lambda: coding.decode("abc"), "a stream is bytes; got str"),  # pyright: ignore
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name):
    call, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_traced_values_pass():
    assert jax.jit(lambda j: tosc.landmarks(j).zero_rate_distortion)(JOINT) == 0.5
    assert np.isnan(jax.jit(lambda v: tosc.log_posterior(v, 1.0))(BAD)[1]).all()


def test_weights_stand_for_w_over_their_sum():
    for make in (tosc.confusion_joint, lambda *a: tosc.indirect_problem(tosc.sparse_joint(*a)).distortion.dense()):
        np.testing.assert_allclose(make([0, 1], [0, 1], 2, [6, 2]), make([0, 1], [0, 1], 2, [0.75, 0.25]))
    unit, twice = (tosc.sample_and_communicate(LOG_V, Y, 1.0, np.full(3, w)) for w in (1 / 3, 2 / 3))
    np.testing.assert_allclose(unit.rate, twice.rate)


def test_pixels_do_not_wrap_around():
    dark, bright = np.array([[0]], np.uint8), np.array([[200]], np.uint8)
    assert squared_error(dark[0], bright[0]) == pairwise_squares(dark, bright) == 40_000
    assert PointCloud(dark, bright).dense() == 40_000
    assert squared_error(np.array([0], np.int32), np.array([2**20], np.int32)) == 2.0**40


def test_integers_cost_no_digits():
    assert closed_form.gaussian.rate(2, 1) == pytest.approx(np.log(2) / 2, rel=1e-14)
    assert closed_form.gaussian.rate(np.array([2]), 1).dtype == jnp.float64
    point = solve(Problem(np.array([1, 1]), np.array([[0, 1], [1, 0]])), 2)
    assert point.rate.dtype == jnp.float64


def test_a_channel_that_is_none_has_no_information():
    assert np.isnan(mutual_information([0.5, 0.5], [[NAN, 1.0], [0.0, 1.0]]))
    assert np.isnan(mutual_information([0.5, 0.5], [[1.5, -0.5], [0.0, 1.0]]))
    assert np.isnan(remote(HAMMING, [[NAN, 0.5]])).all()
