"""The curves at a rate: the inverse of their rates at a distortion, and no less than a dense scan finds."""

import numpy as np
import pytest

from jaxrd import Problem, distortion_at, sweep, tosc
from jaxrd.errors import InputError
from jaxrd.tosc import losses
from jaxrd.tosc.inverse import with_rows

BIT = np.log(2)


def drawn(seed=0, n=400, k=4):
    g = np.random.default_rng(seed)
    v = g.dirichlet(np.full(k, 0.5), n)
    labels = np.array([g.choice(k, p=row) for row in v])
    return np.log(v + 1e-9), labels


@pytest.fixture(scope="module")
def found():
    return tosc.limits(*drawn(), at=[0.5], temperature=1.0, slopes=12)


@pytest.mark.parametrize("d", [0.44, 0.5, 0.6, 0.7])
def test_the_distortion_at_a_rate_undoes_the_rate_at_a_distortion(found, d):
    for name, place in tosc.rates_at(found, d).items():
        if name != "merge" and 0 < place.rate < np.inf:
            back = tosc.distortions_at(found, place.rate)[name]
            assert back.converged
            assert back.distortion == pytest.approx(d, abs=1e-11), name


def test_rates_are_those_of_limits(found):
    row = {name: place.rate for name, place in tosc.rates_at(found, 0.5).items()}
    assert row == {name: rate for name, rate in found.at[0].items() if name != "distortion"}
    more = with_rows(found, [0.6, 0.65])
    again = tosc.limits(*drawn(), at=[0.5, 0.6, 0.65], temperature=1.0, slopes=12)
    assert [list(r) for r in more.at] == [list(r) for r in again.at]
    for ours, theirs in zip(more.at, again.at, strict=True):
        for name, rate in ours.items():
            assert rate == pytest.approx(theirs[name], abs=1e-12), name
    assert len(found.at) == len(found.workings.places) == 1


@pytest.mark.parametrize("bits", [0.05, 0.4, 1.0, 1.5])
def test_against_a_dense_scan(found, bits):
    logits, labels = drawn()
    reached = {name: point.distortion for name, point in tosc.distortions_at(found, bits * BIT).items()}
    v = found.workings.posterior
    problem = tosc.model_aware_problem(np.exp(v.log_v))
    slopes = np.concatenate([np.linspace(0.9, 8, 60), np.geomspace(8, 300, 20)])
    solved = sweep(problem, slopes)
    scan = [
        float(tosc.label_distortion(problem, _one(solved, i), labels))
        for i in np.flatnonzero(np.asarray(solved.rate) <= bits * BIT)
    ]
    assert reached["TMRD"] <= min([*scan, found.summary["zero_rate_distortion"]]) + 1e-9
    assert reached["TMRD"] >= min(scan, default=0.7) - 0.02
    assert reached["TMRD_model"] == pytest.approx(float(distortion_at(problem, bits * BIT).distortion), abs=1e-9)
    temperatures = np.concatenate([np.linspace(0, 3, 2000), np.geomspace(3, 200, 200)])
    points = [tosc.sample_and_communicate(np.log(np.asarray(1 - problem.distortion)), labels, t) for t in temperatures]
    least = min(float(p.distortion) for p in points if p.rate <= bits * BIT)
    assert reached["S&C"] <= least + 1e-9
    assert reached["S&C"] >= least - 2e-3
    joint = np.asarray(tosc.confusion_joint(labels, np.asarray(logits).argmax(1), 4))
    scan = tosc.estimate_and_compress(joint, np.linspace(0, 1 - joint.sum(0).max(), 4001))
    least = float(np.asarray(scan.distortion)[np.asarray(scan.rate) <= bits * BIT].min())
    assert reached["E&C"] <= min(least, found.summary["zero_rate_distortion"]) + 1e-9
    assert reached["E&C"] >= least - 2e-3
    aware = tosc.indirect_problem(joint)
    assert reached["iE&C"] == pytest.approx(float(distortion_at(aware, bits * BIT).distortion), abs=1e-9)
    prior = Problem(joint.sum(1), 1 - np.eye(4))
    assert reached["oRD"] == pytest.approx(float(distortion_at(prior, bits * BIT).distortion), abs=1e-8)
    merged = tosc.merge_baseline(joint)
    fits = np.asarray(merged.rate) <= bits * BIT
    d_0 = found.summary["zero_rate_distortion"]
    assert reached["merge"] == pytest.approx(min(np.asarray(merged.distortion)[fits].min(), d_0), abs=1e-12)
    d_tm, _, entropy = (float(x) for x in tosc.landmarks(joint))
    assert reached["TS"] == pytest.approx(d_0 - min(bits * BIT / entropy, 1) * (d_0 - d_tm), abs=1e-12)


