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
from jaxrd.problem import Problem
from jaxrd.target import rate_at
from jaxrd.tosc._limits import Limits
from jaxrd.tosc.calibration.reliability import estimated_kappa
from jaxrd.tosc.confidence import bands, held_out
from jaxrd.tosc.confidence.bands import Excess, Progress, Uncertain
from jaxrd.tosc.confidence.drawn import Drawn, drawn_from
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
        withdrawn: why a curve has no interval, by its name: too few samples for its classes, by what was measured;
            or what is not computed; or that it is exact.
        notes: what a reader should know of intervals under a loss, weights or a known prior.
        sampled_bias: of S&C's plug-in at each of its points, by its formula.
        lower: McDiarmid's bounds on the R(D) of the posteriors, over model-believed distortion.
        upper_model: Hoeffding's on the same, from held-out samples.
        upper: Hoeffding's over label-measured distortion: achieved whatever the calibration.
        kappa: E max_y |P(y|v) - v_y|, a probability, as given or as estimated; None under a loss or weights, unless
            given: E max_a |sum_y (P(y|v) - v_y) l(y, a)|, by which any channel's mean loss differs from the believed.
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
    notes: list[str] = field(default_factory=list)
    sampled_bias: np.ndarray | None = None
    lower: Lines | None = None
    upper_model: Points | None = None
    upper: Points | None = None
    kappa: float | None = None
    sandwich: list[Sandwich] | None = None


def _notes(limits: Limits, drawn: Drawn, kappa: float | None) -> list[str]:
    """What a reader should know of intervals under a loss, weights or a known prior."""
    if drawn.loss is None and drawn.weights is None:
        return []
    where = [] if drawn.loss is None else [f"under the loss {drawn.loss.name}"]
    if drawn.weights is not None:
        where.append("under a known prior" if drawn.known else "of weighted samples")
    notes = [f"intervals {' and '.join(where)}: how often they hold was measured for equal samples under 0/1 loss only"]
    if not drawn.even:
        whose = "samples of one class" if drawn.known else "samples"
        notes.append(
            f"weights of {whose} differ and may depend on them: McDiarmid's and Hoeffding's bounds, not proved then, "
            "are left out"
        )
    if kappa is None and limits.workings.log_v is not None:
        notes.append("no sandwich: kappa is estimated for equal samples under 0/1 loss only; pass kappa (--kappa)")
    return notes


def _oracle_lower(drawn: Drawn, limits: Limits, risk: float, tol: float | None) -> Lines | None:
    """McDiarmid's bounds on oRD; None where the prior is known, so that it is exact, or where nothing is proved."""
    if drawn.known or not drawn.even:
        return None
    samples, prior = len(drawn.labels), np.bincount(drawn.labels) / len(drawn.labels)
    if drawn.losses is None:
        most = float(np.log(limits.workings.outputs.classes))
        return mcdiarmid(oracle_at(jnp.asarray(prior), PRIOR_SLOPES), samples, risk / 2, most=most)
    solved = sweep(Problem(jnp.asarray(prior), jnp.asarray(drawn.losses)), PRIOR_SLOPES / drawn.span, tol=tol)
    return mcdiarmid(solved, samples, risk / 2, span=drawn.span, most=float(np.log(drawn.losses.shape[1])))


def _folds(limits: Limits, drawn: Drawn, seed: int, tol: float | None) -> tuple[list[HeldOut], bool]:
    """TMRD fitted on either half and measured on the other; and whether the first measures what is proved."""
    first, second = drawn.shares(np.stack(held_out.halves(len(drawn.labels), seed)))
    v, labels = jnp.exp(jnp.asarray(limits.workings.log_v)), limits.workings.outputs.labels
    loss = None if drawn.loss is None else drawn.loss.values
    slopes = PRIOR_SLOPES / drawn.span
    folds = [
        held_out.model_aware_held_out(v, labels, fit, test, slopes, loss=loss, tol=tol)
        for fit, test in ((first, second), (second, first))
    ]
    # A known prior is kept by a half only if it has samples of every class.
    seen = np.bincount(drawn.kinds, second) > 0
    return folds, drawn.even and bool(seen[drawn.kinds[drawn.own > 0]].all())


