"""The curves of `limits` under a loss, under weights and under another prior: independent oracles and invariances."""

import numpy as np
import pytest

from jaxrd import closed_form, tosc
from jaxrd.distortion import streamed
from jaxrd.errors import InputError
from jaxrd.tosc import losses, posterior
from jaxrd.tosc.curves.sampled import sample_and_communicate

CURVES = ("oRD", "TMRD", "iE&C", "S&C", "TS", "merge")


def outputs(n=400, classes=4, seed=0, skill=2.0):
    g = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), g.integers(0, classes, n - classes)])
    return g.standard_normal((n, classes)) + skill * np.eye(classes)[labels], labels


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def blahut(p, d, slope, steps=20_000):
    """Plain alternating minimisation: distortion and rate at a slope, nats."""
    q = np.full(d.shape[1], 1 / d.shape[1])
    k = np.exp(-slope * (d - d.min(1, keepdims=True)))
    for _ in range(steps):
        new = q * (k * (p / (k @ q))[:, None]).sum(0)
        if np.abs(new - q).max() < 1e-15:
            break
        q = new
    w = k * q / (k @ q)[:, None]
    out = p @ w
    rate = (p[:, None] * w * np.log(np.where(w > 0, w / np.where(out > 0, out, 1), 1))).sum()
    return (p[:, None] * w * d).sum(), rate, w


ALL = [
    losses.of_matrix(np.random.default_rng(3).random((4, 4)) * 3),
    losses.of_matrix(np.random.default_rng(4).random((4, 6))),
    losses.top(2, 4),
    losses.abstain(0.35, 4),
    losses.superclass([0, 1, 0, 1]),
    losses.hierarchy([0, 0, 1, 1]),
]
IDS = ["square", "wide", "top2", "abstain", "superclass", "hierarchy"]


@pytest.mark.parametrize("loss", ALL, ids=IDS)
def test_every_curve_by_an_independent_solver(loss):
    z, y = outputs()
    v, p = softmax(z), np.full(400, 1 / 400)
    actions = (v @ loss.values).argmin(1)
    joint = np.zeros((4, loss.actions))
    np.add.at(joint, (y, actions), 1 / 400)
    d_tm, d_0 = (joint * loss.values).sum(), (joint.sum(1) @ loss.values).min()
    prior, estimate = joint.sum(1), joint.sum(0)
    used = estimate > 0
    slope = 3.0 / loss.span
    d_oracle, r_oracle, _ = blahut(prior, loss.values, slope)
    d_believed, r_believed, w = blahut(p, v @ loss.values, slope)
    d_indirect, r_indirect, _ = blahut(estimate[used], (joint[:, used] / estimate[used]).T @ loss.values, slope)
    measured = (w * loss.values[y]).sum() / 400
    targets = [d_oracle, d_believed, d_indirect, measured, d_tm + 0.4 * (d_0 - d_tm)]
    found = tosc.limits(z, y, at=[min(d, loss.values.max()) for d in targets], temperature=1, loss=loss)
    assert found.summary["loss"] == loss.name
    np.testing.assert_allclose(found.summary["task_model_distortion"], d_tm, atol=1e-12)
    np.testing.assert_allclose(found.summary["zero_rate_distortion"], d_0, atol=1e-12)

    def rate(row, name, expected, d):
        np.testing.assert_allclose(found.at[row][name], 0 if d >= d_0 else expected, atol=2e-8, err_msg=name)

    rate(0, "oRD", r_oracle, d_oracle)
    rate(1, "TMRD_model", r_believed, d_believed)
    rate(2, "iE&C", r_indirect, d_indirect)
    assert found.at[3]["TMRD"] <= r_believed + 1e-8
    spread = -(estimate[used] * np.log(estimate[used])).sum()
    if "TS" in found.curves:
        rate(4, "TS", 0.6 * spread, targets[4])
    assert ("E&C" in found.curves) == (loss.labels == loss.actions)
    assert ("E&C" in found.absent) == (loss.labels != loss.actions)


@pytest.mark.parametrize("loss", ALL, ids=IDS)
def test_sampled_labels_are_acted_upon(loss):
    z, y = outputs()
    found = tosc.limits(z, y, temperature=1, loss=loss).curves["S&C"]
    for i in (3, 8):
        t = found.parameters["inverse_temperature"][i]
        w = softmax(t * z)
        act = np.zeros((400, loss.actions))
        for label in range(4):
            act[:, loss.of_label[label]] += w[:, label]
        q = act.mean(0)
        inside = act > 0
        rate = (act * np.log(np.where(inside, act / np.where(q > 0, q, 1), 1))).sum() / 400
        np.testing.assert_allclose(found.rate[i], rate, atol=1e-12)
        np.testing.assert_allclose(found.distortion[i], (act * loss.values[y]).sum() / 400, atol=1e-12)
        believed = (act * (softmax(z) @ loss.values)).sum() / 400
        np.testing.assert_allclose(found.model_distortion[i], believed, atol=1e-12)
    last = loss.of_label[z.argmax(1)]
    np.testing.assert_allclose(found.distortion[-1], loss.values[y, last].mean(), atol=1e-12)


