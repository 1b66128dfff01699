"""Any pmf, Hamming distortion (Erokhin): the oracle curve of a class prior."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import NUMBER, SLOPE, WEIGHTS, closed_form
from jaxrd.closed_form._root import monotone_root, vertical
from jaxrd.errors import InputError
from jaxrd.information import entropy, normalised, without_rounding


class _Sorted(NamedTuple):
    """A pmf in falling order with what the formulas sum over it; index k - 1 stands for a support of k letters."""

    pmf: jax.Array  # (M,)
    order: jax.Array  # (M,): where each came from
    tail: jax.Array  # (M,): mass beyond the first k
    breakpoint: jax.Array  # (M,): D_k = (k-1) p_k + tail_k; support k on D_{k+1} <= D <= D_k
    size: jax.Array  # (M,): k


def _sort(pmf: ArrayLike, other: ArrayLike) -> tuple[_Sorted, jax.Array]:
    p, x = jnp.asarray(pmf), jnp.asarray(other)
    if p.ndim != 1 or p.size == 0:
        raise InputError(f"pmf must have shape (letters,); got {p.shape}. For many sources, use jax.vmap.")
    dtype = jnp.promote_types(jnp.result_type(p, x), jnp.float32)
    order = jnp.argsort(-p, stable=True)
    p = normalised(p.astype(dtype))[order]
    tail = jnp.concatenate([jnp.cumsum(p[::-1])[::-1][1:], jnp.zeros(1, dtype)])
    count = jnp.arange(1, p.size + 1)
    return _Sorted(p, order, tail, (count - 1) * p + tail, count), x.astype(dtype)


def _support(sorted_: _Sorted, d: jax.Array) -> jax.Array:
    """k, the letters in use at distortion d; 1 at and beyond D_max, where rounding must not leave k undefined."""
    return jnp.maximum((sorted_.breakpoint[1:] > d[..., None]).sum(-1) + 1, 1)


def _level(sorted_: _Sorted, d: jax.Array, k: jax.Array) -> jax.Array:
    """theta = (D - tail_k) / (k - 1), the probability p(x|y) of each wrong letter in use."""
    several = k > 1
    return jnp.where(several, jnp.maximum(d - sorted_.tail[k - 1], 0) / jnp.where(several, k - 1, 1), 0)


@closed_form(pmf=WEIGHTS, distortion=NUMBER)
def rate(pmf: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """R(D) = - sum_{i<=k} p_i ln p_i + (1-D) ln(1-D) + (k-1) theta ln theta, theta = (D - sum_{i>k} p_i)/(k-1).

    k letters are in use on D_{k+1} <= D <= D_k, D_k = (k-1) p_k + sum_{i>k} p_i, the pmf in falling order.
    R(0) = H(p); 0 for D >= 1 - max p; +inf for D < 0.

    Args:
        pmf: p, shape (letters,), taken as p / sum p.
        distortion: probability of error, any shape.

    Returns:
        Nats, shape of `distortion`.

    Raises:
        ValueError: pmf is not one-dimensional.

    Reference: V. Erokhin, epsilon-entropy of a discrete random variable, Theory Probab. Appl. 1958.
    For a uniform pmf: [A], appendix.

    >>> round(float(rate(jnp.full(4, 0.25), 0.3)), 4)
    0.4458
    """
    s, d = _sort(pmf, distortion)
    d_max = s.tail[0]
    lossy = (d > 0) & (d < d_max)
    safe = jnp.where(lossy, d, 0.5 * d_max)
    k = _support(s, safe)
    theta = _level(s, safe, k)[..., None]
    correct = (1 - safe)[..., None]
    used = s.size <= k[..., None]
    # p_i = q_i (1-D) + (1-q_i) theta: as a mean of relative entropies every term is >= 0 and nothing cancels.
    spread = correct - theta
    spread = jnp.where(spread > 0, spread, 1)
    right = jnp.where(used, (s.pmf - theta) / spread, 0)
    wrong = jnp.where(used, (correct - s.pmf) / spread, 0)
    p = jnp.where(used, s.pmf, 1)
    safe_theta = jnp.where(theta > 0, theta, 1)
    terms = right * _divergence(correct, p) + wrong * _divergence(safe_theta, p)
    value = jnp.where(used, terms, 0).sum(-1)
    value = jnp.where(lossy, without_rounding(value), 0)
    occurs = s.pmf > 0  # an empty class must not spoil the gradient
    lossless = -jnp.where(occurs, s.pmf * jnp.log(jnp.where(occurs, s.pmf, 1)), 0).sum()
    # A source of one letter alone has the rate zero at D = 0 too.
    least = jnp.where(d_max > 0, d, 1)
    return jnp.where(d < 0, jnp.inf, jnp.where(least == 0, lossless, value)) + vertical(least)


_rate = rate  # the inverse has an argument of that name


def _divergence(a: jax.Array, p: jax.Array) -> jax.Array:
    """a ln(a/p) - a + p >= 0."""
    return a * jnp.log(a / p) - a + p


@closed_form(pmf=WEIGHTS, distortion=NUMBER)
def slope(pmf: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """-dR/dD = ln((1-D)/theta), nats per unit; +inf at D <= 0 and 0 for D >= D_max, where it jumps by ln(p_1/p_2).

    >>> round(float(slope(jnp.full(2, 0.5), 0.25)), 6)  # ln 3
    1.098612
    """
    s, d = _sort(pmf, distortion)
    k = _support(s, d)
    theta = _level(s, d, k)
    lossy = (k > 1) & (theta > 0)
    value = jnp.log(jnp.where(lossy, (1 - d) / jnp.where(lossy, theta, 1), 1))
    return jnp.where(k > 1, jnp.where(theta > 0, value, jnp.inf), 0)


@closed_form(pmf=WEIGHTS, distortion=NUMBER)
def reproduction(pmf: ArrayLike, distortion: ArrayLike) -> jax.Array:
    """The optimal output pmf q_i = (p_i - theta)/(1 - D - theta) on the k likeliest letters, in the pmf's order.

    At and beyond D_max: the likeliest letter (the first, if several tie: any is optimal). NaN for D < 0.

    Returns:
        Shape of `distortion` + (letters,).

    >>> [round(float(q), 3) for q in reproduction(jnp.array([0.2, 0.8]), 0.1)]
    [0.125, 0.875]
    """
    s, d = _sort(pmf, distortion)
    k = _support(s, d)
    theta = _level(s, d, k)[..., None]
    lossy = (k > 1)[..., None]
    spread = jnp.where(lossy, 1 - d[..., None] - theta, 1)
    q = jnp.where(lossy, (s.pmf - theta) / spread, jnp.where(s.size == 1, 1.0, 0.0))
    q = jnp.where(s.size <= k[..., None], q, 0)
    q = jnp.where(d[..., None] < 0, jnp.nan, q)
    return jnp.zeros_like(q).at[..., s.order].set(q)


@closed_form(pmf=WEIGHTS, slope=SLOPE)
def distortion_at_slope(pmf: ArrayLike, slope: ArrayLike) -> jax.Array:
    """The distortion where the curve has the slope s: D = tail_k + (k-1) head_k / (e^s + k - 1).

    Args:
        pmf: p, shape (letters,).
        slope: s >= 0, nats per unit, any shape. Below ln(p_1/p_2): D_max.

    >>> round(float(distortion_at_slope(jnp.full(2, 0.5), 1.0986123)), 6)
    0.25
    """
    sorted_, s = _sort(pmf, slope)
    shrink = jnp.exp(-s)[..., None]
    head = jnp.cumsum(sorted_.pmf)
    theta = head * shrink / (1 + (sorted_.size - 1) * shrink)
    k = jnp.maximum((sorted_.pmf > theta).sum(-1), 1)
    level = jnp.take_along_axis(theta, k[..., None] - 1, -1)[..., 0]
    return sorted_.tail[k - 1] + (k - 1) * level


@closed_form(pmf=WEIGHTS, rate=NUMBER)
def distortion(pmf: ArrayLike, rate: ArrayLike) -> jax.Array:
    """D(R), the inverse of `rate`; 0 for R >= H(p), +inf for R < 0.

    >>> round(float(distortion(jnp.full(4, 0.25), 0.445846)), 4)
    0.3
    """
    s, r = _sort(pmf, rate)
    d_max = s.tail[0]
    lossy = (r > 0) & (r < entropy(s.pmf))
    aim = jnp.where(lossy, r, 0.5 * _rate(s.pmf, 0.5 * d_max))
    low, high = jnp.zeros_like(r), jnp.broadcast_to(d_max, r.shape)
    root = monotone_root(lambda d: aim - _rate(s.pmf, d), low, high)
    return jnp.where(lossy, root, jnp.where(r < 0, jnp.inf, jnp.where(r == 0, d_max, 0)))
