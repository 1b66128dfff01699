"""The region of a given representation without time sharing: nonconvex, and still computed exactly."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.problem import Problem
from jaxrd.rdc.inputs import Labels, floats
from jaxrd.rdc.point import entropies
from jaxrd.rdc.representation.region import decoding, enumerable

_EDGE = 1e-12


def literal_boundary(problem: Problem, labels: Labels, representation: ArrayLike, distortions: ArrayLike) -> np.ndarray:
    """The least H(S|Xh) over decoders p(xh|z), random ones too, with E d(X, Xh) <= D.

        min H(S|Xh)  subject to  sum_z,xh p(xh|z) sum_x p(x, z) d(x, xh) <= D

    H(S|Xh) is concave in the decoder, so the minimum lies at a vertex of the decoders that keep D: it is deterministic
    but for one z at most, which mixes two letters so as to spend D exactly. All of these are tried.

    Args:
        problem: source (n,), distortion (n, m), finite.
        labels: P(S|X), shape (n, classes), one label.
        representation: P(z|x), shape (n, representations).
        distortions: D, shape (k,).

    Returns:
        Nats, shape (k,); +inf where no decoder keeps D.

    Raises:
        InputError: bad input; more than a million deterministic decoders.

    >>> problem = Problem(np.array([0.5, 0.5]), np.array([[0.0, 1.0], [0.0, 1.0]]))  # the letter 1 is dear
    >>> literal_boundary(problem, np.eye(2), np.eye(2), [0.0, 0.25, 0.5]).round(4).tolist()
    [0.6931, 0.4774, 0.0]
    """
    charged, with_label = decoding(problem, labels, representation)
    count, m = charged.shape
    enumerable(m, count)
    targets = floats("distortions", distortions)
    least = np.full(targets.shape, np.inf)
    for z in range(count):
        others = np.delete(np.arange(count), z)
        chosen = np.indices((m,) * (count - 1)).reshape(count - 1, -1).T  # letters of the other z
        spent = charged[others, chosen].sum(1)
        mass = np.einsum("izy,zs->iys", chosen[:, :, None] == np.arange(m), with_label[others])
        for a, b in combinations(range(m), 2):
            _mix(least, targets, spent, mass, charged[z, [a, b]], with_label[z], (a, b))
    if m == 1 and count:
        whole = with_label.sum(0)
        least[targets >= charged.sum() - _EDGE] = whole.sum() * entropies(whole / whole.sum())
    return least


def _mix(
    least: np.ndarray,
    targets: np.ndarray,
    spent: np.ndarray,
    mass: np.ndarray,
    charges: np.ndarray,
    own: np.ndarray,
    letters: tuple[int, int],
) -> None:
    """Lower `least` to what one z reaches that sends the first letter with the probability that meets its target."""
    (a, b), (first, second) = letters, charges
    for i, target in enumerate(targets):
        left = target - spent
        # Each letter alone where it keeps the target, and the mixture that meets the target exactly.
        shares = [np.where(left >= first - _EDGE, 1.0, np.nan), np.where(left >= second - _EDGE, 0.0, np.nan)]
        if first != second:
            between = (left - second) / (first - second)
            shares.append(np.where((between > 0) & (between < 1), between, np.nan))
        for share in shares:
            kept = np.isfinite(share)
            if kept.any():
                joint = mass[kept].copy()
                joint[:, a] += share[kept, None] * own
                joint[:, b] += (1 - share[kept, None]) * own
                weights = joint.sum(2)
                loss = (weights * entropies(joint / np.where(weights > 0, weights, 1)[:, :, None])).sum(1)
                least[i] = min(least[i], loss.min())
