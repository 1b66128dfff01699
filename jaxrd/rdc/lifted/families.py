"""Reproductions that hardly differ in what they charge are searched together, as a family with the largest terms.

Where the distortion costs little, g is nearly the same function of the soft label for all reproductions. The families
are those of a hierarchical clustering; a search begins with all reproductions, and divides a family where its members
differ by more than the bound over the box is off.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Families(NamedTuple):
    """A tree: the single columns of g come first, all of them together last."""

    largest: np.ndarray  # exponents of the members' terms, (families, n)
    least: np.ndarray
    parts: np.ndarray  # the two that a family divides into, -1 for a single column, (families, 2)
    members: np.ndarray  # bool, (families, columns)


def families(exponents: np.ndarray) -> Families:
    """Of columns of g, by the sums of the differences between their coefficients.

    Args:
        exponents: ln a, shape (columns, n), -inf for forbidden pairs.

    >>> families(np.log(np.array([[1.0, 1.0], [1.0, 2.0], [9.0, 9.0]]))).parts.tolist()
    [[-1, -1], [-1, -1], [-1, -1], [0, 1], [2, 3]]
    """
    columns = len(exponents)
    parts = np.full((columns, 2), -1)
    largest, least, members = list(exponents), list(exponents), list(np.eye(columns, dtype=bool))
    if columns > 1:
        joined = _joined(np.exp(exponents))
        for i, j in joined:
            largest.append(np.maximum(largest[i], largest[j]))
            least.append(np.minimum(least[i], least[j]))
            members.append(members[i] | members[j])
        parts = np.concatenate([parts, joined])
    return Families(np.array(largest), np.array(least), parts, np.array(members))


def _joined(points: np.ndarray) -> np.ndarray:
    """Complete linkage: the two clusters that become one, nearest first, (points - 1, 2).

    scipy.cluster finds the same; to import it takes longer than most searches.
    """
    n = len(points)
    apart = np.stack([np.abs(points - point).sum(1) for point in points])
    np.fill_diagonal(apart, np.inf)
    cluster, joined, nearest = np.arange(n), np.empty((n - 1, 2), int), apart.argmin(1)
    for k in range(n - 1):
        i = int(apart[np.arange(n), nearest].argmin())
        i, j = sorted((i, int(nearest[i])), key=cluster.__getitem__)
        joined[k] = cluster[i], cluster[j]
        apart[i] = apart[:, i] = np.maximum(apart[i], apart[j])
        apart[i, i] = apart[j] = apart[:, j] = np.inf
        cluster[i] = n + k
        moved = (nearest == i) | (nearest == j)  # to all others the distance has not changed
        nearest[moved] = apart[moved].argmin(1)
    return joined
