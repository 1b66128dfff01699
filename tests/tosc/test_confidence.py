"""`statistics` on whole files of outputs and over replicas, and `jaxrd limits --confidence`."""

import csv
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxrd import sweep, tosc
from jaxrd.cli.app import run
from jaxrd.cli.confidence_report import confidence_figure, report
from jaxrd.documents import confidence as written
from jaxrd.errors import InputError
from jaxrd.tosc.calibration.reliability import estimated_kappa
from jaxrd.tosc.confidence import bands, held_out
from jaxrd.tosc.confidence.drawn import drawn_from
from jaxrd.tosc.confidence.statistics import PRIOR_SLOPES
from jaxrd.tosc.curves import ESTIMATED, EVERY, MODEL_AWARE, ORACLE
from jaxrd.tosc.curves.oracle import oracle_at

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# By its path: a package of that name measures which lines tests reach, and may be loaded.
spec = importlib.util.spec_from_file_location("coverage_of_intervals", BENCHMARKS / "coverage.py")
assert spec is not None
assert spec.loader is not None
coverage = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = coverage
spec.loader.exec_module(coverage)

SOFT = {"oRD", "E&C", "iE&C", "TS", "S&C", "TMRD", "TMRD_model"}


def arrays(n):
    """Of the shapes that tests/cli/test_cli.py uses, half of 300 samples: nothing is compiled twice."""
    g = np.random.default_rng(0)
    v = g.dirichlet(np.full(3, 0.5), n)
    return np.log(v + 1e-9), (g.random((n, 1)) > np.cumsum(v, 1)[:, :-1]).sum(1)


@pytest.fixture(scope="module")
def limits():
    return tosc.limits(tosc.from_scores(*arrays(150)), temperature=1.0, slopes=4, at=[0.4, 0.01, 0.9])


@pytest.fixture(scope="module")
def found(limits):
    return tosc.statistics(limits)


