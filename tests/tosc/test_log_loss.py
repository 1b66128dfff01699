"""The bottleneck of a classifier file against the certified one of `jaxrd.rdc`, its oracle, and its files."""

import csv
import json

import numpy as np
import pytest

from jaxrd import Status, tosc
from jaxrd.cli.app import run
from jaxrd.errors import InputError
from jaxrd.rdc.lifted.bottleneck import bottleneck_rate


def limits(classes=2, n=24, seed=0):
    g = np.random.default_rng(seed)
    v = g.dirichlet(np.full(classes, 0.5), n)
    labels = np.array([g.choice(classes, p=row) for row in v])
    return tosc.limits(v, labels, temperature=1.0, slopes=2)


def rows(found):
    return np.exp(found.workings.posterior.log_v)


@pytest.fixture(scope="module", params=[0, 1])
def two(request):
    known = limits(seed=request.param)
    return known, tosc.bottleneck(known, slopes=4, atoms=16, steps=3000)


@pytest.fixture(scope="module")
def three():
    known = limits(3, 12)
    return known, tosc.bottleneck(known, slopes=4, atoms=12, steps=3000)


class TestTwoClasses:
    def test_certified_by_another_solver(self, two):
        known, found = two
        for d, rate, gap in zip(found.curve.model_distortion, found.curve.rate, found.curve.gap, strict=True):
            point = bottleneck_rate(np.full(24, 1 / 24), rows(known), d)
            assert point.lower <= rate + 1e-9
            assert rate - gap <= point.rate + 1e-9
        assert (found.curve.gap < 1e-4).all()

    def test_status_says_what_is_certified(self, two):
        curve = two[1].curve
        assert curve.status[0] == Status.EXACT
        assert ((curve.status[1:] == Status.CONVERGED) == (curve.gap[1:] <= 1e-6)).all()

    def test_symmetric_channel(self):
        # R = ln 2 - h((h^-1(D) - f) / (1 - 2 f)): both rows alike.
        v = np.array([[0.9, 0.1], [0.1, 0.9]])
        found = tosc.bottleneck(tosc.limits(v, [0, 1], temperature=1.0, slopes=2), slopes=4, atoms=2, steps=3000)

        def h(p):
            return -p * np.log(p) - (1 - p) * np.log1p(-p)

        e = np.linspace(1e-9, 0.4999, 4001)  # the channel's error
        expected = np.interp(found.curve.model_distortion, h(e + 0.1 - 0.2 * e), np.log(2) - h(e))
        np.testing.assert_allclose(found.curve.rate, expected, atol=1e-4)


class TestMoreClasses:
    def test_achievable_and_near_the_certified_optimum(self, three):
        known, found = three
        assert (found.curve.status[1:] == Status.ACHIEVABLE).all()
        assert np.isnan(found.curve.gap[1:]).all()
        for d, rate in zip(found.curve.model_distortion[1:3], found.curve.rate[1:3], strict=True):
            point = bottleneck_rate(np.full(12, 1 / 12), rows(known), d)
            assert point.lower - 1e-9 <= rate <= point.rate + 1e-3

    def test_never_below_the_oracle(self, three):
        found = three[1]
        assert (found.curve.rate >= found.oracle - 1e-9).all()
        assert (found.curve.model_distortion >= found.least - 1e-12).all()

    def test_ends(self, three):
        known, found = three
        v, y = rows(known), known.workings.posterior.labels
        mean = v.mean(0)
        assert found.curve.model_distortion[0] == pytest.approx(-(mean * np.log(mean)).sum())
        assert found.curve.distortion[0] == pytest.approx(-np.log(mean)[y].mean())
        assert found.least_measured == pytest.approx(-np.log(v[np.arange(12), y]).mean())
        # The steepest point sends nearly the posterior itself.
        assert found.curve.distortion[-1] == pytest.approx(found.least_measured, abs=0.05)

    def test_fewer_soft_labels_limit_the_rate(self, three):
        few = tosc.bottleneck(three[0], slopes=4, atoms=2)
        assert few.curve.rate.max() <= np.log(2)
        assert three[1].curve.rate.max() > np.log(2)


def test_weights_count():
    # A weight of 2 is a sample twice, one of 0 no sample.
    v, y = rows(limits(3, 12)), limits(3, 12).workings.posterior.labels
    weights = np.array([2.0] * 4 + [1.0] * 7 + [0.0])
    twice = np.r_[:4, :11]
    one = tosc.bottleneck(tosc.limits(v, y, temperature=1.0, slopes=2, weights=weights), slopes=3, steps=2000)
    two = tosc.bottleneck(tosc.limits(v[twice], y[twice], temperature=1.0, slopes=2), slopes=3, steps=2000)
    np.testing.assert_allclose([one.label_entropy, one.least_measured], [two.label_entropy, two.least_measured])
    np.testing.assert_allclose(one.curve.distortion[0], two.curve.distortion[0])


def test_refused():
    decided = tosc.limits(np.array([0, 1, 1]), np.array([0, 1, 0]), slopes=2)
    with pytest.raises(InputError, match="needs scores"):
        tosc.bottleneck(decided)
    with pytest.raises(InputError, match="takes what limits returned; got dict"):
        tosc.bottleneck({})  # pyright: ignore
    with pytest.raises(InputError, match="atoms must be an integer >= 2; got 1"):
        tosc.bottleneck(limits(), atoms=1)


def test_command(tmp_path, capsys):
    known = limits(3, 40)
    np.savez(tmp_path / "x.npz", logits=known.workings.posterior.log_v, labels=known.workings.posterior.labels)
    options = ["--temperature", "1", "--slopes", "4", "--at", "0.5", "--out", str(tmp_path / "out")]
    assert run(["limits", str(tmp_path / "x.npz"), "--bottleneck", *options]) == 0
    assert "information bottleneck, achievable" in capsys.readouterr().out
    document = json.loads((tmp_path / "out" / "limits.json").read_text())
    found, held = tosc.bottleneck(known), document["bottleneck"]
    np.testing.assert_allclose(held["curve"]["rate_bits"], found.curve.rate / np.log(2), atol=1e-9)
    np.testing.assert_allclose(held["curve"]["log_loss_bits"], found.curve.distortion / np.log(2), atol=1e-9)
    assert held["curve"]["gap_bits"][1] is None
    assert (tmp_path / "out" / "bottleneck.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(csv.DictReader((tmp_path / "out" / "bottleneck.csv").open()))) == len(found.curve.rate)
    assert run(["limits", str(tmp_path / "x.npz"), "--no-plot", *options]) == 0
    assert "bottleneck" not in json.loads((tmp_path / "out" / "limits.json").read_text())
