"""`statistics` under a loss, under weights and under a known prior: against curves of the resampled samples."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import Problem, rate_at, solve, sweep, tosc
from jaxrd.cli import confidence_report
from jaxrd.cli.app import run
from jaxrd.documents import confidence as written
from jaxrd.errors import InputError
from jaxrd.tosc import losses, resampling
from jaxrd.tosc.confidence import bands, held_out
from jaxrd.tosc.confidence.drawn import drawn_from
from jaxrd.tosc.confidence.paired import paired
from jaxrd.tosc.confidence.statistics import PRIOR_SLOPES, REPLICATES
from jaxrd.tosc.curves import EVERY, oracle, sampled
from jaxrd.tosc.curves.sampled_passes import acted_upon
from jaxrd.tosc.weights import shares_under

N, K = 900, 3
LOSS = losses.of_matrix([[0, 1, 3], [2, 0, 1], [1, 0.5, 0]])
SET = losses.abstain(0.3, K)
PRIOR = np.array([0.2, 0.2, 0.6])
WEIGHTS = 1.0 + np.arange(N) % 3
CASES = {
    "loss": {"loss": LOSS},
    "abstain": {"loss": SET},
    "weights": {"weights": WEIGHTS},
    "prior": {"prior": PRIOR},
    "all": {"loss": LOSS, "weights": WEIGHTS, "prior": PRIOR},
}


@pytest.fixture(scope="module")
def scores():
    """The posteriors of unequal classes: oRD's maximum lies elsewhere."""
    g = np.random.default_rng(1)
    p = np.array([0.5, 0.3, 0.2])
    y = g.choice(K, N, p=p)
    return 2 * (2.0 * np.eye(K)[y] + g.standard_normal((N, K))) + np.log(p), y


def distortion(kwargs):
    return 0.35 if kwargs.get("loss") is LOSS else 0.2 if "loss" in kwargs else 0.25


@pytest.fixture(scope="module")
def every(scores):
    """Limits and statistics of each case."""
    made = {}
    for name, kwargs in CASES.items():
        limits = tosc.limits(*scores, at=[distortion(kwargs)], temperature=1, slopes=4, **kwargs)
        made[name] = limits, tosc.statistics(limits)
    return made


def weights_of(kwargs, counts, y):
    """Recomputed one by one: given weights times counts, then the prior's masses."""
    w = kwargs.get("weights", np.ones(N)) * counts
    return shares_under(kwargs["prior"], y, w / w.sum(), K) if "prior" in kwargs else w / w.sum()


def replicates(limits, name):
    """Of a curve at the one distortion asked for, and their number of samples; the whole `Resampled`."""
    axis = name.removesuffix("_model")
    curve = next(c for c in EVERY if c.name == axis)
    place = limits.workings.places[0][name]
    found = curve.respond(bands.resampling(limits, REPLICATES, 0), place.parameter, place.reproduction)
    return found[name]