def test_compressed_decisions_under_a_loss_between_labels():
    z, y = outputs()
    loss = ALL[0]
    found = tosc.limits(z, y, temperature=1, loss=loss).curves["E&C"]
    actions = (softmax(z) @ loss.values).argmin(1)
    estimate = np.bincount(actions, minlength=4) / 400
    for i in (2, 9):
        d, rate, w = blahut(estimate, loss.values, found.slope[i])
        np.testing.assert_allclose(found.parameters["estimate_distortion"][i], d, atol=1e-7)
        np.testing.assert_allclose(found.rate[i], rate, atol=1e-7)
        np.testing.assert_allclose(found.distortion[i], (w[actions] * loss.values[y]).sum() / 400, atol=1e-6)


def test_merging_under_a_loss():
    z, y = outputs()
    loss = ALL[0]
    found = tosc.limits(z, y, temperature=1, loss=loss).curves["merge"]
    actions = (softmax(z) @ loss.values).argmin(1)
    counts = np.bincount(actions, minlength=4)
    order = np.argsort(counts, kind="stable")
    for k, d, rate in zip(found.parameters["merged_classes"], found.distortion, found.rate, strict=True):
        sent = np.where(np.isin(actions, order[:k]), order[-1], actions)
        np.testing.assert_allclose(d, loss.values[y, sent].mean(), atol=1e-12)
        share = np.bincount(sent) / 400
        np.testing.assert_allclose(rate, -(share[share > 0] * np.log(share[share > 0])).sum(), atol=1e-12)


def test_zero_one_as_a_matrix_is_the_default():
    z, y = outputs()
    whole, named = tosc.limits(z, y, at=[0.3]), tosc.limits(z, y, at=[0.3], loss=losses.zero_one(4))
    assert named.at == whole.at
    assert named.is_error