class TestStatistics:
    @pytest.mark.slow
    def test_bands_run_along_the_curves(self, limits, found):
        assert set(found.bands) == SOFT
        for name, band in found.bands.items():
            curve = limits.curves[name.removesuffix("_model")]
            assert len(band) == len(curve.rate)
            assert sum(point is not None for point in band) >= 3, name
            for point, rate in zip(band, curve.rate, strict=True):
                if point is not None:
                    assert point.rate == pytest.approx(rate, abs=1e-8), name
                    if np.isfinite(point.bootstrap.lower):
                        assert 0 <= point.bootstrap.lower <= point.bootstrap.upper
            assert any(p is not None and np.isfinite(p.clt.lower) for p in band) == (
                name in ("TMRD", "TMRD_model", "iE&C")
            )

    def test_at_the_distortions_asked_for(self, limits, found):
        assert {name for name, point in found.at[0].items() if point is not None} == SOFT
        for name, point in found.at[0].items():
            assert point.rate == pytest.approx(limits.at[0][name], abs=1e-8), name
            # oRD has a largest value, which its rate less its bias may exceed
            middle = point.rate if name == "oRD" else point.rate - point.bias
            assert point.bootstrap.lower < middle < point.bootstrap.upper
        assert {name for name, point in found.at[1].items() if point is not None} == {"oRD"}  # the others end above
        assert all(point is None for point in found.at[2].values())  # nothing is sent
        assert found.excess[1] == found.excess[2] == {}

    def test_tmrd_and_achievable_curves_are_resampled_together(self, found):
        for name, more in found.excess[0].items():
            theirs, ours = found.at[0][name], found.at[0]["TMRD"]
            assert more.rate == pytest.approx(theirs.rate - ours.rate)
            apart = np.hypot(*(np.subtract(*p.bootstrap) for p in (theirs, ours)))
            assert more.bootstrap.upper - more.bootstrap.lower < apart, name

    def test_rigorous_contain_the_plug_in_and_cross_fitted(self, limits, found):
        rows = tosc.limits(limits.workings.outputs, temperature=1.0, slopes=4, at=[0.35, 0.4, 0.5]).at
        for row in rows:
            d = row["distortion"]
            assert found.lower.rate(d) < row["TMRD_model"] < found.upper_model.at(d)
            assert found.oracle_lower.rate(d) < row["oRD"]
            assert row["TMRD"] < found.upper.at(d)
        assert set(found.cross_fitted) == {"iE&C", "TMRD"}
        assert found.cross_fitted_at[1] == {"iE&C": np.inf, "TMRD": np.inf}
        assert found.cross_fitted_at[0]["iE&C"] == pytest.approx(limits.at[0]["iE&C"], abs=0.2)

    def test_rigorous_bounds_take_half_the_risk_each(self, limits, found):
        """By the formulas, at a risk of .025 on either side."""
        log_v, labels = limits.workings.log_v, limits.workings.outputs.labels
        posteriors = np.exp(log_v)
        prior = np.bincount(labels) / 150
        for lines, curve in (
            (found.lower, sweep(tosc.model_aware_problem(posteriors), PRIOR_SLOPES)),
            (found.oracle_lower, oracle_at(prior, PRIOR_SLOPES)),
        ):
            dual = curve.rate + PRIOR_SLOPES * curve.distortion - curve.gap
            reach = np.sqrt(np.log(24 / 0.025) / (2 * 150))
            np.testing.assert_allclose(lines.intercept, dual - PRIOR_SLOPES * reach, atol=1e-8)
        first, second = held_out.halves(150, 0)
        held = held_out.model_aware_held_out(posteriors, labels, first, second, PRIOR_SLOPES)
        reach = np.sqrt(np.log(2 * 25 / 0.025) / (2 * 75))
        np.testing.assert_allclose(found.upper.distortion, held.distortion + reach)
        np.testing.assert_allclose(found.upper_model.distortion, held.model_distortion + reach)
        np.testing.assert_allclose(found.upper.rate, held.rate + held.slope * reach, atol=1e-8)

    def test_cross_fitting_measures_on_the_half_that_did_not_fit(self, limits, found):
        posteriors, labels = np.exp(limits.workings.log_v), limits.workings.outputs.labels
        halves = [half > 0 for half in held_out.halves(150, 0)]
        last, distortion, rate = PRIOR_SLOPES[-1], [], []
        for fit, test in (halves, halves[::-1]):
            weights = fit / fit.sum()
            q = np.asarray(sweep(tosc.model_aware_problem(posteriors, weights), PRIOR_SLOPES).reproduction)[-1]
            channel = q * np.exp(last * (posteriors[test] - posteriors[test].max(1, keepdims=True)))
            channel /= channel.sum(1, keepdims=True)
            distortion.append(1 - channel[np.arange(75), labels[test]].mean())
            with np.errstate(divide="ignore", invalid="ignore"):
                rate.append(np.where(channel > 0, channel * np.log(channel / q), 0).sum(1).mean())
        crossed = found.cross_fitted["TMRD"]
        assert crossed.distortion[-1] == pytest.approx(np.mean(distortion), abs=1e-9)
        assert crossed.rate[-1] == pytest.approx(np.mean(rate), abs=1e-7)
        drawn = drawn_from(limits)
        occur, y, yt = drawn.occur, drawn.labels, drawn.decisions
        first, second = held_out.halves(150, 0)
        both = [
            held_out.indirect_held_out(y, yt, len(occur), fit, test, PRIOR_SLOPES)
            for fit, test in ((first, second), (second, first))
        ]
        np.testing.assert_allclose(found.cross_fitted["iE&C"].distortion, (both[0][2] + both[1][2]) / 2, atol=1e-9)

    def test_the_central_limit_theorem_is_about_the_rate_less_its_bias(self, limits, found):
        for point in (found.at[0][name] for name in ("TMRD", "TMRD_model", "iE&C")):
            assert point.bias != 0
            assert sum(point.clt) / 2 == pytest.approx(point.rate - point.bias, abs=1e-12)

    def test_sandwich(self, limits, found):
        assert found.kappa == estimated_kappa(limits.workings.log_v, limits.workings.outputs.labels)
        given = tosc.statistics(limits, kappa=0.02)
        rows = tosc.limits(limits.workings.outputs, temperature=1.0, slopes=4, at=[0.42, 0.38]).at
        lower, upper, rigorous = given.sandwich[0]
        assert lower == pytest.approx(rows[0]["TMRD_model"], abs=1e-8)
        assert upper == pytest.approx(rows[1]["TMRD_model"], abs=1e-8)
        assert rigorous == pytest.approx(given.lower.rate(0.42))
        nothing = tosc.statistics(limits, kappa=0.0).sandwich[0]
        assert nothing.lower == nothing.upper == pytest.approx(limits.at[0]["TMRD_model"], abs=1e-8)

    def test_too_few_samples_for_the_classes(self, limits, monkeypatch):
        """No interval is given where coverage was not measured, and a sentence says so."""
        assert bands.withdrawn(limits) == {}
        with monkeypatch.context() as context:
            context.setattr(bands, "EVERY", [replace(c, most_classes=2 + (c is ORACLE)) for c in EVERY])
            assert set(bands.withdrawn(limits)) == SOFT - {"oRD"}
        few = replace(limits, workings=replace(limits.workings, outputs=limits.workings.outputs.take(np.arange(24))))
        assert set(bands.withdrawn(few)) == SOFT  # 8 samples a class
        fewer = [replace(c, least_samples=51) if c in (ORACLE, MODEL_AWARE) else c for c in EVERY]
        monkeypatch.setattr(bands, "EVERY", fewer)
        found = tosc.statistics(limits)
        assert set(found.withdrawn) == {"TMRD", "TMRD_model", "oRD"}
        assert set(found.bands) == set(found.at[0]) == SOFT - set(found.withdrawn)
        assert found.excess[0] == {}
        (words,) = written.withheld(found)
        assert words == "no interval of oRD, TMRD, TMRD_model: 3 classes for 150 samples: fewer than 51 samples each"
        row = written.objects(found, limits, seed=0, given=False)["confidence"]["at"][0]
        assert row["TMRD"] is None
        assert row["status"]["TMRD"] == "withdrawn"
        assert row["status"]["S&C"] == "interval"
        report(found, limits)

    def test_no_bound_above_the_logarithm_of_the_classes(self, found):
        """Regression: 9.131 bits were printed for 100 classes."""
        most = np.log(3)
        lines = (found.lower.rate, found.oracle_lower.rate, found.upper.at, found.upper_model.at)
        for line in lines:
            rates = np.array([line(d) for d in np.linspace(0, 1, 21)])
            assert (rates[np.isfinite(rates)] <= most).all()
        assert found.lower.rate(0.0) == most  # a distortion that the model cannot reach
        ends = [p.bootstrap.upper for band in found.bands.values() for p in band if p is not None]
        assert np.nanmax(ends) <= most

    def test_seed_and_confidence(self, limits, found):
        again, other = tosc.statistics(limits), tosc.statistics(limits, seed=1, confidence=0.5)
        assert repr(again.at) == repr(found.at)  # NaN and all
        assert other.at[0]["iE&C"].bias != found.at[0]["iE&C"].bias
        narrow, wide = (np.subtract(*s.at[0]["TMRD"].clt) for s in (other, found))
        assert narrow / wide == pytest.approx(0.6745 / 1.96, rel=1e-3)

    def test_hard_decisions(self):
        logits, labels = arrays(150)
        hard = tosc.limits(tosc.from_decisions(logits.argmax(1), labels), slopes=4, at=[0.4])
        found = tosc.statistics(hard)
        assert set(found.bands) == set(found.at[0]) == {"oRD", "E&C", "iE&C", "TS"}
        assert set(found.cross_fitted) == {"iE&C"}
        assert found.lower is found.upper is found.kappa is found.sandwich is None

    def test_classes_that_never_occur_are_left_out(self):
        outputs = tosc.from_decisions(np.array([0, 140, 70, 70]), np.array([0, 70, 70, 0]), classes=500)
        drawn = drawn_from(tosc.limits(outputs, slopes=4))
        assert drawn.occur.tolist() == [0, 70, 140]
        assert drawn.labels.tolist() == [0, 1, 1, 0]
        assert drawn.decisions.tolist() == [0, 2, 1, 1]

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"confidence": 1.0}, "must be a number in .0, 1.; got 1"),
            ({"kappa": -0.1}, "kappa must lie in .0, 1.; got -0.1"),
        ],
    )
    def test_bad_arguments(self, limits, kwargs, message):
        with pytest.raises(InputError, match=message):
            tosc.statistics(limits, **kwargs)

    def test_the_ends_of_kappa_are_allowed(self, limits):
        nothing, all_of_it = (tosc.statistics(limits, kappa=kappa).sandwich[0] for kappa in (0.0, 1.0))
        assert nothing.lower == nothing.upper == pytest.approx(limits.at[0]["TMRD_model"], abs=1e-8)
        assert (all_of_it.lower, all_of_it.upper) == (0, np.inf)

    def test_too_few_samples(self, limits):
        few = replace(limits, workings=replace(limits.workings, outputs=limits.workings.outputs.take(np.arange(3))))
        with pytest.raises(InputError, match="3 samples are too few"):
            tosc.statistics(few)

    def test_silence_has_no_band_though_its_rate_is_rounding(self, limits):
        curve = limits.curves["E&C"]
        rounded = replace(curve, rate=np.append(2e-16, curve.rate[1:]))
        drawn_by = bands._parameters(ESTIMATED, rounded, 1.0)
        np.testing.assert_array_equal(np.isnan(drawn_by), np.append(True, curve.rate[1:] == 0))


