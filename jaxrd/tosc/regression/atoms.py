"""Reproductions on the real line and their weights, moved together by Newton's method."""

from __future__ import annotations

import numpy as np

UNUSED = 1e-9
"""Weights up to it are taken as zero."""
_STEPS = 40
_ACCURATE = 1e-9  # of c - 1 and of its derivative, where Newton's method has arrived
_REACH = 1.0  # the largest change in ln q, and in y in units of 1 / (2 sqrt(s))
_HALVINGS = 8
_ROUNDING = 1e-14


def log_partition(x: np.ndarray, slope: float, atoms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """ln Z(x), Z = sum_k q_k exp(-s (x - y_k)^2), shape of x."""
    exponent = -slope * (x[:, None] - atoms) ** 2 + np.log(np.where(weights > 0, weights, 1e-300))
    top = exponent.max(1)
    return top + np.log(np.exp(exponent - top[:, None]).sum(1))


def channel(x: np.ndarray, slope: float, atoms: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """W(y_k|x), shape (letters, atoms)."""
    exponent = -slope * (x[:, None] - atoms) ** 2
    joint = weights * np.exp(exponent - exponent.max(1, keepdims=True))
    return joint / joint.sum(1, keepdims=True)


def merged(atoms: np.ndarray, weights: np.ndarray, closest: float) -> tuple[np.ndarray, np.ndarray]:
    """Runs of reproductions that lie closer than so much as one each, at their mean.

    >>> [part.tolist() for part in merged(np.array([0.0, 1.0, 4.0]), np.array([0.25, 0.25, 0.5]), 2.0)]
    [[0.5, 4.0], [0.5, 0.5]]
    """
    run = np.concatenate([[0], np.cumsum(np.diff(atoms) > closest)])
    mass = np.bincount(run, weights)
    return np.bincount(run, weights * atoms) / mass, mass


def moved(
    x: np.ndarray, mass: np.ndarray, slope: float, atoms: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Improve reproductions and weights to a local minimum of -E ln sum_k q_k exp(-s (X - y_k)^2) + sum_k q_k.

    Newton's method in ln q and y, with the absolute values of the Hessian's eigenvalues and a line search, so that the
    objective only falls. At the minimum c(y_k) = 1 and c'(y_k) = 0. Reproductions whose weight vanishes are dropped.

    Args:
        x: letters, shape (n,).
        mass: their probabilities, shape (n,).
        slope: s > 0.
        atoms: y, shape (k,).
        weights: q > 0, shape (k,).

    Returns:
        y and q, rising in y, with sum q = 1.
    """
    y, q, root = atoms, weights, np.sqrt(slope)
    partition = log_partition(x, slope, y, q)
    for _ in range(_STEPS):
        away = root * (x[:, None] - y)
        kernel = np.exp(-(away**2) - partition[:, None])
        pull = kernel * away
        c, drift, bend = mass @ kernel, mass @ pull, mass @ (pull * away)
        if max(np.abs(c - 1).max(), np.abs(drift).max()) < _ACCURATE:
            break
        # The Hessian in ln q and in y of unit 1 / (2 sqrt(s)), divided by sqrt(q_k q_l).
        r, weighed = np.sqrt(q), np.sqrt(mass)[:, None]
        a, b = weighed * kernel * r, weighed * pull * r
        cross = a.T @ b - np.diag(drift)
        hessian = np.block([[a.T @ a + np.diag(1 - c), cross], [cross.T, b.T @ b + np.diag(c / 2 - bend)]])
        values, vectors = np.linalg.eigh(hessian)
        gradient = np.concatenate([r * (1 - c), -r * drift])
        step = -vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), 1e-12))
        d_log, d_y = np.split(step / np.concatenate([r, r]), 2)
        keep = min(1.0, _REACH / max(float(np.abs(d_log).max()), float(np.abs(d_y).max()), 1e-300))
        objective = q.sum() - mass @ partition
        for _ in range(_HALVINGS):
            ahead, following = y + keep * d_y / (2 * root), q * np.exp(keep * d_log)
            partition = log_partition(x, slope, ahead, following)
            if following.sum() - mass @ partition <= objective + _ROUNDING:
                break
            keep /= 4
        else:
            break
        left = following > UNUSED
        y, q = ahead[left], following[left]
        if not left.all():
            partition = log_partition(x, slope, y, q)
    order = np.argsort(y)
    return y[order], q[order] / q.sum()
