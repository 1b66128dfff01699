"""Several tasks on one stream: against dense problems, against an oracle in numpy, and the laws of theory."""

from itertools import product as pairs

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from jaxrd import Status, rate_at
from jaxrd.errors import InputError
from jaxrd.information import NATS_PER_BIT
from jaxrd.io import read_outputs
from jaxrd.rdc.fixed import linear
from jaxrd.testing import generators
from jaxrd.tosc import from_decisions, from_scores, joint_limits, losses
from jaxrd.tosc.tasks.joint import between
from jaxrd.tosc.tasks.optimum import Start, least_rate
from jaxrd.tosc.tasks.point import _cold, _limited, point_at, task_of
from jaxrd.tosc.tasks.product import Product, channel, every_mean, every_sum, sums

SAMPLES = 12  # and up to four actions: one compiled program serves all tests


def some_loss(g, labels):
    kind = g.integers(4)
    if kind == 0:
        return losses.zero_one(labels)
    if kind == 1:
        return losses.of_matrix(10 * g.random((labels, int(g.integers(2, 5)))))
    if kind == 2:
        return losses.of_matrix(g.integers(0, 3, (labels, 4)))  # ties
    return losses.abstain(0.3, 3) if labels == 3 else losses.zero_one(labels)


def some_tasks(g, count):
    """Tasks of one source: some with the posterior of the task before."""
    p, made, v = g.dirichlet(np.ones(SAMPLES)), [], None
    for _ in range(count):
        if v is None or g.random() < 0.6:
            labels = int(g.integers(2, 5))
            v = g.dirichlet(np.full(labels, g.choice([0.05, 0.3, 1.0])), SAMPLES)
        labels = v.shape[1]
        made.append(task_of(some_loss(g, labels), v, g.integers(0, labels, SAMPLES), p))
    return p, made


def dense(tasks):
    """The distortion of each task over all letters, shape (tasks, samples, letters)."""
    shape = [task.excess.shape[1] for task in tasks]
    tables = []
    for t, task in enumerate(tasks):
        own = [1] * len(tasks)
        own[t] = shape[t]
        d = np.asarray(task.problem.distortion).reshape(SAMPLES, *own)
        tables.append(np.broadcast_to(d, (SAMPLES, *shape)).reshape(SAMPLES, -1))
    return np.stack(tables)


def alone_at(tasks, limits):
    return [rate_at(task.problem, min(d, task.silent)) for task, d in zip(tasks, limits, strict=True)]


@given(generators(), st.integers(1, 3))
@settings(max_examples=40)
def test_is_the_rate_of_the_dense_problem(g, count):
    """Against another solver, on the product alphabet held whole; and max R_t <= R <= sum R_t."""
    p, tasks = some_tasks(g, count)
    shares = np.where(g.random(count) < 0.2, g.choice([0.0, 1.0, 1.2], count), g.random(count) ** 2)
    limits = np.array([t.least + share * (t.silent - t.least) for t, share in zip(tasks, shares, strict=True)])
    alone = alone_at(tasks, limits)
    point = point_at(p, tasks, limits, alone, 1e-9, None)
    assert point.status == Status.CONVERGED
    assert point.rate == pytest.approx(linear(p, dense(tasks), limits).rate, abs=3e-8)
    rates = [float(a.rate) for a in alone]
    assert max(rates) - 1e-8 <= point.rate <= sum(rates) + 1e-8


@given(generators(), st.integers(2, 3))
@settings(max_examples=25)
def test_the_certificate_recomputed(g, count):
    """In numpy, over all letters: the bound at the slopes returned, and rate and distortions of the channel."""
    p, tasks = some_tasks(g, count)
    limits = np.array([t.least + share * (t.silent - t.least) for t, share in zip(tasks, g.random(count), strict=True)])
    point = point_at(p, tasks, limits, alone_at(tasks, limits), 1e-9, None)
    if point.known is None:
        return  # all free
    kept, _, best = point.known
    tables = dense([tasks[t] for t in kept])
    exponent = np.tensordot(point.slopes[list(kept)], tables, 1)
    kernel = np.exp(exponent.min(1, keepdims=True) - exponent)
    q = np.zeros(kernel.shape[1])
    q[best.letters] = best.weights
    z = kernel @ q
    level = (p / z) @ kernel
    bound = p @ (exponent.min(1) - np.log(z)) - np.log(level.max()) - point.slopes[list(kept)] @ limits[list(kept)]
    assert point.lower <= max(bound, 0, *(float(a.rate) for a in alone_at(tasks, limits))) + 1e-12
    sent = kernel * q / z[:, None]
    decided = np.eye(kernel.shape[1])[
        np.ravel_multi_index([tasks[t].excess.argmin(1) for t in kept], [tasks[t].excess.shape[1] for t in kept])
    ]
    sent = (1 - best.deciding) * sent + best.deciding * decided
    law = p @ sent
    inside = sent > 0
    information = (
        p[:, None] * np.where(inside, sent * np.log(np.where(inside, sent, 1) / np.where(law > 0, law, 1)), 0)
    ).sum()
    assert information <= point.rate + 1e-12
    assert ((p[:, None] * sent * tables).sum((1, 2)) <= limits[list(kept)] + 1e-12).all()


