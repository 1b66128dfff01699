"""Figure 2 of [A], a sketch of the order of all bounds: here computed, on an example in which they all differ."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd import plots
from jaxrd._sweep import sweep
from jaxrd.channel import optimal_channel
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve
from jaxrd.distortion import hamming, remote, squared_error
from jaxrd.figures.reproduction import Reproduction
from jaxrd.figures.rows import compare
from jaxrd.figures.tosc_fig2.claims import claims, notes
from jaxrd.io.write import columns
from jaxrd.problem import Problem
from jaxrd.solution import Status
from jaxrd.target import rate_at
from jaxrd.tosc import (
    compress_and_estimate,
    landmarks,
    model_aware_problem,
    sample_and_communicate,
    smallest_rate,
    time_sharing,
)
from jaxrd.tosc.curves import estimated, merged, oracle
from jaxrd.tosc.curves.compressed import map_distortion
from jaxrd.tosc.curves.drawing import slope_grid
from jaxrd.tosc.curves.indirect import draw as draw_indirect
from jaxrd.tosc.curves.time_sharing import draw as draw_time_sharing

_PRIOR = (0.36, 0.32, 0.25, 0.07)
CENTRES, WIDTHS = (1.5, 5.0, 8.5, 12.5), (1.3, 1.5, 1.5, 1.3)
LETTERS, CELL = 15, 3  # of X, and how many of them the task model sees as one
AT = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.63)
MEANINGS = {
    "oRD": "label itself",
    "iRD": "best code that sees X",
    "TMRD": "best with this task model",
    "iE&C": "decision, label-aware",
    "S&C": "posterior sample",
    "E&C": "decision compressed",
    "C&E": "X compressed",
    "TS": "time-shared decisions",
    "merge": "rare decisions merged",
}


class Example(NamedTuple):
    """Four classes seen through a discrete X, and a task model that sees X coarsely but is calibrated."""

    joint: jax.Array
    """J[y, x], shape (4, 15)."""
    posterior: jax.Array
    """The task model's v = P(y | cell of x): calibrated, but less than P(y | x), shape (15, 4)."""
    decisions: jax.Array
    """J[y, yt] of its MAP decision, shape (4, 4)."""


def example() -> Example:
    """Discrete bells of unequal classes on 0..14; the model sees cells of three letters."""
    x = np.arange(LETTERS)
    bells = np.exp(-((x - np.array(CENTRES)[:, None]) ** 2) / 2 / np.array(WIDTHS)[:, None] ** 2)
    joint = np.array(_PRIOR)[:, None] * bells / bells.sum(1, keepdims=True)
    cells = joint.reshape(len(_PRIOR), -1, CELL).sum(2)
    decided = np.zeros((len(_PRIOR), len(_PRIOR)))
    np.add.at(decided.T, cells.argmax(0), cells.T)
    posterior = np.repeat((cells / cells.sum(0)).T, CELL, axis=0)
    return Example(*(jnp.asarray(a) for a in (joint, posterior, decided)))


def _certified(problem: Problem, tick: Any) -> Curve:
    critical = float(critical_slope(problem))
    grid = slope_grid(problem.distortion.shape[1], 48, critical)
    return sweep(problem, np.concatenate([[critical], grid, [np.inf]]), progress=tick).curve()


def _points(distortion: Any, rate: Any, **parameters: Any) -> Curve:
    nan = np.full(len(rate), np.nan)
    status = np.full(len(rate), Status.ACHIEVABLE)
    return Curve(np.asarray(distortion), np.asarray(rate), nan, nan, status, parameters=parameters)


def _example_axes(ax: Axes, given: Example) -> dict[str, np.ndarray]:
    """P(y, x) as stacked bars, the cells of the task model between dashed lines."""
    x, bottom = np.arange(LETTERS), np.zeros(LETTERS)
    colours, hatches = ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), ("", "//", "..", "xx")
    for y, (row, colour, hatch) in enumerate(zip(np.asarray(given.joint), colours, hatches, strict=True)):
        label = f"y = {y}, P = {_PRIOR[y]:g}"
        ax.bar(x, row, bottom=bottom, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3, label=label)
        bottom = bottom + row
    for edge in range(CELL, LETTERS, CELL):
        ax.axvline(edge - 0.5, 0, 0.75, color="0.35", linewidth=1, linestyle="--")
    ax.plot([], [], color="0.35", linewidth=1, linestyle="--", label="cells the task model sees")
    ax.set_xlabel("observation  x")
    ax.set_ylabel("probability  P(y, x)")
    ax.set_ylim(0, 1.35 * bottom.max())
    ax.legend(frameon=False, fontsize=9, ncols=2)
    return {"x": x} | {f"probability_y{y}": row for y, row in enumerate(np.asarray(given.joint))}


