"""The limits where both ends know the receiver's own decisions: laws, and other ways to the same number."""

import numpy as np
import pytest

from jaxrd import InputError, tosc
from jaxrd.side_information import JointProblem, rate_at
from jaxrd.side_information.family import family_of, family_rate_at, family_sweep
from jaxrd.tosc.known import KNOWN, given_decisions, known_rows
from jaxrd.tosc.losses import abstain

K, N = 3, 240


def samples(seed=0):
    g = np.random.default_rng(seed)
    v = g.dirichlet(np.full(K, 0.5), N)
    labels = np.array([g.choice(K, p=row) for row in v])
    receiver = np.where(g.random(N) < 0.25, labels, g.integers(0, K, N))
    return np.log(v + 1e-9), labels, receiver


LOGITS, LABELS, RECEIVER = samples()
AT = [0.45, 0.41, 0.1]


@pytest.fixture(scope="module")
def limits():
    return tosc.limits(LOGITS, LABELS, at=AT, temperature=1.0, slopes=8)


@pytest.fixture(scope="module")
def known(limits):
    return given_decisions(limits, RECEIVER, slopes=8)


class TestLaws:
    def test_knowing_saves(self, limits, known):
        for before, after, saving in zip(limits.at, known.at, known.saving, strict=True):
            for name in KNOWN:
                assert after[name] <= before[name] + 1e-9
                if np.isfinite(before[name]):
                    assert saving[name] == before[name] - after[name]
        assert known.curves["oRD"].gap.max() < 1e-9
        assert known.curves["TMRD"].gap.max() < 1e-9
        assert known.values == K
        assert not known.unconverged

    def test_decisions_that_say_nothing(self, limits):
        nothing = given_decisions(limits, np.full(N, 7), slopes=8)
        for before, after in zip(limits.at, nothing.at, strict=True):
            for name in KNOWN:
                assert after[name] == pytest.approx(before[name], abs=1e-8)
        assert nothing.entropy == pytest.approx(0, abs=1e-12)
        assert nothing.zero_rate_distortion == pytest.approx(limits.summary["zero_rate_distortion"])

    def test_decisions_that_say_all(self, limits):
        told = given_decisions(limits, LABELS, slopes=8)
        assert all(row[name] == 0 for row in told.at for name in KNOWN)
        assert told.zero_rate_distortion == 0

    def test_the_sample_itself(self, limits):
        """Every sample has a decision of its own: the model needs no bits for what it decides anyway."""
        each = given_decisions(limits, np.arange(N), slopes=8)
        np.testing.assert_allclose(each.curves["TMRD"].rate, 0, atol=1e-12)
        assert each.curves["TMRD"].distortion[-1] == pytest.approx(limits.summary["task_model_distortion"])

    def test_numbers_of_decisions_are_names(self, limits, known):
        other = given_decisions(limits, 5 - 2 * RECEIVER, slopes=8)
        for one, same in zip(other.at, known.at, strict=True):
            assert one == pytest.approx(same, abs=1e-9)