BIT = np.log(2)  # nats


def in_bits(prefix, interval):
    return {f"{prefix}_lower_bits": interval.lower / BIT, f"{prefix}_upper_bits": interval.upper / BIT}


def entropy_bits(counts):
    p = counts[counts > 0] / counts.sum()
    return -(p * np.log2(p)).sum()


class TestUnits:
    """Whatever is written as bits is what was found in nats over ln 2, entry by entry."""

    def test_at_the_distortions_asked_for(self, limits, found):
        rows = written.objects(found, limits, seed=0, given=False)["confidence"]["at"]
        # oRD of M letters, none rarer than D / (M - 1): H(p) - h(D) - D log2 (M - 1), h(.4) = .970951 bits
        prior = entropy_bits(np.bincount(limits.workings.outputs.labels))
        assert rows[0]["oRD"]["rate_bits"] == pytest.approx(prior - 0.9709505944546686 - 0.4, abs=1e-9)
        for name, point in found.at[0].items():
            expected = {"rate_bits": point.rate / BIT, "bias_bits": point.bias / BIT}
            expected |= in_bits("bootstrap", point.bootstrap)
            if name in ("TMRD", "TMRD_model", "iE&C"):
                expected |= in_bits("clt", point.clt)
            assert rows[0][name] == pytest.approx(expected, rel=1e-12), name
        for name, more in found.excess[0].items():
            expected = {"excess_bits": more.rate / BIT} | in_bits("bootstrap", more.bootstrap)
            assert rows[0]["above_TMRD"][name] == pytest.approx(expected, rel=1e-12), name
            apart = rows[0][name]["rate_bits"] - rows[0]["TMRD"]["rate_bits"]
            assert rows[0]["above_TMRD"][name]["excess_bits"] == pytest.approx(apart)

    def test_rigorous_and_sandwich(self, limits, found):
        confidence = written.objects(found, limits, seed=0, given=False)["confidence"]
        bounds = {
            "oRD_mcdiarmid_lower_bits": found.oracle_lower.rate,
            "TMRD_model_mcdiarmid_lower_bits": found.lower.rate,
            "TMRD_model_hoeffding_upper_bits": found.upper_model.at,
            "TMRD_hoeffding_upper_bits": found.upper.at,
        }
        for row, d, sandwich in zip(confidence["at"], (0.4, 0.01, 0.9), found.sandwich, strict=True):
            bits = {name: row["rigorous"][name] for name in bounds}
            assert bits == pytest.approx({name: bound(d) / BIT for name, bound in bounds.items()}, rel=1e-12)
            assert row["sandwich"] == pytest.approx(
                {
                    "lower_bits": sandwich.lower / BIT,
                    "upper_bits": sandwich.upper / BIT,
                    "mcdiarmid_lower_bits": sandwich.mcdiarmid_lower / BIT,
                },
                rel=1e-12,
            )
        grid = confidence["rigorous"]
        for name, bound in bounds.items():
            np.testing.assert_allclose(grid[name], [bound(float(d)) / BIT for d in grid["distortion"]], rtol=1e-12)

    def test_cross_fitted(self, limits, found):
        crossed = written.objects(found, limits, seed=0, given=False)["cross_fitted"]
        for name, curve in found.cross_fitted.items():
            np.testing.assert_allclose(crossed["curves"][name]["rate_bits"], curve.rate / BIT, rtol=1e-12)
            assert crossed["at"][0][name] == pytest.approx(found.cross_fitted_at[0][name] / BIT, rel=1e-12)

    def test_columns_of_the_bands(self, limits, found):
        for name, band in found.bands.items():
            columns = written.band_columns(found, name)
            for i, point in enumerate(band):
                expected = {} if point is None else {"bias_bits": point.bias / BIT}
                if point is not None and np.isfinite(point.bootstrap.lower):
                    expected |= in_bits("bootstrap", point.bootstrap)
                if point is not None and np.isfinite(point.clt.lower):
                    expected |= in_bits("clt", point.clt)
                told = {key: column[i] for key, column in columns.items() if key != "plugin_bias_bits"}
                told = {key: value for key, value in told.items() if np.isfinite(value)}
                expected = {key: value for key, value in expected.items() if np.isfinite(value)}
                assert told == pytest.approx(expected, rel=1e-12), (name, i)
        bias = written.band_columns(found, "S&C")["plugin_bias_bits"]
        warm = limits.curves["S&C"].parameters["inverse_temperature"]
        for t, bits in zip(warm[:-1], bias, strict=False):
            log_w = t * np.asarray(limits.workings.log_v)
            w = np.exp(log_w - log_w.max(1, keepdims=True))
            w /= w.sum(1, keepdims=True)
            q = w.mean(0)
            assert bits == pytest.approx(-((w - q) ** 2 / q).sum(1).mean() / (2 * 150) / BIT, abs=1e-9)

    def test_the_table(self, limits, found, capsys):
        report(found, limits)
        printed = capsys.readouterr().out
        for name in ("oRD", "TMRD", "S&C"):
            lower, upper = (end / BIT for end in found.at[0][name].bootstrap)
            assert f"{lower:.3f}..{upper:.3f}" in printed, name
        assert f">= {found.oracle_lower.rate(0.4) / BIT:.3f}" in printed


