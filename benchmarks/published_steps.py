"""One step of each published iteration, rebuilt from its paper's idea: no authors' code was read or used.

All are jitted, in float64, with the multiplier of the distortion found inside by Newton's method where the paper does.
A state is a tuple of arrays; `channel` gives P(xh|x) of one.

    constrained BA              arXiv 2305.02650
    communication OT            arXiv 2212.10098, for rate and distortion
    alternating Sinkhorn        arXiv 2304.14611, 2404.04681, for W2, entropy-regularised
    primal-dual                 arXiv 2508.13486 (rebuilt from its abstract)
    NAM, RAM                    arXiv 2408.15015, f-divergences, slopes given
    IB by optimal transport     arXiv 2308.11296
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

State = tuple[jax.Array, ...]
_NEWTON = 20


class Iteration(NamedTuple):
    """An iteration on one problem."""

    start: State
    step: Callable[[State], State]
    channel: Callable[[State], jax.Array]
    dual: Callable[[State], tuple[jax.Array, Any, dict[str, jax.Array]]] | None = None
    """Output law q, slope s and the measure's dual variables (`jaxrd.rdc.measures`): what a certificate needs."""


def _tempered(prior: jax.Array, cost: jax.Array, s: Any) -> jax.Array:
    """The channel proportional to prior e^{-s cost}; each row's least cost is 0."""
    terms = prior * jnp.exp(-s * cost)
    return terms / terms.sum(1, keepdims=True)


