"""Perception measures: how far the law of the reproductions lies from the law of the source.

Each is a small pytree with the same few functions: its value, and the pieces of its dual, from which a certified
program is built (`jaxrd.rdc.perception.program`). For potentials psi on the reproduction letters and a multiplier nu
of the constraint measure(p, r) <= P, the dual term is

    min over r of  nu (measure(p, r) - P) - psi.r,

a concave function whose value at any (psi, nu) bounds from below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from jaxrd.information import relative_entropy
from jaxrd.pytree import register
from jaxrd.rdc.perception.pairs import Pairs
from jaxrd.rdc.perception.relaxed import RELAXED, relaxed
from jaxrd.rdc.perception.transport import exact_marginals

_LEAST = 1e-13
"""Least multiplier of a divergence: its dual divides by it."""
PROHIBITIVE = 1e3
"""A potential, nats, that no atom can afford."""
_UNBOUNDED = 50.0
"""A divergence, nats, taken for no bound at all."""


def _total_variation(source: ArrayLike, pmf: ArrayLike) -> jax.Array:
    """Total variation, 1/2 sum_y |p_y - r_y|.

    >>> float(_total_variation(jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])))
    0.25
    """
    return 0.5 * jnp.abs(jnp.asarray(source) - jnp.asarray(pmf)).sum()


def move(pmf: jax.Array, target: jax.Array) -> jax.Array:
    """The channel that turns one pmf into another and changes letters least often: 1/2 sum_y |p_y - t_y|.

    Args:
        pmf: p, shape (m,).
        target: t, a pmf, shape (m,).

    Returns:
        The channel W(target letter | letter), shape (m, m), rows summing to one.

    Reference: D. Levin and Y. Peres, Markov Chains and Mixing Times, Proposition 4.7.

    >>> move(jnp.array([0.75, 0.25]), jnp.array([0.375, 0.625])).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    # The two are not compared: a larger program may compute them twice, and round them differently.
    stays = jnp.minimum(1, target / jnp.where(pmf > 0, pmf, 1))
    short = jnp.maximum(target - pmf, 0)
    total = short.sum()
    added = short / jnp.where(total > 0, total, 1)
    return jnp.diag(jnp.where(total > 0, stays, 1)) + jnp.where(total > 0, jnp.outer(1 - stays, added), 0)


def _towards(source: jax.Array, pmf: jax.Array, value: jax.Array, bound: jax.Array) -> jax.Array:
    """The mixture of `pmf` with `source` that meets the bound, for a convex measure that is `value` at `pmf`."""
    share = jnp.clip(1 - bound / jnp.where(value > 0, value, 1), 0, 1)
    share = jnp.where(value > bound, share, 0)
    return (1 - share) * pmf + share * source


