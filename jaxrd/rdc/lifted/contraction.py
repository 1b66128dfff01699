"""How much of a label's entropy the entropy of the letters makes up for: the contraction coefficient of its channel.

H(w) - c H(wW) is concave in the pmf w of the letters where c eta <= 1, eta = eta_KL(W), and nowhere more generally.
In a direction v, sum v = 0, its second derivative is c sum_s (vW)_s^2 / (wW)_s - sum_x v_x^2 / w_x. As a variable of
mean zero is a mixture of such variables with two values, and a^2 / b is convex in (a, b), two letters at a time
suffice: with rows P, Q of W and w = (b, 1 - b) on them

    eta = max over P, Q and b of  b (1 - b) sum_s (P - Q)_s^2 / (b P + (1 - b) Q)_s  =  1 - sum_s P_s Q_s / (b P + ..)_s

By Cauchy and Schwarz it is at most 1 - (sum_s sqrt(P_s Q_s))^2 for every b.

Reference: O. Ordentlich and Y. Polyanskiy, Strong data processing constant is achieved by binary inputs, IEEE Trans. IT
2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_AT_ONCE = 512  # pairs of rows
_HALVINGS = 24
_ROUNDING = 1e-13  # of the coefficient, which is at most 1


def contraction(channel: np.ndarray) -> float:
    """An upper bound on eta_KL of a channel, tight to 1e-10.

    Args:
        channel: W(s|x), shape (n, classes), its rows sum to one.

    >>> round(contraction(np.array([[0.9, 0.1], [0.1, 0.9]])), 9)  # (1 - 2 * .1)^2
    0.64
    """
    rows = np.unique(channel, axis=0)
    first, second = np.triu_indices(len(rows), 1)
    root = np.sqrt(rows)
    above = 1 - np.minimum(root @ root.T, 1)[first, second] ** 2
    order, largest = np.argsort(-above), 0.0
    for start in range(0, len(order), _AT_ONCE):
        pairs = order[start : start + _AT_ONCE]
        if above[pairs[0]] <= largest:
            break
        largest = max(largest, float(_of_pairs(rows[first[pairs]], rows[second[pairs]]).max()))
    return min(largest + _ROUNDING, 1.0) if len(order) else 0.0


def largest_total(labels: Sequence[np.ndarray], slopes: np.ndarray) -> float:
    """The largest total of the labels' slopes, in their ratios, at which H(w) - sum_k slope_k H(wP_k) is concave.

    Several labels are one whose channel draws the label first, in proportion to its slope: one class for each label's.

    Args:
        labels: P(S_k|x), each of shape (n, classes_k).
        slopes: >= 0, not all zero, shape (labels,).

    >>> channel = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> round(largest_total([channel, np.eye(2)], np.array([3.0, 1.0])), 6)  # 1 / (.75 * .64 + .25)
    1.369863
    """
    shares = slopes / slopes.sum()
    together = np.concatenate([share * label for share, label in zip(shares, labels, strict=True)], 1)
    return 1 / max(contraction(together), 1e-300)


def _of_pairs(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Upper bounds on the coefficients of two rows each: the sum is convex in b, so that a tangent bounds it below."""
    both = p * q

    def sums(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = np.where(both > 0, b[:, None] * p + (1 - b)[:, None] * q, 1)
        return (both / mean).sum(1), -(both * (p - q) / mean**2).sum(1)

    low, high = np.zeros(len(p)), np.ones(len(p))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        falls = sums(middle)[1] <= 0
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    value, slope = sums(low)
    return 1 - value - np.minimum(slope, 0) * (high - low)
