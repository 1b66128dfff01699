"""The Gaussian information bottleneck: what R nats about X can say about a jointly Gaussian S."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxrd.closed_form._checked import CORRELATIONS, NUMBER, closed_form


@closed_form(correlations=CORRELATIONS, rate=NUMBER)
def information(correlations: ArrayLike, rate: ArrayLike) -> jax.Array:
    """I(R) = max sum_i -1/2 ln(1 - rho_i^2 (1 - e^{-2 R_i})) subject to sum_i R_i = R, R_i >= 0, nats.

    For one correlation it is I = -1/2 ln(1 - rho^2 (1 - e^{-2R})). For several, R_i = max{(w - a_i)/2, 0} with
    a_i = ln((1 - rho_i^2)/rho_i^2) and a common level w: water-filling.

    Args:
        correlations: canonical correlations rho_i of (X, S), in [-1, 1], a scalar or shape (k,).
        rate: R >= 0, nats, any shape; NaN for R < 0.

    Returns:
        I(S;U), nats, shape of `rate`.

    Reference: G. Chechik et al., Information bottleneck for Gaussian variables, JMLR 2005.

    >>> round(float(information(0.7, 0.1)), 6)
    0.046508
    """
    rho, r = jnp.atleast_1d(jnp.asarray(correlations)), jnp.asarray(rate)
    dtype = jnp.promote_types(jnp.result_type(rho, r), jnp.float32)
    squared = -jnp.sort(-(rho.astype(dtype) ** 2))
    r = r.astype(dtype)
    # rho = 1 costs a_i = -inf (all rate goes there, one nat for a nat), rho = 0 a_i = +inf (none does).
    tiny = jnp.finfo(dtype).tiny
    a = jnp.log(jnp.maximum(1 - squared, tiny)) - jnp.log(jnp.maximum(squared, tiny))
    count = jnp.arange(1, a.size + 1)
    level = ((2 * r[..., None] + jnp.cumsum(a)) / count).min(-1, keepdims=True)
    share = jnp.maximum(level - a, 0) / 2
    value = -0.5 * jnp.log1p(squared * jnp.expm1(-2 * share)).sum(-1)
    value = jnp.where(squared[0] >= 1, r, value)
    return jnp.where(r >= 0, value, jnp.nan)