def test_against_an_oracle_in_numpy():
    """The dual maximised by simplex search, each value by Blahut-Arimoto."""
    g = np.random.default_rng(5)
    p, tasks = some_tasks(g, 2)
    tables = dense(tasks)
    limits = np.array([t.least + 0.3 * (t.silent - t.least) for t in tasks])

    def negative(log_slopes):
        slopes = np.exp(log_slopes)
        kernel, q = np.exp(-np.tensordot(slopes, tables, 1)), np.full(tables.shape[2], 1 / tables.shape[2])
        for _ in range(4000):
            q = q * ((p / (kernel @ q)) @ kernel)
        return p @ np.log(kernel @ q) + slopes @ limits

    found = minimize(negative, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    point = point_at(p, tasks, limits, alone_at(tasks, limits), 1e-9, None)
    assert point.rate == pytest.approx(-found.fun, abs=1e-6)
    assert np.log(point.slopes) == pytest.approx(found.x, abs=1e-3)


def product_source(seed, shape=(3, 4)):
    """Two independent tasks: the posterior of every pair of samples."""
    g = np.random.default_rng(seed)
    one, other = g.dirichlet(np.ones(3), shape[0]), g.dirichlet(np.ones(2), shape[1])
    rows = list(pairs(range(shape[0]), range(shape[1])))
    p = np.outer(g.dirichlet(np.ones(shape[0])), g.dirichlet(np.ones(shape[1]))).reshape(-1)
    v, w = one[[i for i, _ in rows]], other[[j for _, j in rows]]
    y = np.zeros(len(rows), int)
    return p, [task_of(losses.zero_one(3), v, y, p), task_of(losses.zero_one(2), w, y, p)]


@pytest.mark.parametrize("seed", range(3))
def test_independent_tasks_cost_the_sum(seed):
    p, tasks = product_source(seed)
    limits = np.array([t.least + 0.4 * (t.silent - t.least) for t in tasks])
    alone = alone_at(tasks, limits)
    point = point_at(p, tasks, limits, alone, 1e-11, None)
    assert point.rate == pytest.approx(sum(float(a.rate) for a in alone), abs=2e-9)
    assert point.slopes == pytest.approx([float(a.slope) for a in alone], rel=1e-4)


def test_identical_tasks_cost_one_of_them():
    p, (task, *_) = some_tasks(np.random.default_rng(2), 1)
    d = task.least + 0.3 * (task.silent - task.least)
    alone = alone_at([task, task, task], [d] * 3)
    for limits in ([d, d], [d, 1.4 * d], [d, d, d]):
        point = point_at(p, [task] * len(limits), np.array(limits), alone_at([task] * len(limits), limits), 1e-10, None)
        assert point.rate == pytest.approx(float(alone[0].rate), abs=2e-9)


def scores(seed=0, samples=60, classes=3):
    """Logits that are overconfident: at temperature 1.5 they are calibrated."""
    g = np.random.default_rng(seed)
    logits = 3 * g.normal(size=(samples, classes))
    return from_scores(logits, (logits / 1.5 + g.gumbel(size=logits.shape)).argmax(1))


THREE = scores()
PAIR = [(THREE, losses.zero_one(3)), (THREE, losses.superclass([0, 0, 1]))]
AT = (0.3, 0.15)  # both limits bind


def test_one_task_is_rate_at():
    found = joint_limits(PAIR[:1], at=[(0.25,), (0.4,)], temperature=1.0)
    assert found.rate == pytest.approx(found.alone[:, 0], abs=2e-9)
    assert (found.rate - found.gap <= found.alone[:, 0] + 1e-12).all()
    assert found.saving == pytest.approx([0, 0], abs=2e-9)


def test_the_ends_of_the_surface():
    found = joint_limits(PAIR, at=[AT], temperature=1.0)
    (a, b), (u, v) = found.least, found.silent
    rows = [(a - 1e-3, v), (u, v), (AT[0], np.inf), (np.inf, AT[1]), (a, b), (a, v), (AT[0], v)]
    ends = joint_limits(PAIR, at=rows, temperature=1.0)
    assert [Status(s).name for s in ends.status] == ["INFEASIBLE", *["CONVERGED"] * 6]
    assert ends.rate[0] == ends.lower[0] == np.inf
    assert np.isnan(ends.saving[0])
    assert np.isnan(ends.measured[0]).all()
    assert ends.rate[1] == ends.gap[1] == 0
    for row, task in ((2, 0), (3, 1), (6, 0)):
        assert ends.rate[row] == pytest.approx(ends.alone[row, task], abs=2e-9)
        assert ends.alone[row, 1 - task] == 0
        assert ends.slope[row, 1 - task] == 0
    # No ties: every sample is sent its pair of decisions.
    v = np.exp(THREE.logits - THREE.logits.max(1, keepdims=True))
    v /= v.sum(1, keepdims=True)
    letters = 2 * v.argmax(1) + (v[:, 2] > 0.5)
    share = np.bincount(letters)[np.bincount(letters) > 0] / len(letters)
    assert ends.rate[4] == pytest.approx(-(share * np.log(share)).sum(), abs=2e-9)
    assert (ends.slope[4] == np.inf).all()
    assert ends.rate[5] == pytest.approx(ends.alone[5, 0], abs=2e-9)


def test_convex_nonincreasing_and_slopes_are_derivatives():
    h = 1e-4
    steps = [(0, 0), (h, 0), (-h, 0), (0, h), (0, -h), (h, h), (-h, -h)]
    found = joint_limits(PAIR, at=np.array(AT) + steps, temperature=1.0, tol=1e-11)
    mid, right, left, up, down, both, none = found.rate
    assert right <= mid <= left
    assert up <= mid <= down
    assert mid <= (both + none) / 2 + 1e-11
    assert (left - right) / (2 * h) == pytest.approx(found.slope[0, 0], rel=1e-4)
    assert (down - up) / (2 * h) == pytest.approx(found.slope[0, 1], rel=1e-4)


def test_the_order_of_tasks_does_not_matter():
    one = joint_limits(PAIR, at=[AT], temperature=1.0)
    other = joint_limits(PAIR[::-1], at=[AT[::-1]], temperature=1.0)
    assert one.rate == pytest.approx(other.rate, abs=2e-9)
    assert one.measured[0] == pytest.approx(other.measured[0, ::-1], abs=1e-5)


def test_weights():
    """Twice the weight is the sample twice; weight zero is no sample; None is equal weights."""
    g = np.random.default_rng(1)
    weights = g.integers(0, 3, 60)
    rows = np.repeat(np.arange(60), weights)
    by_weight = joint_limits(PAIR, at=[AT], temperature=1.0, weights=weights)
    by_rows = joint_limits([(o.take(rows), loss) for o, loss in PAIR], at=[AT], temperature=1.0)
    assert by_weight.rate == pytest.approx(by_rows.rate, abs=4e-9)
    assert by_weight.measured == pytest.approx(by_rows.measured, abs=1e-5)
    assert by_weight.samples == (weights > 0).sum()
    one = joint_limits([(THREE.weighed(weights), PAIR[0][1]), PAIR[1]], at=[AT], temperature=1.0)
    assert one.rate == by_weight.rate
    equal = joint_limits(PAIR, at=[AT], temperature=1.0, weights=np.ones(60))
    assert equal.rate == pytest.approx(joint_limits(PAIR, at=[AT], temperature=1.0).rate, abs=1e-12)
    assert by_rows.rate[0] != pytest.approx(joint_limits(PAIR, at=[AT], temperature=1.0).rate[0], abs=1e-4)


def test_temperatures():
    at = [(0.45, 0.25)]
    cold, warm = (joint_limits(PAIR, at=at, temperature=t) for t in (1.0, 2.0))
    assert warm.rate[0] > cold.rate[0] + 1e-3
    mixed = joint_limits(PAIR, at=at, temperature=[1.0, 2.0])
    assert mixed.alone[0] == pytest.approx([cold.alone[0, 0], warm.alone[0, 1]])
    fitted, again, other = (joint_limits(PAIR, at=at, seed=s) for s in (0, 0, 1))
    assert fitted.samples == 30
    assert fitted.rate == again.rate
    assert fitted.rate != other.rate
    assert fitted.temperature[0] == fitted.temperature[1] not in (1.0, other.temperature[0])
    half = joint_limits(PAIR, at=at, temperature=[None, 1.0])
    assert half.samples == 30
    assert half.temperature == pytest.approx([fitted.temperature[0], 1.0])


def test_measured_on_the_labels():
    """In numpy, where every sample is decided, and where one action serves all."""
    found = joint_limits(PAIR, at=[AT], temperature=1.0)
    ends = joint_limits(PAIR, at=[found.least, found.silent], temperature=1.0)
    wrong = (THREE.decisions != THREE.labels).mean()
    v = np.exp(THREE.logits) / np.exp(THREE.logits).sum(1, keepdims=True)
    coarse = ((v[:, 2] > 0.5) != (THREE.labels == 2)).mean()
    assert ends.measured[0] == pytest.approx([wrong, coarse], abs=1e-9)
    assert ends.measured[1] == pytest.approx([(THREE.labels != v.mean(0).argmax()).mean(), (THREE.labels == 2).mean()])


def test_default_limits():
    found = joint_limits(PAIR, temperature=1.0)
    assert found.distortion.shape == (9, 2)
    assert (found.distortion >= found.least).all()
    assert (found.distortion <= found.silent).all()
    assert joint_limits([*PAIR, PAIR[0]], temperature=1.0).distortion.shape == (3, 3)
    exact = between(found.least, found.silent, np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert exact.tolist() == [[found.least[0], found.silent[1]], [found.silent[0], found.least[1]]]


def test_tolerance_and_progress():
    ticks = []
    loose = joint_limits(PAIR, at=[AT], temperature=1.0, tol=1e-2, progress=lambda *t: ticks.append(t))
    tight = joint_limits(PAIR, at=[AT], temperature=1.0, tol=1e-11)
    assert ticks == [("rates", 1, 1)]
    assert tight.gap[0] <= 1e-11 < loose.gap[0] <= 1e-2
    assert (tight.status == Status.CONVERGED).all()
    assert loose.lower[0] <= tight.rate[0] <= loose.rate[0] + 1e-12


def many(samples=300, actions=30):
    """More letters than the first set holds."""
    g = np.random.default_rng(3)
    p, y = np.full(samples, 1 / samples), np.zeros(samples, int)
    v = [g.dirichlet(np.full(actions, 0.1), samples) for _ in range(2)]
    return p, [task_of(losses.zero_one(actions), each, y, p) for each in v]


def test_letters_join_until_all_are_certified():
    p, tasks = many()
    limits = np.array([t.least + 0.4 * (t.silent - t.least) for t in tasks])
    alone = alone_at(tasks, limits)
    point = point_at(p, tasks, limits, alone, 1e-9, None)
    assert point.status == Status.CONVERGED
    limited = _limited(p, tasks, limits - [t.least for t in tasks], 0)
    few = _cold(limited, tasks, alone)
    few = Start(few.slopes, few.letters[:40], few.weights[:40])
    again = least_rate(limited, few, 1e-9)
    assert len(again.letters) > 40
    assert again.rate == pytest.approx(point.rate, abs=3e-9)
    near = point_at(p, tasks, limits + 0.01, alone_at(tasks, limits + 0.01), 1e-9, point)
    cold = point_at(p, tasks, limits + 0.01, alone_at(tasks, limits + 0.01), 1e-9, None)
    assert near.rate == pytest.approx(cold.rate, abs=3e-9)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (4, 2, 3)])