@register
@dataclass(frozen=True)
class TotalVariation:
    """Total variation, 1/2 sum_y |p_y - r_y| in [0, 1], between source and reproductions of one alphabet.

    Reference: Y. Blau and T. Michaeli, ICML 2019 ([B]'s [8]).

    >>> law, other = jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])
    >>> float(TotalVariation().meet(law, other, jnp.asarray(1.0), jnp.zeros(0))[1])
    0.25
    """

    def largest(self, source: jax.Array) -> jax.Array:
        """A bound that constrains nothing."""
        return jnp.ones((), source.dtype)

    def start(self, source: jax.Array) -> Any:
        """Dual variables strictly inside the constraints."""
        return {"potential": jnp.zeros_like(source), "ends": jnp.array([-0.5, 0.5], source.dtype)}

    def constraints(self, dual: Any) -> jax.Array:
        """What must be <= 0: psi lies in an interval of length nu; a common shift of psi changes nothing."""
        return jnp.concatenate([dual["ends"][0] - dual["potential"], dual["potential"] - dual["ends"][1]])

    def term(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term, inside the constraints: - psi.p - nu P."""
        return -dual["potential"] @ source - jnp.diff(dual["ends"])[0] * relaxed(bound)

    def potential(self, dual: Any, source: jax.Array) -> jax.Array:
        """psi."""
        return dual["potential"]

    def slope(self, dual: Any) -> jax.Array:
        """-dR/dP."""
        return dual["potential"].max() - dual["potential"].min()

    def certified(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term at any potentials: nu is then at least their range."""
        psi = dual["potential"]
        return -psi @ source - (psi.max() - psi.min()) * bound

    def meet(
        self, source: jax.Array, pmf: jax.Array, bound: jax.Array, multipliers: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """A pmf near `pmf` that meets the bound, and the measure there."""
        met = _towards(source, pmf, _total_variation(source, pmf), bound)
        return met, _total_variation(source, met)


@register
@dataclass(frozen=True)
class Wasserstein:
    """Optimal transport cost, min over couplings of E c(X, Xh) with the given laws; W2^2 for c = |x - xh|^2.

    Args:
        cost: c >= 0 between source and reproduction letters, finite, any unit, which is that of P; shape (n, m).

    Reference: [B] Theorem 4 (W2^2).

    >>> float(Wasserstein(jnp.array([[0.0, 4.0], [4.0, 0.0]])).largest(jnp.array([0.5, 0.5])))  # no plan costs more
    4.0
    """

    cost: ArrayLike

    @property
    def _scaled(self) -> tuple[jax.Array, jax.Array]:
        cost = jnp.asarray(self.cost)
        scale = jnp.where(cost.max() > 0, cost.max(), 1)
        return cost / scale, scale

    def largest(self, source: jax.Array) -> jax.Array:
        """A bound that constrains nothing."""
        return jnp.asarray(self.cost).max()

    def start(self, source: jax.Array) -> Any:
        """Dual variables strictly inside the constraints."""
        letters = jnp.shape(self.cost)[1]
        return {
            "potential": jnp.zeros(letters, source.dtype),
            "source_potential": jnp.full_like(source, -1),
            "multiplier": jnp.ones((), source.dtype),
        }

    def constraints(self, dual: Any) -> jax.Array:
        """What must be <= 0 beside the pairs: 0 <= nu."""
        return -dual["multiplier"][None]

    def pairs(self, dual: Any) -> Pairs:
        """What must be <= 0 for each pair of letters: gamma_x + psi_y - nu c_xy; the multipliers are a coupling."""
        cost = self._scaled[0][None]
        return Pairs(dual["source_potential"], (dual["potential"],), dual["multiplier"][None], cost, 1.0)

    def potential(self, dual: Any, source: jax.Array) -> jax.Array:
        """psi."""
        return dual["potential"]

    def slope(self, dual: Any) -> jax.Array:
        """-dR/dP."""
        return dual["multiplier"] / self._scaled[1]

    def term(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term, inside the constraints: p.gamma - nu P."""
        bound = relaxed(bound / self._scaled[1])
        return dual["source_potential"] @ source - dual["multiplier"] * bound

    def certified(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term at any psi and nu >= 0: gamma_x = min_y nu c_xy - psi_y."""
        cost, scale = self._scaled
        nu = jnp.maximum(dual["multiplier"], 0)
        return source @ (nu * cost - dual["potential"]).min(1) - nu * bound / scale

    def meet(
        self, source: jax.Array, pmf: jax.Array, bound: jax.Array, multipliers: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """A pmf near `pmf` that meets the bound, and the cost of a coupling with it, which bounds the measure."""
        cost = jnp.asarray(self.cost)
        coupling = exact_marginals(multipliers, source, pmf)
        value = (coupling * cost).sum()
        nearest = jax.nn.one_hot(cost.argmin(1), cost.shape[1], dtype=cost.dtype)
        least = source @ cost.min(1)
        share = jnp.where(value > bound, (value - bound) / jnp.where(value > least, value - least, 1), 0).clip(0, 1)
        return (1 - share) * pmf + share * (source @ nearest), (1 - share) * value + share * least


@register
@dataclass(frozen=True)
class RelativeEntropy:
    """Kullback-Leibler divergence KL(p||r) of the source from the reproductions, one alphabet, nats.

    Reference: Cover and Thomas, Elements of Information Theory, section 2.3; Y. Blau and T. Michaeli, ICML 2019.

    >>> law, other = jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])
    >>> round(float(RelativeEntropy().meet(law, other, jnp.asarray(1.0), jnp.zeros(0))[1]), 4)  # ln(4/3) / 2
    0.1438
    """

    def largest(self, source: jax.Array) -> jax.Array:
        """A bound taken for none at all."""
        return jnp.asarray(_UNBOUNDED, source.dtype)

    def start(self, source: jax.Array) -> Any:
        """Dual variables strictly inside the constraints."""
        return {"potential": jnp.zeros_like(source), "multiplier": jnp.ones((), source.dtype)}

    def constraints(self, dual: Any) -> jax.Array:
        """What must be <= 0: psi <= nu, 0 < nu."""
        return jnp.append(dual["potential"] - dual["multiplier"], _LEAST - dual["multiplier"])

    def potential(self, dual: Any, source: jax.Array) -> jax.Array:
        """psi."""
        return dual["potential"]

    def slope(self, dual: Any) -> jax.Array:
        """-dR/dP."""
        return dual["multiplier"]

    def term(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term, of KL(p||r) + sum r - 1: nu sum_y p_y ln(1 - psi_y / nu) - nu P."""
        return self.certified(dual, source, relaxed(bound))

    def certified(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term, valid at any psi < nu."""
        nu = dual["multiplier"]
        ratio = jnp.where(source > 0, dual["potential"] / nu, 0)
        return nu * (source @ jnp.log1p(-ratio) - bound)

    def meet(
        self, source: jax.Array, pmf: jax.Array, bound: jax.Array, multipliers: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """A pmf near `pmf` that meets the bound, and the measure there."""
        met = _towards(source, pmf, relative_entropy(source, pmf), bound)
        return met, relative_entropy(source, met)


@register
@dataclass(frozen=True)
class ReverseRelativeEntropy:
    """Kullback-Leibler divergence KL(r||p) of the reproductions from the source, one alphabet, nats.

    Reference: Cover and Thomas, Elements of Information Theory, section 2.3; Y. Blau and T. Michaeli, ICML 2019.

    >>> law, other = jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])
    >>> round(float(ReverseRelativeEntropy().meet(law, other, jnp.asarray(1.0), jnp.zeros(0))[1]), 4)  # ln 2 - h(1/4)
    0.1308
    """

    def largest(self, source: jax.Array) -> jax.Array:
        """A bound taken for none at all."""
        return jnp.asarray(_UNBOUNDED, source.dtype)

    def start(self, source: jax.Array) -> Any:
        """Dual variables strictly inside the constraints."""
        return {"potential": jnp.zeros_like(source), "multiplier": jnp.ones((), source.dtype)}

    def constraints(self, dual: Any) -> jax.Array:
        """What must be <= 0: 0 < nu."""
        return _LEAST - dual["multiplier"][None]

    def potential(self, dual: Any, source: jax.Array) -> jax.Array:
        """psi, prohibitive on letters that the source never sends: with one such letter the measure is infinite."""
        return dual["potential"] + jnp.where(source > 0, 0, PROHIBITIVE)

    def slope(self, dual: Any) -> jax.Array:
        """-dR/dP."""
        return dual["multiplier"]

    def term(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term, of KL(r||p) - sum r + 1: -nu sum_y p_y (e^{psi_y / nu} - 1) - nu P."""
        nu = dual["multiplier"]
        source = jnp.maximum(source, RELAXED)  # the potentials of letters never sent stay as they are
        return -nu * (source @ jnp.expm1(dual["potential"] / nu) + relaxed(bound))

    def certified(self, dual: Any, source: jax.Array, bound: jax.Array) -> jax.Array:
        """The dual term, at the best shift of psi: -nu ln sum_y p_y e^{psi_y / nu} - nu P."""
        nu = dual["multiplier"]
        return -nu * (logsumexp(dual["potential"] / nu, b=source) + bound)

    def meet(
        self, source: jax.Array, pmf: jax.Array, bound: jax.Array, multipliers: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """A pmf near `pmf` that meets the bound, and the measure there."""
        inside = jnp.where(source > 0, pmf, 0) / jnp.where(source > 0, pmf, 0).sum()
        met = _towards(source, inside, relative_entropy(inside, source), bound)
        return met, relative_entropy(met, source)
