"""Figure 1 of [A]: the Gaussian mixture, its density and its rate-distortion curves, for any prior and separation."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd import plots
from jaxrd._sweep import Solver, sweep
from jaxrd.channel import optimal_channel
from jaxrd.closed_form import binary
from jaxrd.curve import Curve, lower_convex_envelope
from jaxrd.errors import InputError
from jaxrd.figures.reproduction import Reproduction
from jaxrd.figures.rows import Rows, compare, round_distortions
from jaxrd.figures.tosc_fig1.claims import claims, notes
from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns
from jaxrd.problem import Problem
from jaxrd.solution import Status
from jaxrd.solvers import blahut_arimoto, solve
from jaxrd.tosc import landmarks, mixture, smallest_rate
from jaxrd.tosc.curves import estimated, indirect, oracle
from jaxrd.tosc.curves.compressed import map_distortion
from jaxrd.tosc.curves.drawing import Bound
from jaxrd.tosc.mixture import GaussianMixture

LETTERS, MARGIN = 145, 5.0  # of the discretised source, [-a - 5, a + 5]: a step of 1/12 at a = 1
_BLAHUT_STEPS = 6000  # [A] gives neither its step nor its number of iterations
MEANINGS = {
    "oRD": "label itself",
    "iRD": "best code that sees X",
    "iE&C": "decision, label-aware",
    "E&C": "decision compressed",
    "C&E": "X compressed, exact",
}


@jax.jit
def _indirect(model: GaussianMixture, slopes: jax.Array) -> mixture.IndirectPoint:
    return jax.lax.map(partial(mixture.indirect, model), slopes)


@jax.jit
def _compressed(model: GaussianMixture, slopes: jax.Array) -> mixture.CompressedPoint:
    return jax.lax.map(partial(mixture.compress_and_estimate, model), slopes)


def _indirect_curve(model: GaussianMixture) -> Curve:
    slopes = np.append(np.geomspace(0.02, 500, 90), np.inf)
    points = jax.device_get(_indirect(model, slopes))
    return Curve(points.distortion, points.rate, slopes, np.zeros(91), np.full(91, Status.EXACT))


def _slope_grids(model: GaussianMixture) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of R(D_X), rising: for the exact C&E, from the critical one to D_X = 0.005, and for the discretised."""
    critical = float(mixture.critical_slope(model))
    two_atoms, few = (
        critical + (0.5 - critical) * u for u in (np.geomspace(1e-4, 1, 30)[:-1], np.arange(0.05, 1, 0.15))
    )
    fine = np.concatenate([[critical], two_atoms, 0.5 / np.geomspace(1, 0.005, 55)])
    return fine, np.concatenate([few, 0.5 / np.geomspace(1, 0.15, 10)])


def _compressed_curve(slopes: np.ndarray, points: mixture.CompressedPoint, d_0: float) -> Curve:
    """The curve of the points that are no NaN; their slopes are of R(D_X), so the curve over D_Y has none."""
    kept = np.isfinite(points.rate)
    rate, d, squared_error = (np.asarray(x)[kept] for x in points[:3])
    nan = np.full(len(rate), np.nan)
    shared = lower_convex_envelope(np.append(d, d_0), np.append(rate, 0))[:-1]
    parameters = {
        "squared_error": squared_error,
        "squared_error_slope": slopes[kept],
        "time_shared_rate_bits": np.asarray(shared) / NATS_PER_BIT,
    }
    return Curve(d, rate, nan, np.zeros(len(rate)), np.full(len(rate), Status.EXACT), parameters=parameters)


def _discretised(model: GaussianMixture, slopes: np.ndarray, solver: Solver, tick: Any) -> Curve:
    """C&E as in the appendix of [A]: the source on a grid, R(D_X) by a solver, then MAP."""
    x = np.linspace(-1, 1, LETTERS) * (np.asarray(model.separation) + MARGIN)
    p, v = np.asarray(mixture.density(model, x)), np.asarray(mixture.posterior(model, x))
    joint = jnp.asarray(np.stack([1 - v, v]) * p / p.sum())
    problem = Problem(joint.sum(0), jnp.asarray((x[:, None] - x) ** 2))
    solved = sweep(problem, slopes, solver=solver, progress=tick)
    label = jax.lax.map(lambda point: map_distortion(joint, optimal_channel(problem, point)), solved)
    curve = solved.curve()
    parameters = {"squared_error": curve.distortion, "squared_error_slope": curve.slope}
    status = np.full(len(slopes), Status.ACHIEVABLE)
    nan = np.full(len(slopes), np.nan)
    # The gap is that of R(D_X), and no gap at D_Y.
    parameters["squared_error_gap_bits"] = curve.gap / NATS_PER_BIT
    return Curve(np.asarray(label), curve.rate, nan, nan, status, parameters=parameters)


def _table(model: GaussianMixture, exact: Curve, joint: jax.Array, coded: Bound, aware: Bound) -> Rows:
    """Every bound at a few distortions, solved for, not interpolated."""
    d_tm, d_0, _ = (float(x) for x in landmarks(joint))

    def compressed(slope: float) -> tuple[float, float]:
        point = mixture.compress_and_estimate(model, slope)
        return float(point.distortion), float(point.rate)

    slopes = exact.parameters["squared_error_slope"]
    smallest = {
        "oRD": lambda d: float(binary.rate(model.prior, d)),
        "iRD": lambda d: float(mixture.indirect_rate(model, d)),
        "iE&C": lambda d: aware.smallest(d).rate,
        "E&C": lambda d: coded.smallest(d).rate,
        "C&E": lambda d: smallest_rate(slopes, exact.distortion, exact.rate, compressed, d),
    }
    return compare(round_distortions(d_tm, d_0), smallest)


