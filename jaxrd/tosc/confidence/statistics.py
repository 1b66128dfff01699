"""How far the curves of `limits` may be from those of the population the samples come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd._sweep import sweep
from jaxrd.curve import Curve
from jaxrd.errors import InputError
from jaxrd.target import rate_at
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.calibration.reliability import estimated_kappa
from jaxrd.tosc.confidence import bands, held_out
from jaxrd.tosc.confidence.bands import Excess, Progress, Uncertain
from jaxrd.tosc.confidence.held_out import HeldOut
from jaxrd.tosc.confidence.rigorous import Lines, Points, hoeffding, mcdiarmid
from jaxrd.tosc.curves import INDIRECT, MODEL_AWARE, ORACLE, SAMPLED
from jaxrd.tosc.curves.model_aware import model_aware_problem
from jaxrd.tosc.curves.oracle import oracle_at
from jaxrd.tosc.curves.sampled import plugin_bias
from jaxrd.tosc.estimate import risk_of

REPLICATES = 400
PRIOR_SLOPES = np.geomspace(0.5, 64, 24)
"""Slopes of the rigorous bounds: chosen before any sample is seen, as they must be."""


class Sandwich(NamedTuple):
    """R_model(D + kappa) <= R_true(D) <= R_model(D - kappa), nats: plug-in, and the lower end with confidence."""

    lower: float
    upper: float
    mcdiarmid_lower: float


@readable
@dataclass(frozen=True)
class Statistics:
    """The result of `statistics`; rates in nats, NaN or None where there is none.

    Args:
        confidence: of every interval, at its own point. The rigorous lower and upper bounds take half the risk each,
            for all distortions at once.
        replicates: of the bootstrap.
        bands: by curve, an entry for each of its points, the rate at that point's distortion; `TMRD_model` over the
            model-believed distortions of TMRD's points. None for the merge baseline: it is points, no curve.
        at: one dict per distortion asked for, by curve; None where the curve does not reach it.
        excess: the same: iE&C less TMRD, resampled together.
        cross_fitted: TMRD and iE&C, with channels fitted on either half and measured on the other.
        cross_fitted_at: their rates at the distortions asked for; inf where they do not reach them.
        oracle_lower: McDiarmid's bounds on oRD: no scheme does better, with any model; None where they are not proved.
        withdrawn: why a curve has no interval, by its name: too few samples for its classes, by what was measured.
        sampled_bias: of S&C's plug-in at each of its points, by its formula.
        lower: McDiarmid's bounds on the R(D) of the posteriors, over model-believed distortion.
        upper_model: Hoeffding's on the same, from held-out samples.
        upper: Hoeffding's over label-measured distortion: achieved whatever the calibration.
        kappa: E max_y |P(y|v) - v_y|, a probability, as given or as estimated.
        sandwich: at the distortions asked for, valid if kappa is right.

    Reference: [A] sections II and III, for the curves; for the intervals that of `statistics`.

    >>> from jaxrd.tosc import from_decisions, limits
    >>> y = np.arange(400) % 2
    >>> found = statistics(limits(from_decisions(np.where(np.arange(400) % 5, y, 1 - y), y), at=[0.3]))
    >>> found.confidence, found.replicates, found.kappa  # no scores, so no kappa
    (0.95, 400, None)
    """

    confidence: float
    replicates: int
    bands: dict[str, list[Uncertain | None]]
    at: list[dict[str, Uncertain | None]]
    excess: list[dict[str, Excess]]
    cross_fitted: dict[str, Curve]
    cross_fitted_at: list[dict[str, float]]
    oracle_lower: Lines | None
    withdrawn: dict[str, str] = field(default_factory=dict)
    sampled_bias: np.ndarray | None = None
    lower: Lines | None = None
    upper_model: Points | None = None
    upper: Points | None = None
    kappa: float | None = None
    sandwich: list[Sandwich] | None = None


def _of_posteriors(
    limits: Limits, targets: list[float], folds: list[HeldOut], risk: float, kappa: float | None, tol: float | None
) -> dict[str, Any]:
    """The results that need a posterior: rigorous bounds on TMRD, S&C's bias, the sandwich."""
    outputs, log_v = limits.workings.outputs, limits.workings.log_v
    assert log_v is not None
    problem = model_aware_problem(jnp.exp(log_v))
    most = float(np.log(outputs.classes))
    lower = mcdiarmid(sweep(problem, PRIOR_SLOPES, tol=tol), len(outputs.labels), risk / 2, most=most)
    if kappa is None:
        kappa = estimated_kappa(log_v, outputs.labels)

    def sandwich(d: float) -> Sandwich:
        above, below = (float(rate_at(problem, x, tol=tol).rate) for x in (d + kappa, d - kappa))
        return Sandwich(above, below, lower.rate(d + kappa))

    warm = limits.curves[SAMPLED.name].parameters["inverse_temperature"]
    biases = [float(plugin_bias(log_v, t)) if np.isfinite(t) else np.nan for t in warm]
    return {
        "sampled_bias": np.array(biases),
        "lower": lower,
        "upper_model": hoeffding(folds[0], risk / 2, believed=True, most=most),
        "upper": hoeffding(folds[0], risk / 2, most=most),
        "kappa": kappa,
        "sandwich": [sandwich(d) for d in targets],
    }