def test_sums_over_the_product_are_those_of_the_matrix(shape):
    g = np.random.default_rng(4)
    samples = 700  # several blocks
    excess = tuple(g.random((samples, a)) for a in shape)
    tasks = Product(g.dirichlet(np.ones(samples)), excess)
    slopes, q = 5 * g.random(len(shape)), g.dirichlet(np.ones(tasks.letters))
    actions = np.stack(np.unravel_index(np.arange(tasks.letters), shape))
    parts = np.stack([e[:, a] for e, a in zip(excess, actions, strict=True)])
    kernel = np.exp(-np.tensordot(slopes, parts, 1))
    weights = g.random(samples)
    assert every_sum(tasks, slopes, weights) == pytest.approx(weights @ kernel, rel=1e-12)
    assert every_mean(tasks, slopes, q) == pytest.approx(kernel @ q, rel=1e-12)
    p, z = tasks.source, kernel @ q
    ratio = kernel / z[:, None]
    found = sums(tasks, actions, q, slopes)
    means = (parts * ratio) @ q
    assert found.c == pytest.approx(p @ ratio, rel=1e-12)
    assert found.gram == pytest.approx(np.sqrt(np.outer(q, q)) * ((p[:, None] * ratio).T @ ratio), rel=1e-10)
    assert found.spent == pytest.approx(means @ p, rel=1e-12)
    assert found.cross == pytest.approx(np.einsum("x,txa->ta", p, parts * ratio) - (p * means) @ ratio, abs=1e-12)
    second = np.einsum("x,txa,uxa,a->tu", p, parts, parts * ratio, q)
    assert found.spread == pytest.approx(second - (p * means) @ means.T, abs=1e-12)
    assert found.potential == pytest.approx(-np.log(z), abs=1e-12)
    whole = np.concatenate([w for _, w in channel(tasks, actions, q, slopes)])
    assert whole == pytest.approx(ratio * q, rel=1e-12)