@pytest.mark.parametrize("case", CASES)
def test_replicates_are_the_rates_of_resampled_samples(scores, every, case):
    """Refitted at the same distortion: a second order apart."""
    (z, y), kwargs = scores, CASES[case]
    limits, _ = every[case]
    names = ["TMRD", "TMRD_model", "iE&C", "S&C", "TS"]
    names += ["oRD"] if "loss" in kwargs and "prior" not in kwargs else []
    counts = N * resampling.resampled_weights(N, REPLICATES, 0)
    loss = {"loss": kwargs["loss"]} if "loss" in kwargs else {}
    exact = []
    for i in range(4):
        w = weights_of(kwargs, counts[i], y)
        again = tosc.limits(z, y, at=[distortion(kwargs)], temperature=1, slopes=4, weights=w, **loss)
        exact.append([again.at[0][name] for name in names])
    for name, rates in zip(names, np.transpose(exact), strict=True):
        found = replicates(limits, name)
        assert float(found.rate) == pytest.approx(limits.at[0][name], abs=2e-6), name
        off = np.asarray(found.replicates[:4]) - rates
        assert np.sqrt(np.mean(off**2)) < 0.15 * np.std(found.replicates), name
        if np.isfinite(found.deviation):
            np.testing.assert_allclose(found.deviation / np.sqrt(N), np.std(found.replicates), rtol=0.12, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_intervals_are_given_and_hold_the_rate(every, case):
    limits, found = every[case]
    kwargs = CASES[case]
    of_error = "loss" not in kwargs
    assert ("S&C" in found.withdrawn) != of_error
    for name in ("TMRD", "TMRD_model", "iE&C", "TS", *(["S&C"] if of_error else [])):
        at = found.at[0][name]
        assert at.bootstrap.lower < at.rate < at.bootstrap.upper
        assert at.rate == pytest.approx(limits.at[0][name], abs=2e-6)
        assert any(point is not None for point in found.bands[name])
    assert ("E&C" in found.withdrawn) == (kwargs.get("loss") is LOSS)
    assert "E&C" not in found.bands or "loss" not in kwargs
    assert any("measured for equal samples under 0/1 loss only" in note for note in found.notes)
    assert np.isfinite(found.excess[0]["iE&C"].bootstrap.lower)


class TestKnownPrior:
    def test_the_oracle_is_exact(self, every):
        for case in ("prior", "all"):
            _, found = every[case]
            assert found.withdrawn["oRD"] == "exact: the prior is known"
            assert "oRD" not in found.bands
            assert found.oracle_lower is None

    def test_resamplings_keep_its_masses(self, every):
        weighed = bands.resampling(every["all"][0], 20, 3)
        y = every["all"][0].workings.outputs.labels
        masses = np.stack([np.bincount(y, row) for row in np.asarray(weighed.weights)])
        np.testing.assert_allclose(masses, np.tile(PRIOR, (20, 1)), rtol=1e-12)

    def test_a_subset_keeps_it(self, scores):
        outputs = tosc.from_scores(*scores).with_prior(PRIOR)
        some = outputs.take(np.arange(100))
        np.testing.assert_allclose(np.bincount(some.labels, some.weights), PRIOR)
        two = outputs.take(np.flatnonzero(outputs.labels < 2))
        np.testing.assert_allclose(np.bincount(two.labels, two.weights), [0.5, 0.5])
        assert outputs.weighed(np.ones(N)).prior is None

    def test_a_half_keeps_it(self, scores):
        limits = tosc.limits(tosc.from_scores(*scores).with_prior(PRIOR), slopes=4)
        outputs = limits.workings.outputs
        np.testing.assert_allclose(np.bincount(outputs.labels, outputs.weights), PRIOR)
        np.testing.assert_allclose(outputs.prior, PRIOR)

    def test_of_a_balanced_file(self):
        """Weights change nothing, what is known does."""
        g = np.random.default_rng(0)
        y = np.repeat(np.arange(K), 200)
        z = 2.0 * np.eye(K)[y] + g.standard_normal((600, K))
        limits = tosc.limits(z, y, at=[0.2], temperature=1, slopes=4, prior="uniform")
        plain = tosc.limits(z, y, at=[0.2], temperature=1, slopes=4)
        assert limits.at[0]["oRD"] == pytest.approx(plain.at[0]["oRD"], abs=1e-12)
        known, own = replicates(limits, "TMRD"), replicates(plain, "TMRD")
        assert float(known.deviation) < float(own.deviation)
        assert "oRD" not in tosc.statistics(limits).bands


class TestRigorous:
    @pytest.mark.parametrize("case", ["loss", "prior"])
    def test_by_the_formulas(self, every, scores, case):
        (_, y), kwargs = scores, CASES[case]
        limits, found = every[case]
        span, w = (3.0, np.full(N, 1 / N)) if case == "loss" else (1.0, weights_of(kwargs, np.ones(N), y))
        cost = LOSS.values if case == "loss" else 1 - np.eye(K)
        v = np.exp(limits.workings.log_v)
        slopes = PRIOR_SLOPES / span
        solved = sweep(Problem(jnp.asarray(w), v @ cost), slopes)
        reach = span * np.sqrt(np.log(24 / 0.025) / 2 * (w**2).sum())
        dual = solved.rate + slopes * solved.distortion - solved.gap
        np.testing.assert_allclose(found.lower.intercept, dual - slopes * reach, atol=1e-8)
        halves = np.stack(held_out.halves(N, 0))
        first, second = halves if case == "loss" else [weights_of(kwargs, half, y) for half in halves]
        held = held_out.model_aware_held_out(jnp.asarray(v), y, first, second, slopes, loss=cost)
        reach = span * np.sqrt(np.log(2 * 25 / 0.025) / 2 * (second**2).sum())
        np.testing.assert_allclose(found.upper.distortion, held.distortion + reach, atol=1e-8)
        np.testing.assert_allclose(found.upper_model.distortion, held.model_distortion + reach, atol=1e-8)
        np.testing.assert_allclose(found.upper.rate, held.rate + held.slope * reach, atol=1e-7)

    def test_the_oracle_under_a_loss(self, every, scores):
        prior = np.bincount(scores[1]) / N
        slopes = PRIOR_SLOPES / 3
        solved = sweep(Problem(jnp.asarray(prior), LOSS.values), slopes)
        dual = solved.rate + slopes * solved.distortion - solved.gap
        reach = 3 * np.sqrt(np.log(24 / 0.025) / (2 * N))
        np.testing.assert_allclose(every["loss"][1].oracle_lower.intercept, dual - slopes * reach, atol=1e-8)

    @pytest.mark.parametrize("case", ["weights", "all"])
    def test_not_where_weights_may_depend_on_the_samples(self, every, case):
        _, found = every[case]
        assert found.lower is found.upper is found.upper_model is found.oracle_lower is None
        assert any("McDiarmid's" in note for note in found.notes)

    def test_kappa_is_not_estimated_but_may_be_given(self, every):
        limits, found = every["loss"]
        assert found.kappa is found.sandwich is None
        assert any("no sandwich" in note for note in found.notes)
        given = tosc.statistics(limits, kappa=0.1)
        assert given.sandwich[0].lower < limits.at[0]["TMRD_model"] < given.sandwich[0].upper
        with pytest.raises(InputError, match=r"kappa must lie in .0, 3.; got 3.5"):
            tosc.statistics(limits, kappa=3.5)

    def test_a_channel_errs_by_kappa_at_most(self):
        """E max_a |sum_y (eta_y - v_y) l(y, a)| bounds the mean loss of any channel, whatever the loss."""
        g = np.random.default_rng(0)
        v, eta, w = (g.dirichlet(np.ones(3), 50) for _ in range(3))
        off = (eta - v) @ LOSS.values
        assert abs((w * off).sum(1).mean()) <= np.abs(off).max(1).mean()


class TestHeldOut:
    def test_model_aware_against_loops(self, every, scores):
        v, y = np.exp(every["loss"][0].workings.log_v), scores[1]
        fit, test = (weights_of(CASES["prior"], half, y) for half in held_out.halves(N, 0))
        found = held_out.model_aware_held_out(jnp.asarray(v), y, fit, test, [2.0], loss=SET.values)
        q = np.asarray(sweep(Problem(fit, v @ SET.values), [2.0]).reproduction)[0]
        channel = q * np.exp(-2 * v @ SET.values)
        channel /= channel.sum(1, keepdims=True)
        rate = test @ np.where(channel > 0, channel * np.log(channel / q), 0).sum(1)
        wrong = test @ (channel * SET.values[y]).sum(1)
        np.testing.assert_allclose([found.rate[1], found.distortion[1]], [rate, wrong], atol=1e-8)
        np.testing.assert_allclose(found.samples, 1 / (test**2).sum())
        guess = (fit @ v @ SET.values).argmin()
        np.testing.assert_allclose(found.distortion[0], test @ SET.values[y, guess])

    def test_indirect_against_loops(self, every):
        limits = every["abstain"][0]
        drawn = drawn_from(limits)
        fit, test = drawn.shares(np.stack(held_out.halves(N, 0)))
        found = held_out.indirect_held_out(
            drawn.labels, drawn.decisions, drawn.size, fit, test, [3.0], loss=drawn.losses
        )
        seen, held = (np.zeros((len(drawn.occur), len(drawn.actions))) for _ in range(2))
        np.add.at(seen, (drawn.labels, drawn.decisions), fit)
        np.add.at(held, (drawn.labels, drawn.decisions), test)
        d = (seen / seen.sum(0)).T @ SET.values
        q = np.asarray(sweep(Problem(seen.sum(0), d), [3.0]).reproduction)[0]
        channel = q * np.exp(-3 * d)
        channel /= channel.sum(1, keepdims=True)
        np.testing.assert_allclose(found.distortion[1], (channel * (held.T @ SET.values)).sum(), atol=1e-8)

    def test_cross_fitted_curves_lie_near_the_plug_in(self, every):
        for case in CASES:
            limits, found = every[case]
            for name in ("TMRD", "iE&C"):
                np.testing.assert_allclose(found.cross_fitted_at[0][name], limits.at[0][name], rtol=0.25)


def test_the_oracle_is_its_solution_at_another_prior():
    """Second order: exact solutions at priors near by."""
    p = np.array([0.5, 0.3, 0.2])
    point = sweep(Problem(jnp.asarray(p), jnp.asarray(LOSS.values)), [2.0])
    labels = resampling.Weighing(jnp.asarray(p), jnp.asarray(p), jnp.zeros(3, int))
    off = []
    for size in (0.04, 0.02):
        moved = p + size * np.array([0.6, -1, 0.4])
        found = oracle.respond(
            jnp.asarray(p), jnp.asarray(moved)[None], labels, jnp.asarray(LOSS.values), 2.0, point.reproduction[0]
        )
        exact = rate_at(Problem(jnp.asarray(moved), jnp.asarray(LOSS.values)), float(point.distortion[0]), tol=1e-12)
        off.append(abs(float(found.replicates[0]) - float(exact.rate)))
    assert off[1] < off[0] / 5  # third order: an eighth


@pytest.mark.parametrize("case", ["loss", "all"])
def test_bias_of_the_sampled_rate(every, case):
    limits, found = every[case]
    t = limits.curves["S&C"].parameters["inverse_temperature"][5]
    channel = np.exp(t * limits.workings.log_v)
    channel = channel / channel.sum(1, keepdims=True) @ np.eye(K)[LOSS.of_label]
    w, y = drawn_from(limits).own, limits.workings.outputs.labels
    q = w @ channel
    centre = (
        q[None] if case == "loss" else np.stack([w[y == k] @ channel[y == k] / w[y == k].sum() for k in range(K)])[y]
    )
    expected = -0.5 * (w**2 @ ((channel - centre) ** 2 / q)).sum()
    np.testing.assert_allclose(found.sampled_bias[5], expected, rtol=1e-9)
    acted = acted_upon(LOSS, np.dtype(float))
    assert (
        float(sampled.plugin_bias(limits.workings.log_v, t, None, acted)) != pytest.approx(expected) or case == "loss"
    )


def test_equal_weights_are_none(scores, every):
    limits = tosc.limits(*scores, at=[0.25], temperature=1, slopes=4, weights=np.full(N, 2.0))
    assert drawn_from(limits).weights is None
    assert "oRD" not in bands.withdrawn(limits)


def test_what_is_written(every, capsys):
    limits, found = every["prior"]
    row = written.objects(found, limits, seed=0, given=False)["confidence"]["at"][0]
    assert row["oRD"] is None
    assert row["status"]["oRD"] == "exact"
    assert row["status"]["TMRD"] == "interval"
    assert "oRD_mcdiarmid_lower_bits" not in row["rigorous"]
    assert written.withheld(found)[0] == "oRD: exact: the prior is known"
    confidence_report.report(found, limits)
    shown = capsys.readouterr().out
    assert "exact" in shown
    assert "inversion" not in shown


def test_bounds_are_drawn_as_far_as_losses_go(every):
    limits, found = every["loss"]
    ax, beside = confidence_report.confidence_figure(found, limits, lambda ax: None).axes
    assert [line.get_xdata().max() for line in ax.lines] == [3, 3]
    assert beside.lines[0].get_xdata().max() == 3


def test_the_command(scores, tmp_path, capsys):
    z, y = scores
    np.savez(tmp_path / "o.npz", logits=z, labels=y)
    np.savetxt(tmp_path / "c.csv", LOSS.values, delimiter=",")
    options = ["--loss", str(tmp_path / "c.csv"), "--at", "0.35", "--temperature", "1", "--slopes", "4"]
    args = ["limits", str(tmp_path / "o.npz"), *options, "--confidence", "0.9", "--out", str(tmp_path)]
    assert run([*args, "--kappa", "1.5"]) == 0
    found = json.loads((tmp_path / "limits.json").read_text())["confidence"]
    assert found["kappa"]["value"] == 1.5
    assert set(found["withdrawn"]) == {"E&C", "S&C"}
    assert found["at"][0]["oRD"]["bootstrap_lower_bits"] < found["at"][0]["oRD"]["rate_bits"]
    assert run([*args, "--kappa", "3.5"]) == 2
    assert "kappa must lie in [0, 3]; got 3.5" in capsys.readouterr().err


def test_rates_above_the_logarithm_of_the_classes():
    """Two classes and three actions: up to ln 3, of one model and of several."""
    v = np.tile([[0.98, 0.02], [0.5, 0.5], [0.02, 0.98]], (200, 1))
    y = (np.arange(600) // 3 % 50 / 50 < v[:, 1]).astype(int)
    limits = tosc.limits(v, y, at=[0.12], temperature=1, slopes=4, loss=losses.abstain(0.3, 2))
    assert np.log(2) < limits.at[0]["TS"] < np.log(3)
    lower, upper = tosc.statistics(limits).at[0]["TS"].bootstrap
    assert np.log(2) < lower < limits.at[0]["TS"] < upper <= np.log(3)
    assert paired({"one": limits}, (), 0.05, 0).rates[0]["TS"]["one"] == (lower, upper)


def test_decisions_alone(scores):
    z, y = scores
    limits = tosc.limits(z.argmax(1), y, at=[0.35], slopes=4, loss=LOSS, prior=PRIOR)
    found = tosc.statistics(limits)
    assert found.at[0]["iE&C"].bootstrap.lower < limits.at[0]["iE&C"] < found.at[0]["iE&C"].bootstrap.upper
    assert found.sandwich is found.lower is None


def test_too_few_samples_by_their_weights(scores):
    few = np.where(np.arange(N) < 60, 1.0, 1e-9)
    found = bands.withdrawn(tosc.limits(*scores, temperature=1, slopes=4, weights=few))
    assert found["TMRD"] == "3 classes for 60 samples by their weights: fewer than 50 samples each"


class TestLabelDistortion:
    def test_under_a_loss(self, scores, every):
        limits, y = every["abstain"][0], scores[1]
        v = np.exp(limits.workings.log_v)
        problem = Problem(np.full(N, 1 / N), v @ SET.values)
        point = solve(problem, 4.0)
        channel = np.asarray(point.reproduction) * np.exp(-4 * v @ SET.values)
        channel /= channel.sum(1, keepdims=True)
        found = tosc.label_distortion(problem, point, y, SET.values)
        np.testing.assert_allclose(found, (channel * SET.values[y]).sum() / N, atol=1e-8)

    def test_without_it_nothing_stays_0_1(self, scores, every):
        v, y = np.exp(every["loss"][0].workings.log_v), scores[1]
        problem = Problem(np.full(N, 1 / N), v @ LOSS.values)
        with pytest.raises(InputError, match=r"no 1 - v: row \d+ of 1 - d sums to .*, not 1. Pass loss="):
            tosc.label_distortion(problem, solve(problem, 4.0), y)

    def test_a_loss_of_other_actions(self, scores, every):
        v, y = np.exp(every["loss"][0].workings.log_v), scores[1]
        problem = tosc.model_aware_problem(v)
        with pytest.raises(InputError, match=r"loss must have shape \(classes, 3\).*got \(3, 4\)"):
            tosc.label_distortion(problem, solve(problem, 4.0), y, SET.values)