def rigorous(key):
    return "mcdiarmid" in key or "hoeffding" in key


LAGRANGIAN = "L, clt about the plug-in"
SOFT_ACHIEVABLE = {curve.name for curve in EVERY if curve.achievable} & SOFT
IEC = {"iE&C", "iE&C above TMRD"}


class TestCoverage:
    """On populations whose curves are known, by the path of benchmarks/coverage.py, and its committed result."""

    @pytest.mark.slow
    def test_forty_replicas(self, reference):
        """Binomial: of 40 at .95 more than 7 miss once in 1000; the rigorous ones never miss."""
        population = replace(coverage.populations()[0], samples=150)  # of the shape of the other tests
        np.testing.assert_allclose(population.v, reference["C"]["tmrd_8x3"]["V"], atol=1e-12)
        found = coverage.measure(population, 40, seed=1, slopes=4)
        fixed = {row["D"]: row["R_nats"] for row in reference["C"]["tmrd_8x3"]["fixed_D"]}
        assert found["truth_nats"]["TMRD"] == pytest.approx(fixed[0.45], abs=1e-9)
        offered = {key.split(", ")[0] for key in found["coverage"]}
        assert {key for key in offered if not key.endswith("above TMRD")} == SOFT | {"L"}
        assert {key for key in offered if key.endswith("above TMRD")}
        for key, value in found["coverage"].items():
            assert value["coverage"] >= (1 if rigorous(key) else 33 / 40), key

    @pytest.mark.parametrize("name", ["8x3", "mixture", "400x10", "400x10, few"])
    def test_committed(self, name):
        """2000 replicas: what is offered lies within 1.5 points of 95 %, but for oRD's, which may cover more; rigorous
        bounds always hold."""
        document = json.loads((BENCHMARKS / "results" / "coverage.json").read_text())
        found = document["populations"][name]
        assert document["confidence"] == 0.95
        assert found["replicas"] >= 2000
        held = {key: value["coverage"] for key, value in found["coverage"].items()}
        few = name == "400x10, few"  # less than 15 samples a cell: iE&C has no interval there
        clt = {key: rate for key, rate in held.items() if key.endswith(", clt") or (key == LAGRANGIAN and not few)}
        assert {key.split(", ")[0] for key in clt} == {"TMRD", "TMRD_model"} | (set() if few else {"iE&C", "L"})
        bootstrap = {key.removesuffix(", bootstrap"): rate for key, rate in held.items() if key.endswith(", bootstrap")}
        assert set(bootstrap) == (SOFT | {f"{n} above TMRD" for n in SOFT_ACHIEVABLE}) - (IEC if few else set())
        with_excess = {f"{curve.name} above TMRD" for curve in EVERY if curve.excess}
        offered = {n: rate for n, rate in bootstrap.items() if "above" not in n or n in with_excess}
        assert 0.935 <= offered.pop("oRD") <= 0.985
        assert all(abs(rate - 0.95) <= 0.015 for rate in (clt | offered).values()), clt | offered
        assert all(rate == 1 for key, rate in held.items() if rigorous(key))

    def test_committed_for_many_classes(self):
        """No interval that is given misses more often than noise explains; oRD's never lie above the maximum."""
        document = json.loads((BENCHMARKS / "results" / "coverage_classes.json").read_text())
        assert {row["classes"] for row in document["oRD"]} == {2, 10, 100, 1000}
        defined = {curve.name: curve for curve in EVERY}
        defined |= {"TMRD_model": defined["TMRD"]}
        given = [
            row
            for row in document["oRD"] + document["curves"]
            if (name := row.get("curve", "oRD")) != "iE&C"
            and row["samples"] >= defined[name].least_samples * row["classes"]
            and row["classes"] <= defined[name].most_classes
        ]
        assert {row["classes"] for row in given if "curve" in row} == {10}
        assert {row["classes"] for row in given if "curve" not in row} == {2, 10, 100}
        assert all(row["replicas"] >= 500 for row in given if "curve" not in row)
        for row in given:
            assert row["coverage"] >= 0.935 - 3 * max(row["noise"], np.sqrt(0.05 * 0.95 / row["replicas"])), row
            if row.get("prior") == "uniform":
                assert row["above"] == 0, row


