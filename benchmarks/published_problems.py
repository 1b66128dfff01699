"""The problems of `published.py`: ours, the judge and the rivals of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from published_steps import (
    Iteration,
    alternating_sinkhorn,
    blahut_arimoto,
    bottleneck_ot,
    communication_ot,
    constrained_ba,
    newton_alternating,
    primal_dual,
    relaxed_alternating,
)

from jaxrd import Problem, rate_at
from jaxrd.information import entropy, mutual_information
from jaxrd.rdc import bottleneck_rate, measures, perceptual_rate
from jaxrd.rdc.perception.transport import wasserstein_on_line

_ENTROPIES = (1e-2, 1e-3, 1e-4)  # of the coupling, in units of the cost


class Case(NamedTuple):
    """One problem: ours as a function of the tolerance, the judge, and its rivals by name."""

    ours: Callable[[float], tuple[float, float]]  # rate, lower
    cost: Callable[[np.ndarray], float]  # rate of a channel, and what exceeds its targets, priced
    lower: float  # certified
    bound: Callable[[Any], float]  # that an iteration's dual variables give
    rivals: dict[str, Iteration]


def line(letters: int, width: float, density: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Equally spaced letters on [-width, width] and their pmf."""
    x = np.linspace(-width, width, letters)
    p = density(x)
    return x, p / p.sum()


def gaussian(x: np.ndarray) -> np.ndarray:
    """The standard normal density, not normalised."""
    return np.exp(-(x**2) / 2)


def priced(
    p: np.ndarray, costs: list[Callable[[np.ndarray], float]], targets: list[float], slopes: list[float]
) -> Callable[[np.ndarray], float]:
    """I + sum_k mu_k max(E_k - C_k, 0) of a channel, NaN where it is not one."""

    def cost(channel: np.ndarray) -> float:
        if not np.isfinite(channel).all() or not np.allclose(channel.sum(1), 1, atol=1e-9):
            return float("nan")
        spent = zip(costs, targets, slopes, strict=True)
        return float(mutual_information(p, channel)) + sum(mu * max(e(channel) - c, 0.0) for e, c, mu in spent)

    return cost


def dual_bound(
    p: np.ndarray, d: np.ndarray, bound: float, measure: Any = None, least: float = 0.0
) -> Callable[[Any], float]:
    """The lower bound on R that (q, s, dual variables of the measure) give: F(q) - ln max c - s D + the dual term."""

    def value(dual: tuple[Any, Any, dict[str, Any]]) -> float:
        q, s, inner = dual
        psi = np.asarray(inner.get("potential", np.zeros(len(d[0]))))
        kernel = np.exp(-(float(s) * (d - d.min(1, keepdims=True)) + psi - psi.min()))
        z = kernel @ np.asarray(q)
        value = -p @ np.log(z) - np.log(((p / z) @ kernel).max()) + psi.min() + float(s) * (p @ d.min(1) - bound)
        return float(value) + (0.0 if measure is None else float(measure.certified(inner, p, least)))

    return value


def mean_cost(p: np.ndarray, d: np.ndarray) -> Callable[[np.ndarray], float]:
    """E d of a channel."""
    return lambda channel: float((p[:, None] * channel * d).sum())


def rate_distortion(p: np.ndarray, d: np.ndarray, bound: float) -> Case:
    """R(D) at one D."""
    problem = Problem(p, d)
    best = rate_at(problem, bound)

    def ours(tol: float) -> tuple[float, float]:
        point = jax.block_until_ready(rate_at(problem, bound, tol=tol))
        return float(point.rate), float(point.lower)

    slope = float(best.slope)
    cost = priced(p, [mean_cost(p, d)], [bound], [slope])
    a, b = jax.device_put((p, d))
    rivals = {
        "constrained BA": constrained_ba(a, b, bound),
        "communication OT": communication_ot(a, b, bound),
        "BA, slope given": blahut_arimoto(a, b, slope),
    }
    return Case(ours, cost, float(best.lower), dual_bound(p, d, bound), rivals)


