"""The slope that a bracket solves next."""

from __future__ import annotations

import jax

from jaxrd._bracket import Bracket, Goal, measure

_BEYOND = 0.1
"""Of the distance from the last solve to the next: how much farther that goes, to bring the far end near."""


def next_slope(goal: Goal, state: Bracket) -> jax.Array:
    """First the ends of the curve, then a guess between the slopes of the bracket's ends.

    Where guesses no longer halve the bracket, the chord's slope, which solves a linear piece, then the geometric mean.
    """
    xp = goal.xp
    low, high = state.low, state.high
    run = low.distortion - high.distortion
    chord = (high.rate - low.rate) / xp.where(run > 0, run, 1)  # exact at once on a linear piece
    geometric = xp.sqrt(low.slope * high.slope)
    inside = xp.isfinite(xp.log(low.slope)) & xp.isfinite(xp.log(high.slope))
    ahead = xp.where(inside, _interpolated(goal, state), _extrapolated(goal, state, chord))
    guess = xp.where(state.stuck < 2, ahead, xp.where(inside & (state.stuck > 2), geometric, chord))
    # With the rounding of a nearly closed bracket, or an infinite far end, any slope strictly inside is good enough.
    wild = ~(xp.isfinite(guess) & (guess > low.slope) & (guess < high.slope))
    between = xp.where(low.slope > 0, 2 * low.slope, xp.where(xp.isfinite(high.slope), high.slope / 2, 1))
    between = xp.where(inside, geometric, between)
    slope = xp.where(wild, between, guess)
    return xp.where(state.solves == 0, xp.inf, xp.where(state.solves < goal.opening, 0, slope))


def _extrapolated(goal: Goal, state: Bracket, chord: jax.Array) -> jax.Array:
    """The slope where the high end is the least distortion, of slope inf, which the curve may reach in two ways.

    Like 1/s (continuous sources), or exponentially (finite alphabets): by the last two points the slower of them.
    """
    xp, low = goal.xp, state.low
    power = low.slope * (measure(goal, low) - state.floor) / (goal.aim - state.floor)
    if goal.along_rate:
        power = low.slope * xp.exp((goal.target - low.rate) / (low.slope * (low.distortion - state.high.distortion)))
    deep, before, wanted = (xp.log(v - state.floor) for v in (measure(goal, low), state.third[1], goal.aim))
    exponential = low.slope + (low.slope - xp.exp(state.third[0])) * (deep - wanted) / (before - deep)
    return xp.where(low.slope > 0, xp.fmin(power, xp.fmax(chord, exponential)), chord)


def _interpolated(goal: Goal, state: Bracket) -> jax.Array:
    """The slope by inverse interpolation of ln s, nearly linear in the target over a short bracket.

    Through the ends and the end before, where that lies between the ends; and where the last solve left the far end
    far away, somewhat beyond it, because the gap is the product of both ends' distances.
    """
    xp = goal.xp
    a, b, c = xp.log(state.low.slope), xp.log(state.high.slope), state.third[0]
    fa, fb, fc, aim = (
        xp.log(v - state.floor) for v in (measure(goal, state.low), measure(goal, state.high), state.third[1], goal.aim)
    )
    fa, fb, fc = fa - aim, fb - aim, fc - aim
    ab, bc, ca = fa - fb, fb - fc, fc - fa
    secant = (a * -fb + b * fa) / ab
    curved = -(a * fb * fc / (ab * ca) + b * fa * fc / (ab * bc) + c * fa * fb / (bc * ca))
    curved = xp.where((curved > a) & (curved < b), curved, secant)
    beyond = curved + _BEYOND * (curved - state.newest)
    curved = xp.where((state.stuck > 0) & (beyond > a) & (beyond < b), beyond, curved)
    return xp.exp(curved)