class TestFigure:
    def test_each_bound_over_its_own_distortion(self, limits, found):
        """Regression: a bound on what the model believes was drawn over what labels measure, two lines one entry."""
        figure = confidence_figure(found, limits, lambda ax: ax.set_xlabel("labels"))
        measured, believed = figure.axes
        labels = [ax.get_legend_handles_labels()[1] for ax in (measured, believed)]
        assert believed.get_xlabel() == "distortion that the model believes"
        assert [label for label in labels[0] if "McDiarmid" in label] == ["any scheme, at least (95 %, McDiarmid)"]
        assert [label for label in labels[1] if "McDiarmid" in label] == ["at least (95 %, McDiarmid)"]
        assert all(sum("Hoeffding" in label for label in some) == 1 for some in labels)
        grid = np.linspace(0, 1, 201)
        for ax, name, bound in (
            (measured, "any scheme", found.oracle_lower.rate),
            (believed, "at least", found.lower.rate),
        ):
            (line,) = (line for line in ax.lines if str(line.get_label()).startswith(name))
            np.testing.assert_allclose(line.get_ydata(), [bound(d) / np.log(2) for d in grid])


@pytest.fixture
def file(tmp_path):
    logits, labels = arrays(300)
    np.savez(tmp_path / "outputs.npz", logits=logits, labels=labels)
    return tmp_path / "outputs.npz"