def _one(solved, i):
    import jax

    return jax.tree.map(lambda a: a[i], solved)


def test_the_ends(found):
    nothing, everything = tosc.distortions_at(found, 0.0), tosc.distortions_at(found, 50.0)
    d_0, d_tm = (found.summary[f"{name}_distortion"] for name in ("zero_rate", "task_model"))
    assert {name for name in nothing} == set(tosc.CURVES) | {"TMRD_model"}
    for name in tosc.CURVES:
        assert nothing[name].distortion <= d_0
        assert nothing[name].distortion == pytest.approx(d_0, abs=1e-9)
    assert everything["oRD"].distortion == 0
    for name in ("TS", "merge", "E&C"):
        assert everything[name].distortion == pytest.approx(d_tm, abs=1e-9)
    assert everything["TMRD"].distortion <= d_tm + 1e-9  # its raw curve may dip below before it ends there


def test_more_rate_never_hurts(found):
    reached = [tosc.distortions_at(found, r) for r in np.linspace(0, 2, 9)]
    for name in reached[0]:
        assert (np.diff([at[name].distortion for at in reached]) <= 1e-10).all(), name


@pytest.mark.parametrize("kind", ["abstain", "matrix"])
def test_under_another_loss(kind):
    costs = np.random.default_rng(1).uniform(0, 3, (4, 4))
    loss = losses.abstain(0.3, 4) if kind == "abstain" else losses.of_matrix(costs * (1 - np.eye(4)))
    found = tosc.limits(*drawn(), temperature=1.0, slopes=12, loss=loss)
    d_tm, d_0 = (found.summary[f"{name}_distortion"] for name in ("task_model", "zero_rate"))
    d = 0.5 * (d_tm + d_0)
    compared = set()
    for name, place in tosc.rates_at(found, d).items():
        if name != "merge" and 0 < place.rate < np.inf:
            assert tosc.distortions_at(found, place.rate)[name].distortion == pytest.approx(d, abs=1e-9), name
            compared.add(name)
    assert {"oRD", "TMRD", "TMRD_model", "iE&C"} <= compared
    assert tosc.distortions_at(found, 0.0)["oRD"].distortion == pytest.approx(d_0, abs=1e-9)


def test_hard_decisions():
    labels = np.arange(200) % 4
    found = tosc.limits(np.where(np.arange(200) % 5, labels, 0), labels)
    assert set(tosc.distortions_at(found, 0.3)) == {"oRD", "iE&C", "E&C", "TS", "merge"}
    assert with_rows(found, [0.3]).at[-1]["TMRD"] is None


@pytest.mark.parametrize("value", [-0.1, float("nan"), [0.1, 0.2], "much"])
def test_bad_arguments(found, value):
    for function in (tosc.rates_at, tosc.distortions_at):
        with pytest.raises(InputError, match=r"^(distortion|rate) must be (>= 0|one number)"):
            function(found, value)
        with pytest.raises(InputError, match="takes what limits returned; got float"):
            function(1.0, 0.5)
