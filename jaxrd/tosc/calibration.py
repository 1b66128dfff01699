"""Temperature scaling: one number that makes a classifier's confidence believable."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.nn import log_softmax
from jax.typing import ArrayLike

LARGEST_INVERSE = 1e6  # of logits that spread over one unit


@jax.jit
def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> jax.Array:
    """The temperature T that minimises the mean of -ln softmax(logits / T)_label, by Newton in 1/T.

    The loss is convex in 1/T; a step changes 1/T at most fourfold. Where every label has the largest logit of its
    row the loss falls for ever as T -> 0: there is nothing to fit, and T = 1.

    Args:
        logits: shape (samples, classes).
        labels: int, shape (samples,).

    Returns:
        T > 0, shape ().

    Reference: C. Guo et al., On calibration of modern neural networks, ICML 2017.

    >>> round(float(fit_temperature(jnp.array([[2.0, 0.0]] * 4), jnp.array([0, 0, 0, 1]))), 4)  # 2 / ln 3
    1.8205
    """
    z = jnp.asarray(logits)
    z = z - z.max(1, keepdims=True)
    unit = jnp.maximum(-z.min(), jnp.finfo(z.dtype).tiny)
    z = z / unit
    z_label = jnp.take_along_axis(z, jnp.asarray(labels)[:, None], 1)[:, 0]
    separated = (z_label >= 0).all()

    def derivatives(inverse):
        v = jax.nn.softmax(inverse * z, axis=1)
        mean = (v * z).sum(1)
        return (mean - z_label).mean(), ((v * (z - mean[:, None]) ** 2).sum(1)).mean()

    def newton(state):
        inverse, _, step = state
        gradient, curvature = derivatives(inverse)
        aim = inverse - gradient / jnp.where(curvature > 0, curvature, 1)
        far = jnp.where(gradient < 0, 4 * inverse, inverse / 4)  # flat: no curvature to judge the step by
        new = jnp.clip(jnp.where(curvature > 0, aim, far), inverse / 4, 4 * inverse)
        new = jnp.minimum(new, LARGEST_INVERSE)
        return new, jnp.abs(new - inverse) > 4 * jnp.finfo(z.dtype).eps * inverse, step + 1

    start = (jnp.ones((), z.dtype), jnp.bool_(True), jnp.int32(0))
    inverse = jax.lax.while_loop(lambda s: s[1] & (s[2] < 200), newton, start)[0]
    return jnp.where(separated, 1, unit / inverse)


@jax.jit
def log_posterior(logits: ArrayLike, temperature: ArrayLike = 1.0) -> jax.Array:
    """ln v = log-softmax(logits / T), shape (samples, classes): [A] eq. (7), at a temperature.

    >>> [round(float(v), 4) for v in log_posterior(jnp.zeros((1, 2)))[0]]
    [-0.6931, -0.6931]
    """
    z = jnp.asarray(logits)
    # The largest becomes exactly 0 before the division: a small temperature cannot overflow it.
    return log_softmax((z - z.max(1, keepdims=True)) / temperature, axis=1)
