"""Models beside each other: differences, who leads where, and intervals of both resampled together."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxrd import Curve, tosc
from jaxrd.errors import InputError
from jaxrd.tosc.comparison import asked_together, common_targets, on_the_same_rows
from jaxrd.tosc.leads import leads_of
from jaxrd.tosc.rows import Rows
from jaxrd.tosc.split import halves

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def by_path(name, file):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def arrays(n=150, k=3, seed=0):
    g = np.random.default_rng(seed)
    v = g.dirichlet(np.full(k, 0.5), n)
    return np.log(v + 1e-9), (g.random((n, 1)) > np.cumsum(v, 1)[:, :-1]).sum(1)


def noisy(logits, seed=1):
    return 0.7 * logits + 1.0 * np.random.default_rng(seed).standard_normal(logits.shape)


ASKED = {"temperature": 1.0, "slopes": 4, "at": [0.5, 0.01, 0.9]}


@pytest.fixture(scope="module")
def models():
    logits, labels = arrays()
    again = tosc.limits(logits, labels, **ASKED)
    return {
        "A": tosc.limits(logits, labels, **ASKED),
        "copy": again,
        "noisy": tosc.limits(noisy(logits), labels, **ASKED),
        "hard": tosc.limits(logits.argmax(1), labels, slopes=4, at=ASKED["at"]),
    }


@pytest.fixture(scope="module")
def found(models):
    return tosc.compare(models, confidence=0.95)


def test_a_model_and_itself(found):
    for curve, less in found.differences[0].items():
        assert less["copy"] == 0, curve
    for curve in ("TMRD", "iE&C"):
        assert found.intervals.differences[0][curve]["copy"] == (0, 0)
        assert found.leads[curve][-1].equal == (("copy", "hard") if curve == "iE&C" else ("copy",))


def test_a_noisy_copy_needs_more(models, found):
    """Both are resampled together: the interval is narrower than that of two models apart."""
    for curve in ("TMRD", "iE&C"):
        less, inside = found.differences[0][curve]["noisy"], found.intervals.differences[0][curve]["noisy"]
        assert less == models["noisy"].at[0][curve] - models["A"].at[0][curve] > 0
        assert inside.lower < less < inside.upper
        apart = [end.upper - end.lower for end in (found.intervals.rates[0][curve][name] for name in ("A", "noisy"))]
        assert inside.upper - inside.lower < np.hypot(*apart)
        assert {lead.model for lead in found.leads[curve]} == {"A"}


def test_where_not_both_reach_and_where_nothing_is_sent(models, found):
    assert np.isnan(found.differences[1]["TMRD"]["noisy"])
    assert found.differences[2]["TMRD"]["noisy"] == 0
    assert found.intervals.differences[1] == found.intervals.differences[2] == {}
    assert set(found.differences[0]["TMRD"]) == {"copy", "noisy"}  # hard decisions have no TMRD
    assert set(found.differences[0]["iE&C"]) == {"copy", "noisy", "hard"}
    assert found.differences[0]["iE&C"]["hard"] == pytest.approx(0, abs=1e-8)
    assert set(found.intervals.differences[0]) == {"TMRD", "iE&C"}  # of the others coverage was not measured


def test_confidence_and_seed(models, found):
    pair = {name: models[name] for name in ("A", "noisy")}
    wide = found.intervals.differences[0]["TMRD"]["noisy"]
    narrow = tosc.compare(pair, confidence=0.5).intervals.differences[0]["TMRD"]["noisy"]
    assert wide.lower < narrow.lower < narrow.upper < wide.upper
    other = tosc.compare(pair, confidence=0.95, seed=1).intervals.differences[0]["TMRD"]["noisy"]
    assert other != wide
    assert tosc.compare(pair, confidence=0.95).intervals.differences[0]["TMRD"]["noisy"] == wide
    assert tosc.compare(pair).intervals is None


def test_intervals_are_withheld_where_those_of_one_model_are(models):
    few = models["noisy"].workings.outputs
    many = replace(few, labels=np.arange(150) % 50, decisions=np.arange(150) % 50, classes=50)
    thin = replace(models["noisy"], workings=replace(models["noisy"].workings, outputs=many))
    paired = replace(models["A"], workings=replace(models["A"].workings, outputs=replace(few, labels=many.labels)))
    found = tosc.compare({"A": paired, "thin": thin}, confidence=0.95)
    assert found.apart == {}
    assert {"TMRD", "iE&C"} <= set(found.intervals.withdrawn["thin"])
    assert found.intervals.differences[0] == {}
    assert "TMRD" not in found.intervals.rates[0]


class TestLabels:
    def other(self, models, labels):
        """The noisy model, as if these had been its labels."""
        found = models["noisy"]
        return replace(found, workings=replace(found.workings, outputs=replace(found.workings.outputs, labels=labels)))

    def test_that_disagree(self, models):
        labels = models["A"].workings.outputs.labels.copy()
        swapped = labels.copy()
        swapped[[0, 1]] = (labels[[0, 1]] + 1) % 3
        pair = {"A": models["A"], "B": self.other(models, swapped)}
        found = tosc.compare(pair, confidence=0.95)
        assert found.apart == {"B": "2 of 150 labels, or their order, differ from those of A"}
        assert found.intervals.differences[0] == {}
        assert "B" in found.intervals.rates[0]["TMRD"]
        assert found.differences[0]["TMRD"]["B"] > 0

    def test_of_other_samples(self, models):
        fewer = tosc.limits(models["A"].workings.outputs.take(np.arange(100)), **ASKED)
        assert tosc.compare({"A": models["A"], "B": fewer}).apart == {"B": "100 samples, where A has 150"}

    def test_weights_that_disagree(self, models):
        found = models["noisy"]
        weighed = found.workings.outputs.weighed(np.arange(150) + 1.0)
        other = replace(found, workings=replace(found.workings, outputs=weighed))
        words = "its samples have other weights than those of A"
        assert tosc.compare({"A": models["A"], "B": other}).apart == {"B": words}

    def test_that_are_numbered_otherwise(self, models):
        """One model may have a class that the other has left out: the labels beyond it have other numbers."""
        labels = models["A"].workings.outputs.labels
        assert tosc.compare({"A": models["A"], "B": self.other(models, labels + (labels > 0))}).apart == {}


def two_that_cross():
    """A knows two of four classes well and nothing of the others; B knows all of them fairly."""
    g = np.random.default_rng(3)
    labels = np.arange(4000) % 4
    a = np.where(labels < 2, labels, g.integers(2, 4, 4000))
    b = np.where(g.random(4000) < 0.72, labels, g.integers(0, 4, 4000))
    return {"A": (a, labels), "B": (b, labels)}


def test_a_crossing_is_solved_for():
    arrays = two_that_cross()
    found = tosc.compare({name: tosc.limits(*pair, slopes=8) for name, pair in arrays.items()})
    (low, high) = found.leads["iE&C"]
    assert (low.model, high.model) == ("B", "A")
    assert low.most == high.least
    rates = [tosc.limits(*pair, slopes=2, at=[low.most]).at[0]["iE&C"] for pair in arrays.values()]
    assert rates[0] == pytest.approx(rates[1], abs=1e-7)
    sides = [
        [tosc.limits(*pair, slopes=2, at=[low.most + e]).at[0]["iE&C"] for e in (-1e-3, 1e-3)]
        for pair in arrays.values()
    ]
    assert sides[0][0] > sides[1][0]
    assert sides[0][1] < sides[1][1]
    assert low.least == min(1 - float((a == y).mean()) for a, y in arrays.values()) or low.least < low.most
    assert high.most == pytest.approx(0.75)


def test_who_reaches_further_leads_there():
    labels = np.arange(1200) % 3
    g = np.random.default_rng(0)
    weak = np.where(g.random(1200) < 0.5, labels, g.integers(0, 3, 1200))
    strong = np.where(g.random(1200) < 0.9, labels, g.integers(0, 3, 1200))
    found = tosc.compare({"weak": tosc.limits(weak, labels, slopes=6), "strong": tosc.limits(strong, labels, slopes=6)})
    (lead,) = found.leads["iE&C"]
    assert lead.model == "strong"
    assert lead.least == pytest.approx(1 - (strong == labels).mean())
    assert lead.equal == ()


class TestTargets:
    def made(self, d_tm, d_0):
        return SimpleNamespace(loss=None, summary={"task_model_distortion": d_tm, "zero_rate_distortion": d_0})

    def test_all_reach_them(self):
        assert common_targets({"A": self.made(0.1, 0.9), "B": self.made(0.3, 0.8)}) == [0.33, 0.42, 0.6]

    def test_a_useless_model_does_not_count(self):
        useful = {"A": self.made(0.1, 0.9), "B": self.made(0.3, 0.9)}
        assert common_targets(useful | {"C": self.made(0.95, 0.9)}) == common_targets(useful)
        assert common_targets({"A": self.made(0.9, 0.871), "B": self.made(0.9, 0.9)}) == [0.88]

    def test_asked_afterwards_as_before(self):
        labels = np.arange(300) % 3
        decisions = np.where(np.arange(300) % 4, labels, 0)
        before = tosc.limits(decisions, labels, slopes=4, at=[0.3, 0.1])
        after = asked_together({"A": tosc.limits(decisions, labels, slopes=4)}, [0.3, 0.1])["A"]
        assert after.at == before.at
        assert after.warnings == before.warnings
        assert asked_together({"A": before, "B": before}, None)["A"].at[0]["distortion"] > 1 / 6


def test_decisions_keep_the_rows_of_the_scores():
    logits, labels = arrays(300)
    soft, hard = tosc.from_scores(logits, labels), tosc.from_decisions(logits.argmax(1), labels)
    kept = halves(soft, 5)[1]
    found = on_the_same_rows({"hard": hard, "soft": soft}, 5)
    assert found["soft"] is soft
    np.testing.assert_array_equal(found["hard"].labels, kept.labels)
    np.testing.assert_array_equal(found["hard"].decisions, kept.decisions)
    streamed = replace(soft, logits=Rows([logits]))  # those are kept in their order in the file
    found = on_the_same_rows({"hard": hard, "soft": streamed}, 5)
    np.testing.assert_array_equal(found["hard"].decisions, halves(streamed, 5)[1].decisions)
    elsewhere = tosc.from_scores(logits, (labels + np.arange(300)) % 3)
    assert on_the_same_rows({"hard": hard, "soft": elsewhere}, 5)["hard"] is hard
    assert on_the_same_rows({"hard": hard, "other": hard}, 5)["hard"] is hard


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"A": m["A"]}, "two models or more; got 1"),
        (lambda m: {"A": m["A"], "B": m["A"].curves}, "got dict for 'B'"),
        (
            lambda m: {"A": m["A"], "B": replace(m["A"], at=m["A"].at[:1])},
            "B was asked at [0.5], A at [0.5, 0.01, 0.9]",
        ),
    ],
)
def test_mistakes(models, change, message):
    with pytest.raises(InputError) as caught:
        tosc.compare(change(models))
    assert message in str(caught.value)


@pytest.mark.parametrize(("options", "message"), [({"confidence": 1.5}, "confidence"), ({"seed": -1}, "seed")])
def test_wrong_options(models, options, message):
    with pytest.raises(InputError, match=message):
        tosc.compare(models, **options)


def test_too_few_samples_for_an_interval():
    found = tosc.limits([0, 1, 1], [0, 1, 0], slopes=2)
    with pytest.raises(InputError, match=r"B: 3 samples are too few for an interval"):
        tosc.compare({"A": tosc.limits([0, 1, 1, 0], [0, 1, 0, 1], slopes=2), "B": found}, confidence=0.9)


def test_the_interval_holds_the_truth():
    """Of a population whose curves are known, at a level at which one draw decides; benchmarks/paired.py counts."""
    by_path("coverage", "coverage.py")
    benchmark = by_path("paired", "paired.py")
    pair = next(pair for pair in benchmark.pairs() if pair.name == "8x3, overconfident")
    exact = benchmark.truth(pair)
    found = benchmark.compared(pair, np.random.default_rng(0), 0.999).differences[0]
    for curve in ("TMRD", "iE&C"):
        assert found[curve]["B"].lower < exact[curve] < found[curve]["B"].upper
    beyond_noise = benchmark.compared(pair, np.random.default_rng(0), 0.95).differences[0]["TMRD"]["B"]
    assert 0 < beyond_noise.lower < exact["TMRD"]


class TestLeads:
    """On curves that are known: parabolas from a least distortion to 1, where the rate is zero."""

    def made(self, *ends, points=9):
        models = {}
        for k, (begins, top) in enumerate(ends):
            d = np.linspace(begins, 1, points + k)
            rate = lambda d, begins=begins, top=top: top * (1 - d) ** 2 / (1 - begins) ** 2  # noqa: E731
            none = np.zeros(len(d))
            asked = lambda d, f=rate, b=begins: SimpleNamespace(rate=f(d) if d >= b else np.inf)  # noqa: E731
            models["ABC"[k]] = SimpleNamespace(
                curves={"c": Curve(d, rate(d), none, none, none)},
                workings=SimpleNamespace(bounds={"c": SimpleNamespace(smallest=asked)}),
                summary={"zero_rate_distortion": 1.0},
            )
        return models

    def test_one_that_begins_lower_is_overtaken_where_the_other_begins(self):
        found = leads_of(self.made((0.1, 2.0), (0.3, 1.0)), "c")
        assert [(lead.model, lead.least, lead.most) for lead in found] == [("A", 0.1, 0.3), ("B", 0.3, 1.0)]

    def test_points_between_do_not_count_as_crossings(self):
        """The same curve with other points: nobody is overtaken."""
        (lead,) = leads_of(self.made((0.1, 2.0), (0.1, 2.0)), "c")
        assert (lead.model, lead.least, lead.most) == ("A", 0.1, 1.0)

    def test_one_that_reaches_less_is_no_equal(self):
        models = self.made((0.1, 2.0), (0.1, 2.0), points=8)
        models["B"].curves["c"] = models["A"].curves["c"]
        assert leads_of(models, "c")[0].equal == ("B",)
        shorter = models["A"].curves["c"]
        kept = [replace(shorter, **{name: getattr(shorter, name)[2:] for name in ("distortion", "rate")})]
        models["B"].curves["c"] = kept[0]
        assert leads_of(models, "c")[0].equal == ()

    def test_three(self):
        crossing = self.made((0.1, 2.0), (0.2, 1.2), (0.5, 3.0))
        found = leads_of(crossing, "c")
        assert [lead.model for lead in found] == ["A", "B"]
        assert found[0].most == 0.2