def statistics(
    found: Limits,
    *,
    confidence: float = 0.95,
    kappa: float | None = None,
    seed: int = 0,
    tol: float | None = None,
    progress: Progress = None,
) -> Statistics:
    """Intervals for the curves of `limits`, each by a named method, and cross-fitted TMRD and iE&C.

    All refer to the population at the temperature used: the samples are independent, and none was used in training or
    to fit the temperature. Bootstrap: 400 multinomial resamplings; closed forms are evaluated again, solved curves are
    expanded about their optimum (`resampling`), nothing is solved again; oRD, whose maximum is flat, inverts a test
    (`inversion`). CLT: for curves with an influence function. Both are right for many samples, and withheld where the
    classes are too many for the samples; McDiarmid's and Hoeffding's bounds are proved for any sample size.

    Args:
        found: from `limits`.
        confidence: in (0, 1).
        kappa: E max_y |P(Y=y|V=v) - v_y|, how far the posterior is from the truth, in [0, 1]; None: estimated, which
            needs assumptions (`estimated_kappa`).
        seed: of the resamplings and of the halves.
        tol: certified gap asked of the solver, nats; None: by dtype. As in `limits`, to avoid another compilation.
        progress: called as progress(what, done, total).

    Raises:
        InputError: `found` is no `Limits`; a confidence outside (0, 1), a kappa outside [0, 1] or of hard decisions, a
            seed that is no integer >= 0, or fewer than 4 samples.

    Reference: B. Efron, Bootstrap methods: another look at the jackknife, Ann. Statist. 1979; C. McDiarmid, On the
    method of bounded differences, 1989; W. Hoeffding, Probability inequalities for sums of bounded random variables,
    1963.

    >>> from jaxrd.tosc import from_decisions, limits
    >>> y = np.arange(400) % 2
    >>> found = statistics(limits(from_decisions(np.where(np.arange(400) % 5, y, 1 - y), y), at=[0.3])).at[0]["iE&C"]
    >>> found.bootstrap.lower < found.rate < found.bootstrap.upper  # about 0.18 < 0.24 < 0.31
    True
    """
    if not isinstance(found, Limits):
        raise InputError(f"statistics takes what limits returned; got {type(found).__name__}.")
    risk = risk_of(confidence)
    if kappa is not None and found.workings.log_v is None:
        raise InputError(f"kappa {kappa:g} has no effect: hard decisions have no posterior. Pass scores.")
    if kappa is not None and not 0 <= kappa <= 1:
        raise InputError(f"kappa must lie in [0, 1]; got {kappa:g}.")
    refuse_unless_whole("seed", seed, 0)
    outputs, log_v = found.workings.outputs, found.workings.log_v
    samples, targets = len(outputs.labels), [float(row["distortion"] or 0) for row in found.at]
    if samples < 4:
        raise InputError(f"{samples} samples are too few for an interval; at least 4 are needed.")
    withdrawn = bands.withdrawn(found)
    if bands.special(found) is not None:
        nothing: list[dict[str, Any]] = [{} for _ in targets]
        return Statistics(confidence, REPLICATES, {}, nothing, nothing, {}, nothing, None, withdrawn)
    curves = [curve for curve in bands.responding(found) if curve.name not in withdrawn]
    weighed = bands.resampling(found, REPLICATES, seed)
    drawn = bands.along_curves(found, curves, weighed, risk, progress)
    at, excess = bands.at_targets(found, curves, weighed, risk)
    if ORACLE.name not in withdrawn:
        drawn[ORACLE.name], asked = bands.oracle(found, REPLICATES, risk, seed)
        at = [{ORACLE.name: first} | row for first, row in zip(asked, at, strict=True)]

    occur, y, yt = bands.occurring(outputs)
    crossed = {INDIRECT.name: held_out.indirect_cross_fitted(y, yt, len(occur), PRIOR_SLOPES, seed=seed, tol=tol)}
    more = {}
    if log_v is not None:
        first, second = held_out.halves(samples, seed)
        folds = [
            held_out.model_aware_held_out(jnp.exp(log_v), outputs.labels, fit, test, PRIOR_SLOPES, tol=tol)
            for fit, test in ((first, second), (second, first))
        ]
        crossed[MODEL_AWARE.name] = held_out.averaged(*folds)
        more = _of_posteriors(found, targets, folds, risk, kappa, tol)
    rates = [{name: held_out.rate_between(curve, d) for name, curve in crossed.items()} for d in targets]
    prior = jnp.asarray(np.bincount(y) / samples)
    oracle_lower = mcdiarmid(oracle_at(prior, PRIOR_SLOPES), samples, risk / 2, most=float(np.log(outputs.classes)))
    return Statistics(confidence, REPLICATES, drawn, at, excess, crossed, rates, oracle_lower, withdrawn, **more)
