"""H(Y|X): what holds for any source, what the samples must cover, and what a classifier cannot know."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from jaxrd import tosc
from jaxrd.errors import InputError
from jaxrd.testing import generators, posteriors
from jaxrd.tosc.estimate import central, empirical_bernstein, error_limits
from jaxrd.tosc.identifiability.annotations import annotation_entropy, repeated_inputs
from jaxrd.tosc.identifiability.fano import greatest_entropy, least_entropy, least_error


def entropies(rows):
    return -np.where(rows > 0, rows * np.log(np.where(rows > 0, rows, 1)), 0).sum(-1)


class TestFano:
    @given(v=posteriors(shapes=((1, 3), (12, 3))))
    def test_every_source_lies_between(self, v):
        classes = v.shape[1]
        error, entropy = 1 - v.max(1).mean(), entropies(v).mean()
        assert float(least_entropy(error, classes)) <= entropy + 1e-12
        assert entropy <= float(greatest_entropy(error, classes)) + 1e-12
        assert float(least_error(entropy, classes)) <= error + 1e-9

    @pytest.mark.parametrize("k", [1, 2, 5])
    def test_uniform_over_some_classes_meets_the_lower_one(self, k):
        np.testing.assert_allclose(least_entropy(1 - 1 / k, 5), np.log(k), atol=1e-15)

    def test_inverse(self):
        error = np.append(np.linspace(0, 0.9, 50), 0.9)
        entropy = np.array(greatest_entropy(error, 10))
        np.testing.assert_allclose(entropy[[0, -2]], [0, np.log(10)], atol=1e-12)
        entropy[-1] = 3.0  # more than any ten classes have
        np.testing.assert_allclose(least_error(entropy, 10), error, atol=1e-9)

    def test_beyond_guessing(self):
        np.testing.assert_allclose(greatest_entropy(jnp.array([0.75, 0.9, 1.0]), 4), np.log(4))

    def test_transforms(self):
        e = jnp.array([0.1, 0.3])
        for function in (greatest_entropy, least_entropy):
            mapped = jax.jit(jax.vmap(lambda x, function=function: function(x, 10)))(e)
            np.testing.assert_allclose(mapped, function(e, 10), rtol=1e-12)
            slope = (function(0.1 + 1e-6, 10) - function(0.1 - 1e-6, 10)) / 2e-6
            np.testing.assert_allclose(jax.grad(lambda x, function=function: function(x, 10))(0.1), slope, rtol=1e-5)


class TestIntervals:
    def test_central(self):
        found = central(np.array([1.0, 2.0, 3.0, 4.0]), 0.05)
        np.testing.assert_allclose(found, 2.5 + 1.959963985 * np.sqrt(5 / 3) / 2 * np.array([0, -1, 1]), rtol=1e-9)

    @pytest.mark.parametrize(("wrong", "samples"), [(0, 7), (3, 40), (40, 40)])
    def test_exact_limits_of_an_error(self, wrong, samples):
        low, high = error_limits(wrong, samples, 0.03)
        if wrong:
            np.testing.assert_allclose(binom.sf(wrong - 1, samples, low), 0.03)
        if wrong < samples:
            np.testing.assert_allclose(binom.cdf(wrong, samples, high), 0.03)
        assert low <= wrong / samples <= high

    def test_bernstein_misses_no_more_than_its_risk(self):
        g = np.random.default_rng(0)
        values = (g.random((4000, 60)) < 0.05).astype(float)  # rare and large: what the CLT gets wrong
        reach = np.array([empirical_bernstein(row, 1.0, 0.2) for row in values])
        assert (values.mean(1) + reach < 0.05).mean() <= 0.2
        assert (values.mean(1) - reach > 0.05).mean() <= 0.2


def population(g, inputs=40, classes=4):
    """Posteriors of equally likely inputs, and a model of them that is off."""
    truth = g.dirichlet(np.full(classes, 0.5), inputs)
    model = truth**1.6 * g.gamma(20.0, 0.05, truth.shape) + 1e-12
    return truth, model / model.sum(1, keepdims=True)


def draws(g, truth, samples):
    x = g.integers(0, len(truth), samples)
    y = (truth[x].cumsum(1) < g.random((samples, 1))).sum(1)
    return x, np.minimum(y, truth.shape[1] - 1)


class TestLabelUncertainty:
    def test_covers_a_known_source(self):
        g = np.random.default_rng(1)
        truth, model = population(g)
        entropy, believed = entropies(truth).mean(), entropies(model).mean()
        cross = -(truth * np.log(model)).sum(1).mean()
        assert cross > entropy + 0.02  # the model is off: the bound is no equality
        hits, limits = [], []
        for _ in range(600):
            x, y = draws(g, truth, 400)
            found = tosc.label_uncertainty(tosc.from_scores(np.log(model[x]), y), temperature=1.0)
            pairs = (
                (found.cross_entropy, cross),
                (found.believed, believed),
                (found.miscalibration, cross - believed),
            )
            hits.append([estimate.low <= true <= estimate.high for estimate, true in pairs])
            limits.append([found.cross_entropy_limit, found.fano_limit])
        np.testing.assert_allclose(np.mean(hits, 0), 0.95, atol=0.025)
        assert (np.min(limits, 1) >= entropy).all()
        assert (np.min(limits, 0) < np.log(4) - 0.1).any()  # and they say something

    def test_no_classifier_can_tell_a_coin_from_a_riddle(self):
        # Labels that are a function of the input, and a model that does not know which: every estimate says ln 2,
        # H(Y|X) = 0. Nothing but a repeated label tells the two apart, and nothing here claims a lower limit.
        g = np.random.default_rng(2)
        y = g.integers(0, 2, 500)
        found = tosc.label_uncertainty(tosc.from_scores(np.full((500, 2), 0.5), y), temperature=1.0)
        for estimate in (found.believed, found.calibrated, found.cross_entropy):
            np.testing.assert_allclose(estimate.value, np.log(2))
        assert found.lower_if_best > 0.5  # true only if no decision were better: here y itself is
        assert repeated_inputs(range(500), y, 2).lower_limit == 0
        assert repeated_inputs([0] * 500, y, 2).lower_limit > 0.25

    def test_at_the_fitted_temperature_the_belief_is_the_cross_entropy(self):
        # The derivative of the loss in 1/T is the difference of the two, over T.
        g = np.random.default_rng(3)
        truth, model = population(g)
        x, y = draws(g, truth, 300)
        outputs = tosc.from_scores(3 * np.log(model[x]), y)
        temperature = float(tosc.fit_temperature(outputs.logits, outputs.labels))
        found = tosc.label_uncertainty(outputs, temperature=temperature)
        np.testing.assert_allclose(found.miscalibration.value, 0, atol=1e-9)
        raw = tosc.label_uncertainty(outputs, temperature=1.0)
        assert raw.miscalibration.low > 0
        assert raw.believed.value < found.calibrated.value

    def test_half_of_the_samples_fits_the_temperature(self):
        g = np.random.default_rng(4)
        truth, model = population(g)
        x, y = draws(g, truth, 301)
        outputs = tosc.from_scores(2 * np.log(model[x]), y)
        order = np.random.default_rng(7).permutation(301)
        fit, rest = outputs.take(order[:150]), outputs.take(order[150:])
        temperature = float(tosc.fit_temperature(fit.logits, fit.labels))
        assert tosc.label_uncertainty(outputs, seed=7) == tosc.label_uncertainty(rest, temperature=temperature)

    def test_scores_of_minus_infinity_stay_finite(self):
        outputs = tosc.from_scores(np.array([[0.0, 1e5], [1e5, 0.0], [0.0, 1.0]]), np.array([0, 0, 1]))
        found = tosc.label_uncertainty(outputs, temperature=1.0)
        assert found.cross_entropy.value > 3e4
        np.testing.assert_allclose(found.upper_limit, np.log(2))

    def test_annotations_come_along(self):
        counts = np.tile([30, 20], (8, 1))
        found = tosc.label_uncertainty(tosc.from_scores(np.eye(2)[[0, 1] * 4], [0, 1] * 4), counts=counts)
        assert found.samples == 4
        assert found.annotations.samples == 8

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"confidence": 1.0}, r"confidence must be a number in \(0, 1\); got 1"),
            ({"temperature": 0.0}, "temperature must be a positive number; got 0"),
            ({"counts": np.eye(2, dtype=int)[[0] * 5]}, "one annotation"),
            ({"counts": np.full((3, 2), 2)}, r"counts must have shape \(5, 2\); got \(3, 2\)"),
        ],
    )
    def test_bad_arguments(self, change, message):
        outputs = tosc.from_scores(np.eye(2)[[0, 1, 0, 1, 0]], [0, 1, 0, 1, 1])
        with pytest.raises(InputError, match=message):
            tosc.label_uncertainty(outputs, **change)

    def test_too_little(self):
        with pytest.raises(InputError, match="3 samples are too few"):
            tosc.label_uncertainty(tosc.from_scores(np.eye(3), [0, 1, 2]))
        with pytest.raises(InputError, match="hard decisions only"):
            tosc.label_uncertainty(tosc.from_decisions(np.array([0, 1]), np.array([0, 1])))


class TestAnnotations:
    def test_covers_a_known_population(self):
        g = np.random.default_rng(5)
        truth = g.dirichlet(np.ones(4), 60)
        entropy = entropies(truth).mean()
        found = [
            annotation_entropy(g.multinomial(50, truth[g.integers(0, 60, 200)]), confidence=0.9) for _ in range(400)
        ]
        plug_in, corrected = (np.mean([getattr(f, key).value for f in found]) for key in ("plug_in", "estimate"))
        assert plug_in < entropy  # a lower bound in expectation
        assert abs(entropy - corrected) < 0.25 * (entropy - plug_in)
        np.testing.assert_allclose(
            np.mean([f.estimate.low <= entropy <= f.estimate.high for f in found]), 0.9, atol=0.04
        )
        limits = np.array([f.lower_limit for f in found])
        assert (limits <= entropy).all()
        assert limits.min() > 0.5 * entropy

    def test_two_annotators(self):
        found = annotation_entropy(np.array([[2, 0], [1, 1], [1, 1], [0, 2]]))
        np.testing.assert_allclose(found.plug_in.value, np.log(2) / 2)
        np.testing.assert_allclose(found.estimate.value, np.log(2) / 2 + 1 / 8)
        assert found.lower_limit == 0

    @pytest.mark.parametrize(
        ("counts", "message"),
        [
            (np.array([[0.5, 0.5], [1.0, 0.0]]), "integers >= 0"),
            (np.array([[3, -1], [1, 1]]), "integers >= 0"),
            (np.array([[2, 1], [0, 0]]), "sample 1 has none"),
            (np.array([[1, 0], [0, 1]]), "one annotation"),
            (np.array([1, 2]), r"got \(2,\)"),
        ],
    )
    def test_no_counts(self, counts, message):
        with pytest.raises(InputError, match=message):
            annotation_entropy(counts)


class TestRepeatedInputs:
    @given(g=generators(), inputs=st.sampled_from((1, 3, 20)))
    def test_another_sample_changes_little(self, g, inputs):
        x, y = g.integers(0, inputs, 12), g.integers(0, 3, 12)
        before = repeated_inputs(x.tolist(), y, 3)
        x[0], y[0] = g.integers(0, inputs), g.integers(0, 3)
        after = repeated_inputs(x.tolist(), y, 3)
        assert abs(after.plug_in - before.plug_in) <= (1 + np.log(12)) / 12
        assert abs(after.accuracy - before.accuracy) <= 1 / 12 + 1e-12

    def test_covers_a_known_source(self):
        g = np.random.default_rng(6)
        truth = g.dirichlet(np.full(4, 0.5), 50)
        entropy, best = entropies(truth).mean(), truth.max(1).mean()
        plug_in, missed = [], []
        for _ in range(200):
            x, y = draws(g, truth, 2000)
            found = repeated_inputs(x.tolist(), y, 4, confidence=0.8)
            assert found.lower_limit <= entropy
            plug_in.append((found.plug_in, found.estimate))
            missed.append(found.accuracy_limit < best)
            assert found.accuracy_limit < best + 0.1
        assert np.mean(missed) <= 0.2
        low, corrected = np.mean(plug_in, 0)
        assert low < entropy
        assert abs(corrected - entropy) < 0.3 * (entropy - low)

    @settings(max_examples=10)
    @given(g=generators())
    def test_from_the_definition(self, g):
        x, y = g.integers(0, 5, 40), g.integers(0, 3, 40)
        joint = np.zeros((5, 3))
        np.add.at(joint, (x, y), 1 / 40)
        expected = entropies(joint.ravel()) - entropies(joint.sum(1))
        found = repeated_inputs([bytes([i]) for i in x], y, 3)
        np.testing.assert_allclose(found.plug_in, expected, atol=1e-12)
        np.testing.assert_allclose(found.accuracy, joint.max(1).sum())
        assert found.inputs == len(np.unique(x))

    def test_errors(self):
        with pytest.raises(InputError, match="got 2 for 3"):
            repeated_inputs([1, 2], [0, 1, 1], 2)
        with pytest.raises(InputError, match="got 0 for 0"):
            repeated_inputs([], [], 2)