def _of_posteriors(
    limits: Limits, drawn: Drawn, targets: list[float], seed: int, risk: float, kappa: float | None, tol: float | None
) -> tuple[dict[str, Any], Curve]:
    """The results that need a posterior: rigorous bounds on TMRD, S&C's bias, the sandwich; and TMRD cross-fitted."""
    log_v = limits.workings.log_v
    assert log_v is not None
    folds, proved = _folds(limits, drawn, seed, tol)
    problem = model_aware_problem(jnp.exp(log_v), drawn.own)
    if drawn.loss is not None:
        problem = Problem(problem.source, jnp.exp(log_v) @ jnp.asarray(drawn.loss.values, log_v.dtype))
    most, span = float(np.log(limits.summary["actions"])), drawn.span
    lower = upper = upper_model = None
    if drawn.even:
        solved = sweep(problem, PRIOR_SLOPES / span, tol=tol)
        lower = mcdiarmid(solved, drawn.effective, risk / 2, span=span, most=most)
    if proved:
        upper_model = hoeffding(folds[0], risk / 2, believed=True, span=span, most=most)
        upper = hoeffding(folds[0], risk / 2, span=span, most=most)
    if kappa is None and drawn.loss is None and drawn.weights is None:
        kappa = estimated_kappa(log_v, limits.workings.outputs.labels)

    def sandwich(d: float, kappa: float) -> Sandwich:
        above, below = (float(rate_at(problem, x, tol=tol).rate) for x in (d + kappa, d - kappa))
        return Sandwich(above, below, np.nan if lower is None else lower.rate(d + kappa))

    warm = limits.curves[SAMPLED.name].parameters["inverse_temperature"]
    weighed = bands.resampling(limits, 1, seed)
    acted = None if weighed.costs is None else weighed.costs.acted
    biases = [float(plugin_bias(log_v, t, weighed.own, acted)) if np.isfinite(t) else np.nan for t in warm]
    return {
        "sampled_bias": np.array(biases),
        "lower": lower,
        "upper_model": upper_model,
        "upper": upper,
        "kappa": kappa,
        "sandwich": None if kappa is None else [sandwich(d, kappa) for d in targets],
    }, held_out.averaged(*folds)


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
    (`inversion`), but is expanded under a loss, and is exact where the prior is known. Resamplings keep the weights of
    samples, and under a known prior the masses of the classes. CLT: for curves with an influence function. Both are
    right for many samples, and withheld where the classes are too many for the samples; McDiarmid's and Hoeffding's
    bounds are proved for any sample size, and under a known prior given the labels.

    Args:
        found: from `limits`.
        confidence: in (0, 1).
        kappa: E max_y |P(Y=y|V=v) - v_y|, how far the posterior is from the truth, in [0, 1]; under a loss
            E max_a |sum_y (P(Y=y|V=v) - v_y) l(y, a)|. None: estimated for equal samples under 0/1 loss, which needs
            assumptions (`estimated_kappa`), and else left out.
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
    refuse_unless_whole("seed", seed, 0)
    drawn, samples = drawn_from(found), len(found.workings.outputs.labels)
    if kappa is not None and not 0 <= kappa <= drawn.span:
        raise InputError(f"kappa must lie in [0, {drawn.span:g}]; got {kappa:g}.")
    if samples < 4:
        raise InputError(f"{samples} samples are too few for an interval; at least 4 are needed.")
    targets, withdrawn = [float(row["distortion"] or 0) for row in found.at], bands.withdrawn(found)
    curves = [curve for curve in bands.responding(found) if curve.name not in withdrawn]
    weighed = bands.resampling(found, REPLICATES, seed)
    lines = bands.along_curves(found, curves, weighed, risk, progress)
    at, excess = bands.at_targets(found, curves, weighed, risk)
    if ORACLE.name not in withdrawn and drawn.loss is None:
        lines[ORACLE.name], asked = bands.oracle(found, REPLICATES, risk, seed)
        at = [{ORACLE.name: first} | row for first, row in zip(asked, at, strict=True)]

    split = {"seed": seed, "shares": drawn.shares, "loss": drawn.losses, "tol": tol}
    slopes, more = PRIOR_SLOPES / drawn.span, {}
    crossed = {
        INDIRECT.name: held_out.indirect_cross_fitted(drawn.labels, drawn.decisions, drawn.size, slopes, **split)
    }
    if found.workings.log_v is not None:
        more, crossed[MODEL_AWARE.name] = _of_posteriors(found, drawn, targets, seed, risk, kappa, tol)
    rates = [{name: held_out.rate_between(curve, d) for name, curve in crossed.items()} for d in targets]
    lower, notes = _oracle_lower(drawn, found, risk, tol), _notes(found, drawn, kappa)
    return Statistics(confidence, REPLICATES, lines, at, excess, crossed, rates, lower, withdrawn, notes, **more)