def _multiplier(p: jax.Array, prior: jax.Array, cost: jax.Array, bound: Any, s: jax.Array) -> jax.Array:
    """s >= 0 with E cost = bound, by Newton from the last one; steps are kept within a factor of two."""

    def moments(s: jax.Array) -> tuple[jax.Array, jax.Array]:
        w = _tempered(prior, cost, s)
        mean = (w * cost).sum(1)
        return p @ mean, p @ ((w * cost**2).sum(1) - mean**2)

    def unmet(state: tuple[jax.Array, ...]) -> jax.Array:
        _, mean, _, count = state
        return (jnp.abs(mean - bound) > 1e-13 * bound) & (count < _NEWTON)

    def newton(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        s, mean, variance, count = state
        s = jnp.clip(s + (mean - bound) / jnp.maximum(variance, 1e-300), 0.5 * s, 2 * s)
        return s, *moments(s), count + 1

    return jax.lax.while_loop(unmet, newton, (s, *moments(s), jnp.int32(0)))[0]


def _above(cost: jax.Array, bound: Any, p: jax.Array) -> tuple[jax.Array, Any]:
    least = cost.min(1)
    return cost - least[:, None], bound - p @ least


def constrained_ba(p: jax.Array, d: jax.Array, bound: float) -> Iteration:
    """Blahut and Arimoto's step, its slope s.t. E d = D at every step."""
    cost, bound = _above(d, bound, p)

    def step(state: State) -> State:
        q, s = state
        s = _multiplier(p, q, cost, bound, s)
        return p @ _tempered(q, cost, s), s

    m = d.shape[1]
    start = jnp.full(m, 1 / m), jnp.asarray(1 / bound)
    return Iteration(
        start, step, lambda state: _tempered(state[0], cost, state[1]), lambda state: (state[0], state[1], {})
    )


def blahut_arimoto(p: jax.Array, d: jax.Array, slope: float) -> Iteration:
    """Blahut and Arimoto's step at the optimal slope, which is given: a search for it is not counted."""
    kernel = jnp.exp(-slope * (d - d.min(1, keepdims=True)))

    def step(state: State) -> State:
        (q,) = state
        return (q * ((p / (kernel @ q)) @ kernel),)

    def channel(state: State) -> jax.Array:
        return kernel * state[0] / (kernel @ state[0])[:, None]

    start = (jnp.full(d.shape[1], 1 / d.shape[1]),)
    return Iteration(start, step, channel, lambda state: (state[0], slope, {}))


def _simplex(mass: jax.Array, dual: jax.Array, eta: jax.Array) -> tuple[jax.Array, jax.Array]:
    """r_j = mass_j / (eta + dual_j) with sum 1: eta by Newton on the monotone sum."""
    low = -dual.min() + 1e-12

    def newton(_: int, eta: jax.Array) -> jax.Array:
        r = mass / (eta + dual)
        excess = r.sum() - 1
        return jnp.maximum(eta + excess * r.sum() / jnp.maximum((r / (eta + dual)).sum(), 1e-300), 0.5 * (eta + low))

    eta = jax.lax.fori_loop(0, 8, newton, jnp.maximum(eta, low + 1e-3))
    r = mass / (eta + dual)
    return r / r.sum(), eta


def communication_ot(p: jax.Array, d: jax.Array, bound: float) -> Iteration:
    """The transport form: min sum pW ln(W/r), both marginals of pW held, r moved with their duals held."""
    cost, bound = _above(d, bound, p)
    m = d.shape[1]

    def step(state: State) -> State:
        r, dual, s, eta = state
        s = _multiplier(p, r * jnp.exp(dual), cost, bound, s)
        w = p @ _tempered(r * jnp.exp(dual), cost, s)
        dual = dual + jnp.log(jnp.maximum(r, 1e-300) / jnp.maximum(w, 1e-300))  # Sinkhorn's scaling of columns
        dual = dual - r @ dual
        r, eta = _simplex(p @ _tempered(r * jnp.exp(dual), cost, s), dual, eta)
        return r, dual, s, eta

    start = jnp.full(m, 1 / m), jnp.zeros(m), jnp.asarray(1 / bound), jnp.ones(())
    return Iteration(
        start, step, lambda state: _tempered(state[0] * jnp.exp(state[1]), cost, state[2]),
        lambda state: (state[0], state[2], {}),
    )  # fmt: skip


def _divergence_dual(p: jax.Array, r: jax.Array, slope: float) -> dict[str, jax.Array]:
    """psi = nu (1 - p/r), which is the measure's dual variable at the law r."""
    return {"potential": slope * (1 - p / r), "multiplier": jnp.asarray(slope)}


def relaxed_alternating(p: jax.Array, d: jax.Array, slope: float, perception_slope: float) -> Iteration:
    """RAM for KL(p||r): W prop. to q exp(-s d - nu f'(q)), the derivative -p/q at the last output law."""
    cost = d - d.min(1, keepdims=True)

    def at(q: jax.Array) -> jax.Array:
        # The derivative at rates of p/q below e^700; a shift of it changes nothing.
        tilt = perception_slope * p / q
        logits = jnp.log(q) + tilt - slope * cost
        return jax.nn.softmax(logits, axis=1)

    def dual(state: State) -> tuple[jax.Array, float, dict[str, jax.Array]]:
        return state[0], slope, _divergence_dual(p, state[0], perception_slope)

    return Iteration((p,), lambda state: (p @ at(state[0]),), lambda state: at(state[0]), dual)


def newton_alternating(p: jax.Array, d: jax.Array, slope: float, perception_slope: float) -> Iteration:
    """NAM for KL(p||r): the same with the derivative at the new output law, found by Newton's method in r."""
    cost = d - d.min(1, keepdims=True)

    def at(q: jax.Array, r: jax.Array) -> jax.Array:
        return jax.nn.softmax(jnp.log(q) + perception_slope * p / r - slope * cost, axis=1)

    def law(q: jax.Array) -> jax.Array:
        def residual(r: jax.Array) -> jax.Array:
            return r - p @ at(q, r)

        def newton(_: int, r: jax.Array) -> jax.Array:
            move = jnp.linalg.solve(jax.jacfwd(residual)(r), residual(r))
            return jnp.maximum(r - move, 0.2 * r)

        return jax.lax.fori_loop(0, 4, newton, q)

    def step(state: State) -> State:
        r = law(state[0])
        w = p @ at(state[0], r)
        return w, state[0]

    def dual(state: State) -> tuple[jax.Array, float, dict[str, jax.Array]]:
        return state[0], slope, _divergence_dual(p, state[0], perception_slope)

    return Iteration((p, p), step, lambda state: at(state[1], state[0]), dual)


def alternating_sinkhorn(
    p: jax.Array, d: jax.Array, bound: float, transport: jax.Array, perception: float, entropy: float
) -> Iteration:
    """R(D, P) for W2 as a barycentre: W and a coupling share the law r; the coupling's entropy is rewarded."""
    cost, bound = _above(d, bound, p)
    m = d.shape[1]

    def step(state: State) -> State:
        r, tilt, other, s, nu, eta = state
        prior, mass = r * jnp.exp(tilt), jnp.exp(other)
        s = _multiplier(p, prior, cost, bound, s)
        w = p @ _tempered(prior, cost, s)
        tilt = tilt + jnp.log(jnp.maximum(r, 1e-300) / jnp.maximum(w, 1e-300))
        nu = _multiplier(p, mass, transport / entropy, perception / entropy, nu)
        w2 = p @ _tempered(mass, transport / entropy, nu)
        other = other + jnp.log(jnp.maximum(r, 1e-300) / jnp.maximum(w2, 1e-300))
        tilt, other = tilt - r @ tilt, other - r @ other
        law = p @ _tempered(r * jnp.exp(tilt), cost, s)
        r, eta = _simplex(law, tilt + entropy * other, eta)
        return r, tilt, other, s, nu, eta

    start = p, jnp.zeros(m), jnp.log(p), jnp.asarray(1 / bound), jnp.ones(()), jnp.ones(())

    def dual(state: State) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
        return state[0], state[3], {"potential": -state[1], "multiplier": state[4] * transport.max()}

    return Iteration(start, step, lambda state: _tempered(state[0] * jnp.exp(state[1]), cost, state[3]), dual)


def _nearest(p: jax.Array, w: jax.Array, perception: float) -> jax.Array:
    """The law of least KL(t||w) with total variation <= P from p: w scaled, cut to p in between; by bisection."""

    def cut(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.clip(p, jnp.minimum(a, b) * w, jnp.maximum(a, b) * w)

    def scaled(width: jax.Array) -> jax.Array:
        def halve(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low, high = ends
            mid = 0.5 * (low + high)
            heavy = cut(jnp.exp(mid - width), jnp.exp(mid + width)).sum() > 1
            return jnp.where(heavy, low, mid), jnp.where(heavy, mid, high)

        low, _ = jax.lax.fori_loop(0, 50, halve, (-40.0 - width, 40.0 + width))
        return cut(jnp.exp(low - width), jnp.exp(low + width))

    def widen(_: int, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        mid = 0.5 * (low + high)
        far = 0.5 * jnp.abs(scaled(mid) - p).sum() > perception
        return jnp.where(far, mid, low), jnp.where(far, high, mid)

    _, width = jax.lax.fori_loop(0, 50, widen, (jnp.zeros(()), 20 * jnp.ones(())))
    inside = 0.5 * jnp.abs(w - p).sum() <= perception
    t = jnp.where(inside, w, scaled(width))
    return t / t.sum()


def primal_dual(p: jax.Array, d: jax.Array, bound: float, perception: float) -> Iteration:
    """R(D, P) for total variation: the law r and the potentials of its bound moved in turn, E d = D by Newton."""
    cost, bound = _above(d, bound, p)

    def step(state: State) -> State:
        r, tilt, s = state
        s = _multiplier(p, r * jnp.exp(tilt), cost, bound, s)
        w = p @ _tempered(r * jnp.exp(tilt), cost, s)
        # The columns' scaling whose law, were it applied alone, is the nearest one in the ball.
        free = w * jnp.exp(-tilt)
        tilt = jnp.log(_nearest(p, free / free.sum(), perception) / free)
        tilt = tilt - w @ tilt
        return p @ _tempered(r * jnp.exp(tilt), cost, s), tilt, s

    return Iteration(
        (p, jnp.zeros_like(p), jnp.asarray(1 / bound)), step,
        lambda state: _tempered(state[0] * jnp.exp(state[1]), cost, state[2]),
        lambda state: (state[0], state[2], {"potential": -state[1]}),
    )  # fmt: skip


def bottleneck_ot(p: jax.Array, labels: jax.Array, bound: float, atoms: int, key: jax.Array) -> Iteration:
    """The bottleneck from its posteriors: W prop. to r exp(-s CE), E CE = C by Newton, then r and the posteriors."""
    prior = p @ labels

    def costs(t: jax.Array) -> jax.Array:
        return -labels @ jnp.log(jnp.maximum(t, 1e-300)).T

    def step(state: State) -> State:
        r, t, s = state
        cost = costs(t)
        least = cost.min(1, keepdims=True)
        s = _multiplier(p, r, cost - least, bound - p @ least[:, 0], s)
        joint = p[:, None] * _tempered(r, cost - least, s)
        r = joint.sum(0)
        return r, joint.T @ labels / jnp.maximum(r, 1e-300)[:, None], s

    def channel(state: State) -> jax.Array:
        cost = costs(state[1])
        return _tempered(state[0], cost - cost.min(1, keepdims=True), state[2])

    weights = jax.random.dirichlet(key, jnp.full(p.size, 0.3), (atoms,))
    t = 0.99 * (weights @ labels) + 0.01 * prior
    return Iteration((jnp.full(atoms, 1 / atoms), t, jnp.asarray(2.0)), step, channel)