@pytest.mark.parametrize("loss", [None, ALL[1]], ids=["zero-one", "wide"])
def test_weights_are_repetitions(loss):
    z, y = outputs(120)
    times = np.random.default_rng(1).integers(1, 4, 120)
    weighed = tosc.limits(z, y, at=[0.3, 0.4], temperature=1, loss=loss, weights=times)
    repeated = tosc.limits(z.repeat(times, 0), y.repeat(times), at=[0.3, 0.4], temperature=1, loss=loss)
    plain = tosc.limits(z, y, at=[0.3, 0.4], temperature=1, loss=loss)
    for row, other, without in zip(weighed.at, repeated.at, plain.at, strict=True):
        for name, rate in row.items():
            if rate is not None:
                np.testing.assert_allclose(rate, other[name], atol=1e-8, err_msg=name)
                assert name == "distortion" or rate in (0, np.inf) or rate != without[name]
    for name, curve in weighed.curves.items():
        np.testing.assert_allclose(curve.distortion, repeated.curves[name].distortion, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("loss", [ALL[1], losses.top(2, 5)], ids=["wide", "top2"])
@pytest.mark.parametrize("kept", [True, False])
def test_blocks_under_a_loss(kept, loss, monkeypatch):
    z, y = outputs(1500, loss.labels)
    w = np.random.default_rng(2).random(1500)
    arguments = {"at": [0.2, 0.3], "tol": 1e-12, "temperature": 1.1, "loss": loss, "weights": w}
    whole = tosc.limits(z, y, **arguments)
    monkeypatch.setattr(posterior, "HELD", 1000)
    monkeypatch.setattr(posterior, "_NUMBERS", 3000)
    monkeypatch.setattr(streamed, "_NUMBERS", 4000)
    if not kept:
        monkeypatch.setattr(posterior, "_KEPT", 0)
    parts = tosc.limits(z, y, **arguments)
    assert not parts.workings.posterior.held
    for name in CURVES:
        np.testing.assert_allclose(parts.curves[name].distortion, whole.curves[name].distortion, atol=1e-9)
        np.testing.assert_allclose(parts.curves[name].rate, whole.curves[name].rate, atol=1e-9)
    for row, other in zip(whole.at, parts.at, strict=True):
        for name in row:
            if row[name] is not None:
                np.testing.assert_allclose(other[name], row[name], atol=1e-9)


class TestPrior:
    def test_labels_occur_as_often_as_in_the_prior(self):
        z, y = outputs(300)
        prior = [0.1, 0.2, 0.3, 0.4]
        found = tosc.limits(z, y, at=[0.3], temperature=1, prior=prior)
        np.testing.assert_allclose(found.workings.joint.sum(1), prior, atol=1e-14)
        assert found.summary["weighted"]
        np.testing.assert_allclose(found.at[0]["oRD"], closed_form.categorical.rate(np.array(prior), 0.3), atol=1e-12)
        np.testing.assert_allclose(found.summary["zero_rate_distortion"], 0.6, atol=1e-14)

    def test_each_class_keeps_its_own_confusions(self):
        z, y = outputs(300)
        plain = tosc.limits(z, y, temperature=1).workings.joint
        joint = tosc.limits(z, y, temperature=1, prior="uniform").workings.joint
        np.testing.assert_allclose(joint * 4, plain / plain.sum(1, keepdims=True), atol=1e-14)

    def test_one_half_fits_the_temperature(self):
        z, y = outputs(300)
        found = tosc.limits(z, y, at=[0.3], prior="uniform")
        np.testing.assert_allclose(found.workings.joint.sum(1), 0.25, atol=1e-14)

    def test_a_balanced_file_is_as_it_is(self):
        y = np.tile(np.arange(4), 60)
        z = np.random.default_rng(5).standard_normal((240, 4)) + 2 * np.eye(4)[y]
        plain, uniform = (tosc.limits(z, y, at=[0.3], temperature=1, prior=p) for p in (None, "uniform"))
        for name, rate in plain.at[0].items():
            np.testing.assert_allclose(uniform.at[0][name], rate, atol=1e-9)

    @pytest.mark.parametrize(
        ("prior", "message"),
        [([0.5, 0.5], "shape"), ([0.1, 0.2, 0.3, 0.3], "0.9"), ([-0.1, 0.4, 0.3, 0.4], ">= 0"), ("even", "shape")],
    )
    def test_refused(self, prior, message):
        with pytest.raises(InputError, match=message):
            tosc.limits(*outputs(), temperature=1, prior=prior)

    def test_a_class_without_a_sample(self):
        z, y = outputs()
        z = np.column_stack([z, z[:, 0] - 1])
        with pytest.raises(InputError, match=r"class 4 has prior 0\.2, but no sample"):
            tosc.limits(z, y, temperature=1, prior="uniform")


class TestRefused:
    def test_loss(self):
        z, y = outputs()
        with pytest.raises(InputError, match="3 labels"):
            tosc.limits(z, y, loss=losses.zero_one(3))
        with pytest.raises(InputError, match=r"jaxrd\.tosc\.losses"):
            tosc.limits(z, y, loss=np.eye(4))
        with pytest.raises(InputError, match="squared"):
            tosc.limits(z, y, loss="squared")
        with pytest.raises(InputError, match=r"\[0, 2\], the losses of hierarchy"):
            tosc.limits(z, y, loss=losses.hierarchy([0, 0, 1, 1]), at=[2.5])

    def test_weights(self):
        z, y = outputs()
        for weights, message in (([1, 2], "shape"), (np.zeros(400), "all zero"), (-np.ones(400), ">= 0")):
            with pytest.raises(InputError, match=message):
                tosc.limits(z, y, weights=weights)


def test_decisions_alone():
    _, y = outputs()
    decided = np.where(np.random.default_rng(6).random(400) < 0.3, (y + 1) % 4, y)
    loss = losses.superclass([0, 0, 1, 1])
    found = tosc.limits(decided, y, at=[0.1, 0.3], loss=loss)
    coarse = tosc.limits(loss.of_label[decided], loss.of_label[y], at=[0.1, 0.3])
    assert found.summary["task_model_distortion"] == pytest.approx(coarse.summary["task_model_distortion"], abs=1e-14)
    for row, other in zip(found.at, coarse.at, strict=True):
        for name in ("oRD", "TS", "merge"):
            np.testing.assert_allclose(row[name], other[name], atol=1e-8)
        assert row["iE&C"] <= other["iE&C"] + 1e-8  # the same rows, of which more is known: no coarser
    assert "TMRD" in found.absent


def test_classes_that_are_ruled_out_are_left_out_of_a_loss():
    z, y = outputs()
    loss = losses.of_matrix(np.random.default_rng(8).random((5, 3)))
    with_more = np.column_stack([z, np.full(400, -1e9)])
    without = losses.of_matrix(loss.values[:4])
    found = tosc.limits(with_more, y, at=[0.3], temperature=1, loss=loss)
    other = tosc.limits(z, y, at=[0.3], temperature=1, loss=without)
    for name, rate in other.at[0].items():
        if rate is not None:
            np.testing.assert_allclose(found.at[0][name], rate, atol=1e-9)


def test_weights_of_sampled_points_as_in_the_library():
    z, y = outputs(200)
    w = np.random.default_rng(9).random(200)
    curve = tosc.limits(z, y, temperature=1, weights=w).curves["S&C"]
    log_v = np.log(softmax(z))
    point = sample_and_communicate(log_v, y, curve.parameters["inverse_temperature"][5], w)
    np.testing.assert_allclose(curve.rate[5], point.rate, atol=1e-12)
    np.testing.assert_allclose(curve.distortion[5], point.distortion, atol=1e-12)
