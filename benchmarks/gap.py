"""The judge: how far a reproduction pmf is from optimal, in plain numpy, from the pmf alone."""

from typing import Any

import numpy as np

TOLERANCE = 1e-9
"""A point counts as reached where its gap is at most this times max(1, |L|), nats."""
CELLS = 10**7  # entries of the kernel held at once


def certified_gap(source: np.ndarray, distortion: np.ndarray, slope: float, q: np.ndarray) -> tuple[float, float]:
    """(gap at the pair the channel of q achieves, L) in nats: ln max c - KL(r || q), r = q c, blocks of rows at a time.

    Shares no code with the solvers: c_y = sum_x p_x K_xy / (K q)_x with K = exp(-s (d - min_y d)).
    """
    c, objective = np.zeros(distortion.shape[1]), 0.0
    for rows in np.array_split(np.arange(len(source)), max(distortion.size // CELLS, 1)):
        low = distortion[rows].min(1)
        kernel = np.exp(-slope * (distortion[rows] - low[:, None]))
        z = kernel @ q
        c += (source[rows] / z) @ kernel
        objective += -(source[rows] @ np.log(z)) + slope * (source[rows] @ low)
    used = q * c > 0
    return float(np.log(c.max()) - (q[used] * c[used]) @ np.log(c[used])), float(objective)


def as_pmf(q: np.ndarray) -> np.ndarray:
    """What a tool returned, negatives clipped to zero and normalised: no other repair is made."""
    q = np.clip(np.asarray(q, float), 0, None)
    return q / q.sum()


def judge(source: np.ndarray, distortion: np.ndarray, event: dict[str, Any]) -> dict[str, Any]:
    """An event of a tool with its q replaced by what q is worth: the gap, relative to max(1, |L|)."""
    kept = {key: value for key, value in event.items() if key != "q"}
    if "q" not in event:
        return kept
    with np.errstate(all="ignore"):
        gap, lagrangian = certified_gap(source, distortion, event["slope"], as_pmf(event["q"]))
    relative = gap / max(1, abs(lagrangian))
    # JSON has no NaN; a pmf that gives none of a gap has reached nothing.
    return {**kept, "relative_gap": relative if np.isfinite(relative) else None}