def tosc_fig2(*, tick: Any = None) -> Reproduction:
    """Figure 2 of [A]: every bound of the paper on one small example, all solved for.

    iRD needs the true posterior of X, and TMRD a task model that knows less. X is discrete, and the model sees three of
    its letters as one. The model is calibrated, so that TMRD is the limit of every scheme that uses it.

    Args:
        tick: called as tick(what, done, total).

    Longer than 60 lines: it names every curve twice, as it is drawn and as it is asked for a rate.
    """
    given = example()
    joint, decided, classes = given.joint, given.decisions, len(_PRIOR)
    source, values = joint.sum(0), jnp.arange(float(LETTERS))
    d_tm, d_0, _ = (float(x) for x in landmarks(decided))
    ticks = (lambda what: partial(tick, what)) if tick else (lambda _: None)

    indirect = Problem(source, remote(hamming(classes), (joint / source).T))
    aware = model_aware_problem(given.posterior, source)
    squares = squared_error(values, values)

    # One sample per letter and label, weighted by their joint probability.
    log_v = jnp.log(jnp.repeat(given.posterior, classes, 0))
    labels, weights = jnp.tile(jnp.arange(classes), LETTERS), joint.T.ravel()
    shares = jnp.linspace(0, 0.995, 121)

    def sampled(u):
        return sample_and_communicate(log_v, labels, u / (1 - u), weights)

    samples = jax.device_get(jax.jit(jax.vmap(sampled))(shares))

    slopes = np.append(np.geomspace(0.02, 60, 96), np.inf)
    observed = Problem(source, squares)
    compressed = sweep(observed, slopes, progress=ticks("C&E"))
    label = jax.lax.map(lambda point: map_distortion(joint, optimal_channel(observed, point)), compressed)

    coded, label_aware = estimated.draw(decided, 64), draw_indirect(decided, 48)
    baseline, shared = merged.draw(decided), draw_time_sharing(decided, 32)
    assert shared is not None  # D_TM < D_0 here
    curves = {
        "oRD": oracle.draw(joint.sum(1), 64).curve,
        "iRD": _certified(indirect, ticks("iRD")),
        "TMRD": _certified(aware, ticks("TMRD")),
        "iE&C": label_aware.curve,
        "S&C": _points(samples.distortion, samples.rate, inverse_temperature=np.asarray(shares / (1 - shares))),
        "E&C": coded.curve,
        "C&E": _points(label, compressed.rate, squared_error=np.asarray(compressed.distortion)),
        "TS": shared.curve,
        "merge": baseline.curve,
    }

    def sample_at(u):
        point = sampled(u)
        return float(point.distortion), float(point.rate)

    def compress_at(slope):
        point = compress_and_estimate(joint, squares, slope)
        return float(point.distortion), float(point.rate)

    smallest = {
        "oRD": lambda d: oracle.draw(joint.sum(1), 2).smallest(d).rate,
        "iRD": lambda d: float(rate_at(indirect, d).rate),
        "TMRD": lambda d: float(rate_at(aware, d).rate),
        "iE&C": lambda d: label_aware.smallest(d).rate,
        "S&C": lambda d: smallest_rate(np.asarray(shares), samples.distortion, samples.rate, sample_at, d),
        "E&C": lambda d: coded.smallest(d).rate,
        "C&E": lambda d: smallest_rate(
            slopes[:-1], np.asarray(label)[:-1], np.asarray(compressed.rate)[:-1], compress_at, d
        ),
        "TS": lambda d: float(time_sharing(decided, d)),
        "merge": lambda d: baseline.smallest(d).rate,
    }
    rows = compare(list(AT), smallest)

    figure = Figure(figsize=(12.4, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
    table = _example_axes(left, given)
    plots.limits_axes(right, curves, task_model_distortion=d_tm, zero_rate_distortion=d_0, meanings=MEANINGS)
    right.set_xlim(0.1, 0.8)
    right.set_ylim(0, 2.2)
    figure.suptitle("[A] figure 2, computed: four classes, a calibrated task model that sees X coarsely", fontsize=11)

    document = {name: columns(curve) for name, curve in curves.items()}
    bayes = float(1 - joint.max(0).sum())
    return Reproduction(
        "tosc-fig2", figure, document | {"example": table}, claims(decided, curves, rows, bayes),
        notes(curves, d_0), {"at": rows},
    )  # fmt: skip