def load(folder):
    return json.loads((folder / "limits.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))


class TestCommand:
    def test_files(self, file, tmp_path, capsys):
        args = ["limits", str(file), "--at", "0.4", "--at", "0.01", "--slopes", "4"]
        assert run([*args, "--out", str(tmp_path / "plain"), "--no-plot"]) == 0
        assert (
            run([*args, "--out", str(tmp_path / "o"), "--confidence", ".95", "--kappa", ".05", "--pixels", "100"]) == 0
        )
        plain, document = load(tmp_path / "plain"), load(tmp_path / "o")
        # `curves` and `at` stay plug-in: the bands stand beside
        assert document["at"] == plain["at"]
        for name, curve in plain["curves"].items():
            assert {key: document["curves"][name][key] for key in curve} == curve
            assert len({len(values) for values in document["curves"][name].values()}) == 1
        assert {"confidence", "cross_fitted"} <= set(document)
        assert not {"confidence", "cross_fitted"} & set(plain)
        ends = {f"{method}_{end}_bits" for method in ("bootstrap", "clt") for end in ("lower", "upper")}
        assert ends | {"bias_bits"} <= set(document["curves"]["TMRD"])
        assert "plugin_bias_bits" in document["curves"]["S&C"]
        assert {name: word for name, word in plain["at"][1]["status"].items() if word != "beyond"} == {"oRD": "reached"}
        assert set(plain["at"][0]["status"].values()) == {"reached"}
        confidence = document["confidence"]
        assert confidence["at"][1]["status"]["TMRD"] == "beyond"
        assert confidence["at"][0]["status"]["merge"] == "none at this point"
        assert confidence["at"][1]["rigorous"]["status"]["TMRD_hoeffding_upper_bits"] == "beyond"
        assert confidence["level"] == 0.95
        assert {"of", "bootstrap", "clt", "mcdiarmid", "hoeffding", "cross_fitted", "sandwich"} == set(
            confidence["methods"]
        )
        row = confidence["at"][0]
        assert row["oRD"]["rate_bits"] == pytest.approx(document["at"][0]["oRD"], rel=1e-12)
        _, counts = np.unique(tosc.limits(*arrays(300), slopes=4).workings.outputs.decisions, return_counts=True)
        assert document["summary"]["estimate_entropy_bits"] == pytest.approx(entropy_bits(counts), rel=1e-12)
        curve = plain["curves"]["TS"]  # it ends where every decision is sent
        assert max(curve["rate_bits"]) == pytest.approx(entropy_bits(counts), rel=1e-12)
        assert ends <= set(row["TMRD"])
        assert row["TMRD"]["rate_bits"] == pytest.approx(document["at"][0]["TMRD"])
        assert row["rigorous"]["oRD_mcdiarmid_lower_bits"] < row["oRD"]["rate_bits"]
        assert row["rigorous"]["TMRD_model_mcdiarmid_lower_bits"] < row["TMRD_model"]["rate_bits"]
        assert set(row["above_TMRD"]) == {"iE&C"}
        assert confidence["at"][1]["TMRD"] is None
        assert confidence["kappa"] == {"value": 0.05, "source": "given"}
        rigorous = confidence["rigorous"]
        assert len(rigorous["distortion"]) == len(rigorous["TMRD_model_mcdiarmid_lower_bits"])
        assert rigorous["TMRD_hoeffding_upper_bits"][0] is None
        crossed = document["cross_fitted"]
        assert set(crossed["curves"]) == {"TMRD", "iE&C"}
        assert crossed["at"][1]["TMRD"] is None
        assert 0 < document["summary"]["brier"] < 1
        assert sum(b["samples"] for b in document["reliability"]) == 150
        rows = list(csv.DictReader((tmp_path / "o" / "limits.csv").open()))
        assert {"TMRD cross-fitted", "iE&C cross-fitted"} < {row["curve"] for row in rows}
        assert any(row["clt_lower_bits"] for row in rows if row["curve"] == "TMRD")
        assert "bootstrap_lower_bits" in json.loads((tmp_path / "o" / "tmrd.json").read_text())["results"]
        assert (tmp_path / "o" / "limits.png").read_bytes().startswith(b"\x89PNG")
        printed = capsys.readouterr().out.replace("\n", " ")
        assert "95 % intervals, bits per sample" in printed
        assert "the limit of any scheme that sees it alone" in printed

    def test_overconfidence_is_told(self, tmp_path):
        logits, labels = arrays(150)
        np.savez(tmp_path / "x.npz", logits=3 * logits, labels=labels)
        args = ["--temperature", "1", "--at", ".4", "--slopes", "4", "--no-plot", "--confidence", ".95"]
        assert run(["limits", str(tmp_path / "x.npz"), *args, "--out", str(tmp_path / "o")]) == 0
        told = [w for w in load(tmp_path / "o")["warnings"] if w.startswith("miscalibrated: the model believes itself")]
        assert len(told) == 1
        assert "better than its labels show" in told[0]

    def test_many_cells_are_told(self, tmp_path):
        for samples, expected in ((90, 0), (80, 2)):  # 9 cells
            logits, labels = arrays(samples)
            np.savez(tmp_path / "x.npz", predictions=logits.argmax(1), labels=labels)
            args = ["--at", ".4", "--slopes", "4", "--no-plot", "--confidence", ".95", "--out", str(tmp_path / "o")]
            assert run(["limits", str(tmp_path / "x.npz"), *args]) == 0
            told = [w for w in load(tmp_path / "o")["warnings"] if "confusion cells" in w or "cross-fitted, iE&C" in w]
            assert len(told) == expected, told

    def test_cross_fitting_is_told_where_cells_are_many(self, limits, found):
        assert written.optimism(found, limits) is None  # 9 cells, 150 samples
        many = replace(limits, summary=limits.summary | {"classes": 12})
        plugin, crossed = (row["iE&C"] / np.log(2) for row in (limits.at[0], found.cross_fitted_at[0]))
        end = f"{found.cross_fitted_at[2]['iE&C']:.3f} for 0.000 bits at D = 0.9"
        expected = f"cross-fitted, iE&C takes {crossed:.3f} for {plugin:.3f} bits at D = 0.4; {end}"
        assert written.optimism(found, many) == expected  # nothing is said of D = 0.01, which iE&C does not reach

    def test_hard_decisions(self, tmp_path):
        logits, labels = arrays(150)
        np.savez(tmp_path / "x.npz", predictions=logits.argmax(1), labels=labels)
        args = ["--at", ".4", "--slopes", "4", "--confidence", ".95", "--out", str(tmp_path / "o")]
        assert run(["limits", str(tmp_path / "x.npz"), *args]) == 0
        document = load(tmp_path / "o")
        assert set(document["confidence"]["rigorous"]) == {"distortion", "oRD_mcdiarmid_lower_bits"}
        assert document["confidence"]["kappa"] is None
        assert document["at"][0]["status"]["TMRD"] == document["confidence"]["at"][0]["status"]["S&C"] == "not computed"
        assert document["reliability"] == []
        assert set(document["cross_fitted"]["curves"]) == {"iE&C"}

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--confidence", "95"], "--confidence must lie in (0, 1); got 95. Write 0.95 for 95 %."),
            (["--confidence", "0"], "--confidence must lie in (0, 1); got 0."),
            (["--kappa", ".1"], "--kappa needs --confidence."),
            (["--confidence", ".95", "--kappa", "2"], "--kappa must lie in [0, 1]; got 2."),
        ],
    )
    def test_bad_options(self, args, message, tmp_path, capsys):
        assert run(["limits", *args, "--out", str(tmp_path / "out")]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1
        assert not (tmp_path / "out").exists()
