"""What the sender of each curve does: against the curves' own formulas, and under other losses by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jaxrd import Problem, Status, rate_at, solve
from jaxrd.errors import InputError
from jaxrd.information import mutual_information
from jaxrd.testing import generators
from jaxrd.tosc import (
    confusion_joint,
    estimate_and_compress,
    from_decisions,
    from_scores,
    indirect_problem,
    label_distortion,
    limits,
    merge_baseline,
    model_aware_problem,
    sample_and_communicate,
    schemes,
)
from jaxrd.tosc.curves.merged import merge_order
from jaxrd.tosc.losses import abstain, hierarchy, of_matrix, superclass, top, zero_one
from jaxrd.tosc.schemes import Samples, acted

CLASSES = 5
LOSSES = {
    "abstain": abstain(0.3, CLASSES), "superclass": superclass([0, 0, 1, 1, 2]), "top2": top(2, CLASSES),
    "hierarchy": hierarchy([0, 0, 1, 1, 2]), "matrix": of_matrix(40 * np.random.default_rng(5).random((CLASSES, 3))),
}  # fmt: skip


def drawn(loss=None, seed=0, samples=400, hard=False, classes=CLASSES):
    """A calibrated classifier of some samples."""
    g = np.random.default_rng(seed)
    v = g.dirichlet(0.025 * (2 + np.arange(classes)), samples)
    labels = np.array([g.choice(classes, p=row) for row in v])
    loss = loss or zero_one(classes)
    soft = None if hard else v
    return Samples(labels, acted(v.argmax(1), loss, soft), loss, soft)


def joint_of(samples):
    return confusion_joint(samples.labels, samples.actions, CLASSES)


def measured(samples, scheme):
    """The mean loss on the labels, sample by sample."""
    rows = samples.loss.values[samples.labels]
    if scheme.channel is None:
        return float(rows[np.arange(len(rows)), scheme.sent].mean())
    return float((scheme.channel * rows).sum(1).mean())


def information(scheme):
    return float(mutual_information(np.full(len(scheme.channel), 1 / len(scheme.channel)), scheme.channel))


def every(samples):
    """A scheme of each curve that has a meaning."""
    found = {
        "iE&C": schemes.indirect(samples, slope=3.0 / samples.loss.span), "decisions": schemes.decisions(samples),
        "merge": schemes.merge(samples, merged=1),
    }  # fmt: skip
    if samples.loss.labels == samples.loss.actions:
        found["E&C"] = schemes.estimated(samples, slope=3.0 / samples.loss.span)
    if samples.posterior is not None:
        found["TMRD"] = schemes.model_aware(samples, slope=3.0 / samples.loss.span)
        found["S&C"] = schemes.sampled(samples)
    return found


class TestZeroOne:
    def test_tmrd_at_a_slope(self):
        s = drawn()
        problem = model_aware_problem(s.posterior)
        point = solve(problem, 3.0)
        found = schemes.model_aware(s, slope=3.0)
        assert (found.status, found.slope) == (Status.CONVERGED, 3.0)
        assert information(found) == pytest.approx(float(point.rate), abs=1e-9)
        assert measured(s, found) == pytest.approx(float(label_distortion(problem, point, s.labels)), abs=1e-9)

    def test_sc_is_the_posterior(self):
        s = drawn()
        point = sample_and_communicate(jnp.log(s.posterior), s.labels, 1.0)
        found = schemes.sampled(s)
        assert found.status == Status.ACHIEVABLE
        assert information(found) == pytest.approx(float(point.rate), abs=1e-9)
        assert measured(s, found) == pytest.approx(float(point.distortion), abs=1e-9)

    @pytest.mark.parametrize("hard", [False, True])
    def test_iec_at_a_slope(self, hard):
        s = drawn(hard=hard)
        point = solve(indirect_problem(joint_of(s)), 3.0)
        found = schemes.indirect(s, slope=3.0)
        assert information(found) == pytest.approx(float(point.rate), abs=1e-8)
        assert measured(s, found) == pytest.approx(float(point.distortion), abs=1e-6)

    @given(st.sampled_from((0.05, 0.2, 0.45)), st.integers(0, 5))
    def test_ec_is_the_closed_form(self, apart, seed):
        s = drawn(seed=seed)
        point = estimate_and_compress(joint_of(s), apart)
        found = schemes.estimated(s, estimate_distortion=apart)
        assert found.estimate_distortion == pytest.approx(apart, abs=1e-6)
        assert information(found) == pytest.approx(float(point.rate), abs=1e-6)
        assert measured(s, found) == pytest.approx(float(point.distortion), abs=1e-5)

    @given(generators())
    def test_merging_is_that_of_the_baseline(self, g):
        classes = 6
        decided = np.repeat(np.arange(classes), [30, 30, 20, 20, 10, 0])  # some tie, one never occurs
        labels = np.where(g.random(110) < 0.5, decided, g.integers(classes, size=110))
        hits = np.bincount(labels[labels == decided], minlength=classes)
        # Rounding decides ties of labels.
        assume(len({(labels == y).sum() for y in (0, 1)}) == 2)
        assume(
            all(
                len({hits[y] - (labels[decided == y] == x).sum() for y in pair}) == 2
                for x in (0, 1)
                for pair in ((0, 1), (2, 3))
            )
        )
        s = Samples(labels, decided, zero_one(classes), None)
        joint = confusion_joint(labels, decided, classes)
        baseline, order = merge_baseline(joint), merge_order(joint).tolist()
        for k in range(classes):
            found = schemes.merge(s, merged=k)
            p = np.bincount(found.sent, minlength=classes) / 110
            assert -(p[p > 0] @ np.log(p[p > 0])) == pytest.approx(float(baseline.rate[k]), abs=1e-9)
            assert measured(s, found) == pytest.approx(float(baseline.distortion[k]), abs=1e-9)
            kept = ~np.isin(decided, order[:k])
            np.testing.assert_array_equal(found.sent, np.where(kept, decided, order[-1]))


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("loss", [zero_one(CLASSES), *LOSSES.values()], ids=["zero-one", *LOSSES])
def test_a_distortion_chooses_the_point_of_limits(loss, hard):
    s, v = drawn(loss, samples=800, hard=hard), drawn(samples=800).posterior
    silent = s.loss.values[s.labels].mean(0).min()
    distortion = 0.6 * measured(s, schemes.decisions(s)) + 0.4 * silent
    if hard:
        outputs, temperature = from_decisions(v.argmax(1), s.labels, classes=CLASSES), None
    else:
        outputs, temperature = from_scores(np.log(v), s.labels), 1.0
    row = limits(outputs, at=[distortion], temperature=temperature, loss=loss).at[0]
    chosen = {"iE&C": schemes.indirect(s, distortion=distortion)}
    if not hard:
        chosen["TMRD"] = schemes.model_aware(s, distortion=distortion)
    if loss.labels == loss.actions:
        chosen["E&C"] = schemes.estimated(s, distortion=distortion)
    for curve, scheme in chosen.items():
        assert information(scheme) == pytest.approx(row[curve], abs=1e-8), curve
        assert measured(s, scheme) == pytest.approx(distortion, rel=1e-6), curve
    p = np.bincount(schemes.merge(s, distortion=distortion).sent) / 800
    assert -(p[p > 0] @ np.log(p[p > 0])) == pytest.approx(row["merge"], abs=1e-9)


class TestLosses:
    @pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
    @pytest.mark.parametrize("hard", [False, True])
    def test_actions(self, loss, hard):
        s = drawn(loss, hard=hard)
        v = drawn().posterior
        for i, action in enumerate(s.actions):
            if hard:
                best = min(range(loss.actions), key=lambda a: loss.values[v[i].argmax(), a])
            else:
                best = min(range(loss.actions), key=lambda a: v[i] @ loss.values[:, a])
            assert loss.values[v[i].argmax(), action] == loss.values[v[i].argmax(), best]

    @pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
    def test_channels_are_over_actions(self, loss):
        s = drawn(loss)
        for curve, scheme in every(s).items():
            if scheme.channel is None:
                assert scheme.sent.shape == (400,), curve
                assert scheme.sent.max() < loss.actions
            else:
                assert scheme.channel.shape == (400, loss.actions), curve
                np.testing.assert_allclose(scheme.channel.sum(1), 1, atol=1e-9)

    @pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
    def test_tmrd_solves_the_expected_loss(self, loss):
        s, slope = drawn(loss), 3.0 / loss.span
        point = solve(Problem(np.full(400, 1 / 400), s.posterior @ loss.values), slope)
        found = schemes.model_aware(s, slope=slope)
        assert information(found) == pytest.approx(float(point.rate), abs=1e-8)
        believed = (found.channel * (s.posterior @ loss.values)).sum(1).mean()
        assert believed == pytest.approx(float(point.distortion), rel=1e-5)

    @pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
    def test_sc_acts_on_the_label_that_is_drawn(self, loss):
        s = drawn(loss)
        found = schemes.sampled(s).channel
        for a in range(loss.actions):
            np.testing.assert_allclose(found[:, a], s.posterior[:, loss.of_label == a].sum(1), atol=1e-12)

    @pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
    @pytest.mark.parametrize("hard", [False, True])
    def test_iec_solves_the_loss_given_the_action(self, loss, hard):
        s = drawn(loss, hard=hard)
        used = np.unique(s.actions)
        cost = [loss.values[s.labels[s.actions == a]].mean(0) for a in used]
        problem = Problem([(s.actions == a).mean() for a in used], np.array(cost))
        d = 0.3 * float(problem.source @ problem.distortion.min(1)) + 0.7 * float(
            (problem.source @ problem.distortion).min()
        )
        found = schemes.indirect(s, distortion=d)
        assert information(found) == pytest.approx(float(rate_at(problem, d).rate), abs=1e-7)
        assert measured(s, found) == pytest.approx(d, rel=1e-6)

    @pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
    def test_every_scheme_reaches_a_distortion(self, loss):
        s = drawn(loss)
        at_best = measured(s, schemes.decisions(s))
        silent = loss.values[s.labels].mean(0).min()
        d = 0.5 * (at_best + silent)
        assert measured(s, schemes.model_aware(s, distortion=d)) == pytest.approx(d, rel=1e-6)
        assert measured(s, schemes.merge(s, distortion=d)) <= d + 1e-9
        if loss.labels == loss.actions:
            assert measured(s, schemes.estimated(s, distortion=d)) == pytest.approx(d, rel=1e-6)

    @given(generators())
    def test_merging_under_a_loss_by_hand(self, g):
        loss = of_matrix(g.random((4, 5)))
        labels, decided = g.integers(4, size=40), g.choice(5, 40, p=[0.4, 0.3, 0.2, 0.1, 0])
        s = Samples(labels, decided, loss, None)
        counts = np.bincount(decided, minlength=5)
        for k in range(5):
            found = schemes.merge(s, merged=k)
            gone = np.flatnonzero(found.sent != decided)
            kept = np.setdiff1d(np.arange(5), np.unique(decided[gone]))
            # Whatever is merged is no likelier than what is kept, and all of it becomes one of the likeliest.
            assert counts[np.unique(decided[gone])].max(initial=0) <= counts[kept].min(
                initial=40, where=counts[kept] > 0
            )
            assert len(np.unique(found.sent[gone])) <= 1
            assert (counts[found.sent[gone]] == counts.max()).all()
            assert k - len(np.unique(decided[gone])) == min(k, int((counts == 0).sum()))


class TestRefusals:
    @pytest.mark.parametrize(
        ("call", "says"),
        [
            (lambda s: schemes.model_aware(s, distortion=0.01), r"TMRD does not reach distortion 0.01 \(accuracy 0.99"),
            (lambda s: schemes.indirect(s, distortion=0.01), r"iE&C does not reach distortion 0.01"),
            (lambda s: schemes.estimated(s, distortion=0.01), r"E&C does not reach distortion 0.01"),
            (lambda s: schemes.merge(s, distortion=0.01), r"merge does not reach distortion 0.01"),
            (lambda s: schemes.model_aware(s, distortion=0.9), r"distortion 0.9 \(accuracy 0.1\) needs no bits"),
            (lambda s: schemes.indirect(s, distortion=0.9), "needs no bits"),
            (lambda s: schemes.estimated(s, distortion=0.9), "needs no bits"),
            (lambda s: schemes.merge(s, distortion=0.9), "needs no bits"),
            (lambda s: schemes.merge(s, merged=5), r"--merged must lie in 0..4, .* got 5"),
        ],
    )
    def test_one_line(self, call, says):
        with pytest.raises(InputError, match=says):
            call(drawn())

    def test_no_accuracy_where_there_is_none(self):
        with pytest.raises(InputError, match=r"^distortion 0.9 needs no bits: always the same action has distortion"):
            schemes.indirect(drawn(LOSSES["abstain"]), distortion=0.9)

    def test_ec_without_a_loss_between_actions(self):
        with pytest.raises(InputError, match=r"E&C needs a loss between actions; abstain:0.3 has 6 actions for 5"):
            schemes.estimated(drawn(LOSSES["abstain"]), slope=1.0)

    def test_an_estimate_distortion_below_the_least(self):
        loss = of_matrix(1 + (1 - np.eye(CLASSES)))
        with pytest.raises(InputError, match=r"--estimate-distortion must be at least 1; got 0.5"):
            schemes.estimated(drawn(loss), estimate_distortion=0.5)
