"""The curve R(D) of a real source at squared error: a sweep over slopes, and its value at a distortion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxrd._threads import one_blas_thread
from jaxrd.tosc.regression.line import Cells, Line, cells_of, solve_line

ACCURACY = 1e-6
"""Nats to which each slope is solved, where cells are single values."""
_LEAST, _STEEPEST = 3e-3, 1e9  # D at the curve's end, and the steepest slope tried, in units of the variance
_SOLVES = 40
_NEAR = 0.1  # difference in ln s up to which a solution is a start for another
_CLOSE = 1e-3  # relative distance of two slopes whose points are mixed


class At(NamedTuple):
    """R at a distortion, nats: lower <= R <= rate."""

    rate: float
    """inf where the distortion is not reached."""
    lower: float
    slope: float
    """In nats per unit of the samples squared."""


class RealSource:
    """A real source that is known by samples, each slope solved once.

    Args:
        values: the samples, shape (samples,).

    >>> source = RealSource(np.array([-1.0, 1.0]))  # a fair coin: ln 2 - h(f), D = 4 f (1 - f)
    >>> round(source.at(0.36).rate, 6), source.at(0.36).rate - source.at(0.36).lower < 1e-6
    (0.368064, True)
    """

    def __init__(self, values: np.ndarray):
        self.centre, self.scale = float(values.mean()), float(values.std())
        if self.scale <= 1e-13 * np.abs(values).max():
            self.scale = 0.0
        self.cells: Cells = cells_of((values - self.centre) / (self.scale or 1.0))
        self.lines: dict[float, Line] = {}

    @property
    def variance(self) -> float:
        """The least squared error without a bit."""
        return self.scale**2

    @property
    def entropy(self) -> float:
        """Of the cells, nats: the rate of each sample's own cell."""
        return float(-self.cells.mass @ np.log(self.cells.mass))

    def line(self, slope: float) -> Line:
        """The solution at a slope in units of the variance."""
        if slope not in self.lines:
            known = np.array(list(self.lines))
            near = None
            if known.size:
                closest = float(known[np.abs(np.log(known / slope)).argmin()])
                near = self.lines[closest] if abs(np.log(closest / slope)) < _NEAR else None
            with one_blas_thread():
                self.lines[slope] = solve_line(self.cells, slope, near=near, tol=ACCURACY)
        return self.lines[slope]

    def slopes(self, count: int) -> np.ndarray:
        """Rising slopes in units of the variance, those of a Gaussian from D near the variance down to a thousandth."""
        return 0.5 / np.geomspace(0.97, _LEAST, count)

    def at(self, distortion: float) -> At:
        """R(D): the chord between two slopes that enclose D, and the best of all tangents below it."""
        if self.scale == 0 or distortion >= self.variance:
            return At(0.0, 0.0, 0.0) if distortion >= 0 else At(np.inf, np.inf, np.inf)
        d = distortion / self.variance
        if d < 0:
            return At(np.inf, np.inf, np.inf)
        if d <= self.cells.within or d < 1e-12:
            exact = self.cells.within == 0
            return At(self.entropy if exact else np.inf, self.entropy if exact else self._lower(d), np.inf)
        shallow, steep = self._enclosing(d)
        far, near = (1.0, 0.0, 0.0) if shallow is None else (shallow.distortion, shallow.rate, shallow.slope), steep
        if near is None:  # only each sample's own cell is as good
            return At(self.entropy, self._lower(d), np.inf)
        share = min(max((far[0] - d) / max(far[0] - near.distortion, 1e-300), 0.0), 1.0)
        rate = (1 - share) * far[1] + share * near.rate
        return At(rate, min(self._lower(d), rate), near.slope / self.variance)

    def _lower(self, d: float) -> float:
        return max([0.0, *(line.level - line.slope * d for line in self.lines.values())])

    def _enclosing(self, d: float) -> tuple[Line | None, Line | None]:
        """The closest solved slopes whose distortions lie above and below d; None: rate zero, or none steep enough."""
        slope, above, below = 0.5 / d, None, None
        for line in self.lines.values():
            if line.distortion > d and (above is None or line.slope > above.slope):
                above = line
            if line.distortion <= d and (below is None or line.slope < below.slope):
                below = line
        for _ in range(_SOLVES):
            line = self.line(slope)
            if line.distortion > d:
                above = line if above is None or line.slope > above.slope else above
            else:
                below = line if below is None or line.slope < below.slope else below
            if below is None:
                assert above is not None
                slope = 2 * above.slope
                if slope > _STEEPEST:
                    break
            elif above is None:
                if below.rate == 0 or below.slope < 1e-9:
                    break
                slope = below.slope / 1.5
            elif below.slope / above.slope < 1 + _CLOSE:
                break
            else:
                slope = _next(above, below, d)
        return above, below


def _next(above: Line, below: Line, d: float) -> float:
    """A slope between two, where ln D would pass ln d if it were linear in ln s, a little beyond it in turn."""
    low, high = np.log(above.slope), np.log(below.slope)
    fall = np.log(above.distortion) - np.log(max(below.distortion, 1e-300))
    share = (np.log(above.distortion) - np.log(d)) / fall if fall > 0 else 0.5
    # A step past the crossing moves the far end too.
    reach = 0.25 * _CLOSE / (high - low)
    share += reach if share < 0.5 else -reach
    if not 0.02 < share < 0.98 and high - low > 20 * _CLOSE:
        share = min(max(share, 0.02), 0.98)
    return float(np.exp(low + min(max(share, 0.5 * reach), 1 - 0.5 * reach) * (high - low)))