MISTAKES = {
    "outputs alone": (lambda: joint_limits(THREE), "tasks must be a list of (Outputs, Loss)"),
    "no task": (lambda: joint_limits([]), "at least one; got []"),
    "no loss": (lambda: joint_limits([(THREE, "top2")]), "task 1 must be (Outputs, Loss)"),
    "decisions": (
        lambda: joint_limits([(from_decisions([0, 1, 1], [0, 1, 0]), losses.zero_one(2))]), "has hard decisions only",
    ),
    "a loss of other labels": (
        lambda: joint_limits([(THREE, losses.zero_one(4))]), "the loss zero-one is of 4 labels, the outputs of 3",
    ),
    "other samples": (
        lambda: joint_limits([PAIR[0], (scores(samples=59), losses.zero_one(3))]), "task 1 has 60, task 2 59",
    ),
    "too many letters": (lambda: joint_limits(PAIR[:1] * 13), "make 1594323 letters; 1000000 can be handled"),
    "a limit too few": (lambda: joint_limits(PAIR, at=[(0.1,)]), "at must be a list of 2 limits each"),
    "one row": (lambda: joint_limits(PAIR, at=(0.1, 0.2)), "such as [(0.1, 0.1)]"),
    "words": (lambda: joint_limits(PAIR, at="0.1,0.2"), "at must be a list of 2 limits"),
    "a negative limit": (lambda: joint_limits(PAIR, at=[(0.1, -0.2)]), "inf for none; got -0.2"),
    "a NaN": (lambda: joint_limits(PAIR, at=[(0.1, np.nan)]), "inf for none; got nan"),
    "a temperature": (lambda: joint_limits(PAIR, temperature=0.0), "temperature must be a positive number; got 0"),
    "temperatures": (lambda: joint_limits(PAIR, temperature=[1.0] * 3), "one for each of 2 tasks; got 3"),
    "weights": (lambda: joint_limits(PAIR, weights=[1.0, 2.0]), "shape (60,); got (2,)"),
    "negative weights": (lambda: joint_limits(PAIR, weights=-np.ones(60)), "weights must be finite and >= 0"),
    "two weights": (
        lambda: joint_limits([(THREE.weighed(np.arange(60) % k + 1), PAIR[0][1]) for k in (2, 3)]),
        "the outputs have different weights",
    ),
    "a tolerance": (lambda: joint_limits(PAIR, tol=-1.0), "tol"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name):
    mistake, message = MISTAKES[name]
    with pytest.raises(InputError) as caught:
        mistake()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_digits_and_their_parity(data):
    """Values of an independent solver."""
    outputs, _ = read_outputs(data / "classifiers" / "mnist_probs.npz")
    tasks = [(outputs, losses.zero_one(10)), (outputs, losses.superclass([0, 1] * 5))]
    found = joint_limits(tasks, at=[(0.1982829, 0.0318262)], temperature=1.0)
    assert found.rate[0] / NATS_PER_BIT == pytest.approx(2.0975, abs=1e-4)
    assert found.alone[0] / NATS_PER_BIT == pytest.approx([1.9974, 0.8121], abs=1e-4)
    assert found.gap[0] < 1e-8
