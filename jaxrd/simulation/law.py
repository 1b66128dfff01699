"""What the index of a simulated channel must look like: its exact law, and what coding it may cost."""

import numpy as np
from numpy.typing import ArrayLike

from jaxrd.information import NATS_PER_BIT


def mean_index(channel: ArrayLike, law: ArrayLike) -> np.ndarray:
    """Mean of the index given source letter and reproduction, E[J | x, y] = 1 + e(y), where J is geometric on 1, 2, ...

    e(y) = sum_y' q(y') max(r(y) - r(y'), 0) with r = W(.|x) / q. Given that the winner of score theta is y, the
    candidates before it are Poisson of mean theta e(y), and theta is exponential of mean one.

    Args:
        channel: W(y|x), shape (..., reproductions).
        law: q, shape (reproductions,); its scale is taken out.

    Returns:
        Shape of `channel`; where q is zero, 1.

    >>> mean_index([0.9, 0.1], [0.5, 0.5]).tolist()
    [1.8, 1.0]
    """
    q = np.asarray(law, np.float64)
    q = q / q.sum()
    r = np.where(q > 0, np.asarray(channel, np.float64) / np.where(q > 0, q, 1), 0)
    order = np.argsort(r, axis=-1)
    ranked, mass = np.take_along_axis(r, order, -1), q[order]
    excess = ranked * np.cumsum(mass, -1) - np.cumsum(mass * ranked, -1)
    back = np.empty_like(r)
    np.put_along_axis(back, order, np.maximum(excess, 0), -1)
    return 1 + back


def payload_bound(information: float, samples: int, block: int = 1) -> float:
    """Bound on the mean payload a sample, nats: I + (blocks / samples) (log2(nI + 2) + 3) ln 2, nI in bits.

    E log2 J <= nI + 1 and the Zipf code of exponent 1 + 1 / (nI + 1) rounded up to whole bits; blocks / samples is
    1/n where n divides the samples. Sharing one range coder among blocks spares the rounding and costs at most 64
    bits at its end, which this does not count. No prefix code is below I.

    Args:
        information: I(X; Y) a sample, nats.
        samples: how many are coded.
        block: n, samples coded together.

    >>> round(payload_bound(2 * NATS_PER_BIT, 100, 2) / NATS_PER_BIT, 4)  # 2 + (log2(6) + 3) / 2
    4.7925
    """
    bits = block * information / NATS_PER_BIT
    return information + -(-samples // block) / samples * (float(np.log2(bits + 2)) + 3) * NATS_PER_BIT


def index_entropy(indices: ArrayLike) -> tuple[float, float]:
    """Plug-in entropy of indices, H of their frequencies, and how far below the truth it is to first order; nats.

    The second is (distinct values - 1) / (2 blocks), Miller and Madow's; where it is not small, neither number is
    to be trusted: the first cannot exceed ln(blocks).

    Args:
        indices: J, int, shape (blocks,).

    >>> [round(float(h), 4) for h in index_entropy([1, 1, 2, 2])]
    [0.6931, 0.125]
    """
    counts = np.unique(np.asarray(indices), return_counts=True)[1]
    frequencies = counts / counts.sum()
    plug_in = -(frequencies * np.log(frequencies)).sum()
    return max(float(plug_in), 0.0), (len(counts) - 1) / (2 * int(counts.sum()))