def _density_axes(ax: Axes, model: GaussianMixture) -> dict[str, np.ndarray]:
    """p(x) and its two components, the decisions' threshold marked."""
    q, a = (float(np.asarray(v)) for v in model)
    x = np.linspace(-a - 3.5, a + 3.5, 281)
    p, v = np.asarray(mixture.density(model, x)), np.asarray(mixture.posterior(model, x))
    table = {"x": x, "density": p, "density_y0": p * (1 - v), "density_y1": p * v}
    for key, colour, line, label in (
        ("density_y0", "#0072B2", "--", f"y = 0, P = {1 - q:.3g}"),
        ("density_y1", "#D55E00", "-.", f"y = 1, P = {q:.3g}"),
    ):
        ax.plot(x, table[key], color=colour, linestyle=line, label=label)
        ax.fill_between(x, table[key], color=colour, alpha=0.12)
    ax.plot(x, p, color="black", linewidth=1.8, label="p(x)")
    t = float(mixture.threshold(model))
    ax.axvline(t, 0, 0.78, color="0.35", linewidth=1, linestyle=":", label=f"MAP threshold {t + 0.0:.3g}")
    ax.set_xlabel("observation  x")
    ax.set_ylabel("probability density  [per unit of x]")
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(0, 1.35 * p.max())
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)
    return table


def tosc_fig1(prior: float = 0.5, separation: float = 1.0, *, tick: Any = None) -> Reproduction:
    """Figure 1 of [A]: density left, iRD, E&C, iE&C, oRD and C&E right, exact; the discretised C&E of [A] beside it.

    Args:
        prior: q = P(Y = 1), 0.5 in [A].
        separation: a, the modes lying at -a and a, 1 in [A].
        tick: called as tick(what, done, total).

    Raises:
        InputError: a prior outside (0, 1), a separation outside (0, 20], or decisions that are no better than guesses.
    """
    if not 0 < prior < 1:
        raise InputError(f"the prior must lie between 0 and 1; got {prior:g}.")
    if not 0 < separation <= 20:
        raise InputError(f"the separation must lie in (0, 20] deviations of the noise; got {separation:g}.")
    model = GaussianMixture(prior, separation)
    joint = mixture.decision_joint(model)
    d_tm, d_0, entropy = (float(x) for x in landmarks(joint))
    if d_0 - d_tm < 1e-6:
        raise InputError(
            f"prior {prior:g} and separation {separation:g} leave nothing to decide: guessing errs with probability "
            f"{d_0:.6g}, deciding with {d_tm:.6g}. Move the modes apart or the prior towards 0.5."
        )

    coded, aware = estimated.draw(joint, 64), indirect.draw(joint, 32)
    fine, few = _slope_grids(model)
    compressed = jax.device_get(_compressed(model, np.concatenate([fine, few])))
    reference = jax.tree.map(lambda x: x[len(fine) :], compressed)
    exact = _compressed_curve(fine, jax.tree.map(lambda x: x[: len(fine)], compressed), d_0)
    curves = {
        "oRD": oracle.draw(joint.sum(1), 64).curve,
        "iRD": _indirect_curve(model),
        "iE&C": aware.curve,
        "E&C": coded.curve,
        "C&E": exact,
    }
    ticks = (lambda what: partial(tick, what)) if tick else (lambda _: None)
    plain = partial(blahut_arimoto, max_steps=_BLAHUT_STEPS)
    grids = {
        "C&E discretised, plain Blahut-Arimoto": _discretised(model, few, plain, ticks("Blahut-Arimoto")),
        "C&E discretised, certified": _discretised(model, few, solve, ticks("certified C&E")),
    }
    rows = _table(model, exact, joint, coded, aware)

    figure = Figure(figsize=(12.4, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    density = _density_axes(left, model)
    plots.limits_axes(right, curves, task_model_distortion=d_tm, zero_rate_distortion=d_0, meanings=MEANINGS)
    for (name, curve), marker, colour in zip(grids.items(), ("o", "x"), ("#A0522D", "0.35"), strict=True):
        right.plot(
            curve.distortion, curve.rate / NATS_PER_BIT, marker, color=colour, markersize=4.5, fillstyle="none",
            label=name, zorder=6,
        )  # fmt: skip
    right.set_xlim(max(0, d_tm - 0.15 * (d_0 - d_tm)), d_0 + 0.03 * (d_0 - d_tm))
    right.set_ylim(0, 1.35 * entropy / NATS_PER_BIT)
    right.legend(frameon=False, fontsize=8.5)
    figure.suptitle(f"[A] figure 1: Gaussian mixture, P(Y = 1) = {prior:g}, modes at ±{separation:g}", fontsize=11)

    document = {name: columns(curve) for name, curve in (curves | grids).items()}
    sentences = claims(joint, exact, list(grids.values()), reference, rows)
    return Reproduction(
        "tosc-fig1", figure, document | {"density": density}, sentences,
        notes(model, exact, d_0, len(fine) - len(exact.rate)),
        {"parameters": {"prior": prior, "separation": separation}, "at": rows},
    )  # fmt: skip