def perception(
    p: np.ndarray, d: np.ndarray, bound: float, least: float, measure: Any, value: Callable[[np.ndarray], float],
    rivals: Callable[[float, float], dict[str, Iteration]],
) -> Case:  # fmt: skip
    """R(D, P) at one pair; `value` is the measure at an output law."""
    problem = Problem(p, d)
    best = perceptual_rate(problem, bound, least, measure=measure)
    assert best.converged, best

    def ours(tol: float) -> tuple[float, float]:
        point = jax.block_until_ready(perceptual_rate(problem, bound, least, measure=measure, tol=tol))
        return float(point.rate), float(point.lower)

    slopes = [float(best.distortion_slope), float(best.perception_slope)]
    costs = [mean_cost(p, d), lambda channel: value(p @ channel)]
    cost = priced(p, costs, [bound, least], slopes)
    lower = dual_bound(p, d, bound, measure, least)
    return Case(ours, cost, float(best.lower), lower, rivals(slopes[0], slopes[1]))


def bottleneck(p: np.ndarray, labels: np.ndarray, bound: float) -> Case:
    """The least rate at one conditional entropy of the label."""
    best = bottleneck_rate(p, labels, bound)

    def ours(tol: float) -> tuple[float, float]:
        point = bottleneck_rate(p, labels, bound, tol=tol)
        return float(point.rate), float(point.lower)

    def loss(channel: np.ndarray) -> float:
        joint = channel.T @ (p[:, None] * labels)
        return float(entropy(jnp.asarray(joint.ravel())) - entropy(jnp.asarray(joint.sum(1))))

    cost = priced(p, [loss], [bound], [float(best.classification_slope[0])])
    a, b = jax.device_put((p, labels))
    rivals = {f"IB by OT, start {seed}": bottleneck_ot(a, b, bound, len(p), jax.random.key(seed)) for seed in range(3)}
    return Case(ours, cost, float(best.lower), lambda dual: float("nan"), rivals)


def cases(small: bool = False) -> dict[str, Callable[[], Case]]:
    """The problems by name; small: of a few letters, for tests."""
    many, some, few = (8, 6, 4) if small else (100, 30, 10)

    def rd_line(width: float, density: Callable[[np.ndarray], np.ndarray], power: int, bound: float) -> Case:
        x, p = line(many, width, density)
        return rate_distortion(p, np.abs(x[:, None] - x) ** power, bound)

    def hamming() -> tuple[np.ndarray, np.ndarray]:
        p = 0.8 ** np.arange(few)
        return p / p.sum(), 1 - np.eye(few)

    def total_variation() -> Case:
        p, d = hamming()
        a, b = jax.device_put((p, d))
        return perception(
            p, d, 0.3, 0.05, measures.TotalVariation(), lambda r: 0.5 * float(np.abs(p - r).sum()),
            lambda s, nu: {"primal-dual": primal_dual(a, b, 0.3, 0.05)},
        )  # fmt: skip

    def divergence() -> Case:
        p, d = hamming()
        a, b = jax.device_put((p, d))

        def value(r: np.ndarray) -> float:
            return float(p @ np.log(p / np.maximum(r, 1e-300)))

        return perception(
            p, d, 0.3, 0.05, measures.RelativeEntropy(), value,
            lambda s, nu: {
                "RAM, slopes given": relaxed_alternating(a, b, s, nu),
                "NAM, slopes given": newton_alternating(a, b, s, nu),
            },
        )  # fmt: skip

    def transport() -> Case:
        x, p = line(some, 3.0, gaussian)
        d = (x[:, None] - x) ** 2
        a, b = jax.device_put((p, d))
        return perception(
            p, d, 0.5, 0.05, measures.Wasserstein(d), lambda r: float(wasserstein_on_line(p, x, r, x)),
            lambda s, nu: {
                f"alternating Sinkhorn, entropy {e:g}": alternating_sinkhorn(a, b, 0.5, b, 0.05, e) for e in _ENTROPIES
            },
        )  # fmt: skip

    def binary_label() -> Case:
        x, p = line(some, 3.0, gaussian)
        on = 1 / (1 + np.exp(-2 * x))
        return bottleneck(p, np.stack([1 - on, on], 1), 0.5)

    return {
        "rd-gaussian": lambda: rd_line(8.0 if not small else 2.0, gaussian, 2, 0.1 if not small else 0.3),
        "rd-laplacian": lambda: rd_line(8.0 if not small else 2.0, lambda x: np.exp(-np.abs(x)), 1, 0.2),
        "rd-uniform": lambda: rd_line(1.0, np.ones_like, 2, 0.02),
        "rd-hamming": lambda: rate_distortion(np.full(many, 1 / many), 1 - np.eye(many), 0.1),
        "rdp-tv": total_variation,
        "rdp-kl": divergence,
        "rdp-w2": transport,
        "ib-binary": binary_label,
    }
