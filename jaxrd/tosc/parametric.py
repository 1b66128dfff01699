"""The smallest rate of a parametric curve at a distortion, solved for, not interpolated."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq, minimize_scalar


def smallest_rate(
    parameters: np.ndarray,
    distortion: np.ndarray,
    rate: np.ndarray,
    evaluate: Callable[[float], tuple[float, float]],
    target: float,
) -> float:
    """min { R(t) : D(t) <= target } on a curve t -> (D, R) that need be neither convex nor monotone.

    The grid brackets every crossing of D(t) = target and every interior minimum of R; each is then solved for.
    What happens between two grid points that neither shows is missed: use a grid fine enough.

    Args:
        parameters: t, rising, shape (k,).
        distortion: D(t), shape (k,).
        rate: R(t), shape (k,).
        evaluate: t -> (D, R) between the grid points.
        target: the distortion allowed.

    Returns:
        The rate in its own unit; inf where no point of the grid reaches the target.
    """
    slack = 1e-12 * max(1.0, abs(target))
    met = distortion <= target + slack
    best = float(rate[met].min()) if met.any() else np.inf

    def consider(t: float) -> float:
        nonlocal best
        d, r = evaluate(t)
        if d <= target + slack:
            best = min(best, r)
        return d - target

    for i in np.flatnonzero(met[1:] != met[:-1]):
        # The rate along a bracket lies near its ends': skip one that cannot win.
        if min(rate[i], rate[i + 1]) <= best:
            ends = (distortion[i] - target) * (distortion[i + 1] - target)
            if ends < 0:
                # A root just above the target, from where the slack lets it count as met.
                low, high = float(parameters[i]), float(parameters[i + 1])
                brentq(lambda t: consider(t) - slack / 2, low, high, xtol=1e-14)
    for i in range(1, len(rate) - 1):
        dips = rate[i] < rate[i - 1] and rate[i] < rate[i + 1]
        if dips and met[i - 1 : i + 2].any():
            found = minimize_scalar(
                lambda t: evaluate(t)[1], bounds=(parameters[i - 1], parameters[i + 1]), method="bounded"
            )
            consider(float(found.x))
    return best
