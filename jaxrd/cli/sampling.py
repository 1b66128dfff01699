"""Choose the points of a rate-distortion curve from the curve itself, since distortions have no natural scale."""

from collections.abc import Callable
from functools import partial

import numpy as np

from jaxrd._sweep import sweep
from jaxrd.critical import critical_slope
from jaxrd.curve import Curve
from jaxrd.problem import Problem
from jaxrd.solution import Solution, Status

_AT_ONCE = 16  # slopes solved before the curve is examined again
_FLAT = 1e-9  # of the curve's height: a smaller change is not visible
_SHORT = 1e-6  # of the curve's length: a shorter piece needs no point


def sample(
    problem: Problem,
    count: int,
    low: float | None,
    high: float,
    *,
    tol: float,
    progress: Callable[[int, int], None] | None = None,
    solve_at: Callable[[np.ndarray], Solution] | None = None,
) -> Curve:
    """At most `count` points of a curve up to slope `high`, close together where it bends.

    The sandwich algorithm: between two solved points the curve lies between their chord and their tangents. Where these
    are farthest apart in rate, the slope of the chord is solved next. So a distortion of 1e12 for "never", or one
    distant letter, does not hide the rest. Where they coincide the curve is a line: no slope gives a point inside it.
    Such points are time-shared between the ends of the line, and certified as the ends are.

    The slopes of a round follow from the points before it alone: the same numbers lead to the same slopes.

    Args:
        problem: source (n,), distortion (n, m).
        count: points, at least 2.
        low: the least slope, > 0; None: from the zero-rate end on, or the least rate if forbidden pairs exclude it.
        high: the largest, inf for the least distortion.
        tol: gap in nats up to which a time-shared point counts as converged, relative to max(1, R).
        progress: called as progress(done, total).
        solve_at: gives the points at slopes (k,); None: `sweep`.

    Reference: G. Rote, The convergence rate of the sandwich algorithm for approximating convex functions, 1992.
    """
    # Columns: slope, distortion, rate, gap, status; falling in distortion.
    silence = _silence(problem) if low is None else None
    solve_at = solve_at or partial(sweep, problem)
    points = _solved(solve_at, np.array([low or 0.0, high]))
    if silence is not None:
        points = np.vstack([silence, points[1:]])
    while len(points) < count:
        apart = _apart(points) / max(_steps(points)[1][1], 1e-300)
        left = count - len(points)
        worst = np.argsort(-apart)[: min(_AT_ONCE, left)]
        # Only the largest: the first rounds must leave points for later ones.
        worst = worst[apart[worst] > max(_FLAT, 0.1 * apart.max())]
        more = _solved(solve_at, _chords(points)[worst]) if len(worst) else _shared(points, tol)
        if not len(more):
            break
        points = np.vstack([points, more])
        points = points[np.lexsort((points[:, 0], -points[:, 1]))]
        if progress is not None:
            progress(len(points), count)
    slope, distortion, rate, gap, status = points.T
    return Curve(distortion, rate, slope, gap, status.astype(int))


def _solved(solve_at: Callable[[np.ndarray], Solution], slopes: np.ndarray) -> np.ndarray:
    curve = solve_at(slopes).curve()
    return np.stack([curve.slope, curve.distortion, curve.rate, curve.gap, curve.status], 1)


def _silence(problem: Problem) -> np.ndarray | None:
    """The exact zero-rate point with the critical slope; None where forbidden pairs exclude zero rate."""
    p, d = np.asarray(problem.source), np.asarray(problem.distortion)
    distortion = (p / p.sum() @ np.where(p[:, None] > 0, d, 0)).min()
    if not np.isfinite(distortion):
        return None
    return np.array([[float(critical_slope(problem)), distortion, 0.0, 0.0, Status.CONVERGED]])


def _steps(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From each point to the next: how far distortion falls and rate rises, (k - 1, 2), and their sums, (2,)."""
    steps = np.maximum(np.diff(points[:, 1:3], axis=0) * [-1, 1], 0)
    steps = np.where(np.isfinite(steps), steps, 0)
    return steps, steps.sum(0)


def _chords(points: np.ndarray) -> np.ndarray:
    """The slope of each chord, clipped to the slopes of its ends; a vertical chord has the slope of its later end."""
    steps, _ = _steps(points)
    with np.errstate(over="ignore"):
        chord = steps[:, 1] / np.where(steps[:, 0] > 0, steps[:, 0], 1)
    return np.clip(np.where(steps[:, 0] > 0, chord, points[1:, 0]), points[:-1, 0], points[1:, 0])


def _apart(points: np.ndarray) -> np.ndarray:
    """The largest height of each chord above the tangents of its ends, nats."""
    across, up = _steps(points)[0].T
    s, t = points[:-1, 0], points[1:, 0]
    chord = _chords(points)
    # The tangents meet at the distance `right` to the right of the later point.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        right = np.where(np.isinf(t), 0.0, (up - s * across) / (t - s))
        height = (across - right) * (chord - s)
    return np.where((chord > s) & (chord < t) & np.isfinite(height), np.maximum(height, 0), 0)


def _shared(points: np.ndarray, tol: float) -> np.ndarray:
    """The middle of the longest straight piece, shape (1, 5); no row where no piece is both long and straight."""
    steps, whole = _steps(points)
    length = np.hypot(*(steps / np.where(whole > 0, whole, 1)).T)
    for i in np.argsort(-length):
        if length[i] < _SHORT:
            break
        middle = points[i : i + 2, 1:3].mean(0)
        finite = points[i : i + 2][np.isfinite(points[i : i + 2, 0])]
        bounds = finite[:, 2] - finite[:, 3] + finite[:, 0] * (finite[:, 1] - middle[0])
        gap = middle[1] - bounds.max(initial=0)
        if gap <= tol * max(1, middle[1]):
            return np.array([[_chords(points)[i], *middle, max(gap, 0), Status.CONVERGED]])
    return points[:0]


def shown(curve: Curve, share: float = 1e-3) -> float:
    """The distortion up to which a figure shows the curve, inf for all of it.

    Where the last thousandth of the rate covers most of the distortions, that part would be a line along the axis.
    """
    finite = np.isfinite(curve.distortion) & np.isfinite(curve.rate)
    d, rate = curve.distortion[finite], curve.rate[finite]
    if not d.size:
        return np.inf
    right = d[rate >= rate.min() + share * (rate.max() - rate.min())].max()
    return float(right + 0.05 * (right - d.min())) if right - d.min() < 0.2 * (d.max() - d.min()) else np.inf