class TestAnotherWay:
    def test_oracle(self, limits, known):
        """oRD given S is the conditional curve of the joint law of label and decision."""
        joint = np.zeros((K, K))
        np.add.at(joint, (LABELS, RECEIVER), 1 / N)
        for row in known.at:
            point = rate_at(JointProblem(joint, 1 - np.eye(K)), row["distortion"], both=True)
            assert row["oRD"] == pytest.approx(float(point.rate), abs=1e-8)

    def test_a_family_is_a_joint_problem(self):
        g = np.random.default_rng(1)
        joint, d = g.dirichlet(np.ones(8)).reshape(4, 2), g.random((4, 3))
        family = family_of(joint.sum(0), list(joint.T), [d, d])
        for target in (0.25, 0.35):
            found, point = family_rate_at(family, target), rate_at(JointProblem(joint, d), target, both=True)
            assert float(found.rate) == pytest.approx(float(point.rate), abs=1e-9)
            assert float(found.gap) < 1e-9

    def test_padding_is_nothing(self):
        """Values of several numbers of letters: those that fill up change nothing."""
        g = np.random.default_rng(2)
        d = [g.random((2, 3)), g.random((5, 3))]
        sources = [g.dirichlet(np.ones(2)), g.dirichlet(np.ones(5))]
        slopes = np.array([2.0, 9.0])
        whole = family_sweep(family_of(np.array([0.3, 0.7]), sources, d), slopes)
        apart = [family_sweep(family_of(np.ones(1), [p], [e]), slopes) for p, e in zip(sources, d, strict=True)]
        np.testing.assert_allclose(whole.rate, 0.3 * apart[0].rate + 0.7 * apart[1].rate, atol=1e-10)

    def test_the_channel_measured(self, limits, known):
        """TMRD's distortion on the labels, and its rate, summed over samples at a point's slope."""
        curve = known.curves["TMRD"]
        i = 4
        slope, rate, distortion = float(curve.slope[i]), 0.0, 0.0
        v = np.exp(limits.workings.posterior.log_v)
        for s in range(K):
            rows = v[s == RECEIVER]
            q = np.full(K, 1 / K)
            for _ in range(3000):
                w = q * np.exp(slope * rows)
                w /= w.sum(1, keepdims=True)
                q = w.mean(0)
            share = len(rows) / N
            rate += share * float((w * np.log(np.maximum(w, 1e-300) / np.maximum(q, 1e-300))).sum(1).mean())
            distortion += share * (1 - float(w[np.arange(len(rows)), LABELS[s == RECEIVER]].mean()))
        assert curve.rate[i] == pytest.approx(rate, abs=1e-6)
        assert curve.distortion[i] == pytest.approx(distortion, abs=1e-6)

    def test_weights(self):
        """A sample of weight two is two samples."""
        weights = 1.0 + (np.arange(N) % 2)
        twice = np.repeat(np.arange(N), weights.astype(int))
        asked = {"at": [0.42], "temperature": 1.0, "slopes": 4}
        heavy = given_decisions(tosc.limits(LOGITS, LABELS, weights=weights, **asked), RECEIVER, slopes=4)
        many = given_decisions(tosc.limits(LOGITS[twice], LABELS[twice], **asked), RECEIVER[twice], slopes=4)
        for name in KNOWN:
            assert heavy.at[0][name] == pytest.approx(many.at[0][name], abs=1e-8)


def test_a_loss():
    found = tosc.limits(LOGITS, LABELS, at=[0.27], temperature=1.0, slopes=4, loss=abstain(0.3, K))
    known = given_decisions(found, RECEIVER, slopes=4)
    assert known.at[0]["oRD"] < known.at[0]["TMRD"] <= found.at[0]["TMRD"]
    assert 0.27 < known.zero_rate_distortion <= 0.3 + 1e-12


def test_decisions_alone():
    found = tosc.limits(LOGITS.argmax(1), LABELS, at=[0.42])
    known = given_decisions(found, RECEIVER)
    assert set(known.curves) == {"oRD", "iE&C"}
    assert known.at[0]["TMRD"] is None
    assert known.saving[0]["TMRD"] is None
    assert "scores" in known.absent["TMRD"]


def test_progress_and_slopes(limits, known):
    seen = []
    fewer = given_decisions(limits, RECEIVER, slopes=4, progress=lambda *at: seen.append(at))
    assert {name for name, *_ in seen} == {f"{name}, receiver known" for name in KNOWN}
    assert len(fewer.curves["oRD"].rate) < len(known.curves["oRD"].rate)
    with pytest.raises(InputError, match="those of the 240 samples"):
        given_decisions(limits, RECEIVER[:9])


def test_the_same_rows():
    whole, receiver = tosc.from_scores(LOGITS, LABELS), tosc.from_decisions(RECEIVER, LABELS)
    assert (known_rows(whole, receiver, 1.0, 0) == RECEIVER).all()
    half = tosc.limits(whole, at=[0.3], slopes=4, seed=3).workings.outputs
    kept = known_rows(whole, receiver, None, 3)
    for row, s in zip(half.logits, kept, strict=True):
        (i,) = np.flatnonzero((row == LOGITS).all(1))
        assert RECEIVER[i] == s
    with pytest.raises(InputError, match="it has 100, the sender 240"):
        known_rows(whole, receiver.take(np.arange(100)), None, 0)
    with pytest.raises(InputError, match="labels differ"):
        known_rows(whole, tosc.from_decisions(RECEIVER, LABELS[::-1]), None, 0)
