"""All the curves of paper [A] for one classifier, and their rates at chosen distortions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd._room import make_room
from jaxrd.curve import Curve
from jaxrd.solution import Solution
from jaxrd.tosc.arguments import as_loss, as_outputs, as_targets, check_temperature, default_targets
from jaxrd.tosc.calibration.reliability import Bin
from jaxrd.tosc.curves import EVERY
from jaxrd.tosc.curves.confusion import confusion_joint, joint_of, known_landmarks
from jaxrd.tosc.curves.definition import BELIEVED, Samples
from jaxrd.tosc.curves.drawing import Bound, Rate
from jaxrd.tosc.doubts import beaten, doubts
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs, Progress
from jaxrd.tosc.posterior import Posterior
from jaxrd.tosc.preparation import prepare
from jaxrd.tosc.rows import Rows

CURVES = {curve.name: curve.meaning for curve in EVERY}
"""The curves by name, best to worst in the usual case, and what each means in three words.

Reference: [A] sections II and III: (oRD), (TMRD), (iE&C), (eRD), eq. (21) and (22), section IV-B.
"""


@readable
@dataclass(frozen=True)
class _Workings:
    """What `statistics` needs to work on the same samples again.

    Args:
        outputs: the samples that gave the curves.
        posterior: theirs at the temperature; None for hard decisions.
        solved: the solutions of iE&C and TMRD, one for each point of the curve but the first, which has rate zero.
        places: one dict per distortion asked for: the point of each curve that has its rate.
        joint: of label and decision, or action.
        actions: decision, or action, of each sample, int, shape (samples,).
        loss: of these labels and an action; None: 0/1.
        bounds: the curves, each with its rate at any distortion and its distortion at any rate.
    """

    outputs: Outputs
    posterior: Posterior | None
    solved: dict[str, Solution]
    places: list[dict[str, Rate]]
    joint: np.ndarray
    actions: np.ndarray
    loss: Loss | None = None
    bounds: dict[str, Bound] = field(default_factory=dict)

    @property
    def log_v(self) -> jax.Array | None:
        """ln v of all samples, shape (samples, classes); None for hard decisions."""
        return None if self.posterior is None else jax.device_put(self.posterior.log_v)


@readable
@dataclass(frozen=True)
class Limits:
    """The result of `limits`; rates in nats.

    Args:
        curves: a `Curve` by name; a curve that could not be computed is absent.
        at: one dict per distortion asked for: `distortion`, and per curve the smallest rate (inf where the curve
            does not reach it, None where the curve is absent; 0 from D_0 on, where always guessing the likeliest label
            suffices), with `TMRD_model` on model-believed distortion.
        summary: samples, classes, landmarks, calibration.
        workings: for `statistics`.
        reliability: confidence against accuracy of the samples that gave the curves; empty for hard decisions.
        warnings: what a reader should know before trusting a curve.
        loss: of a label and an action, which the distortions measure.
        absent: why a curve is absent, by its name.

    Reference: [A] sections II and III, Figure 3.

    >>> found = limits(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), at=[0.25])
    >>> found.summary["task_model_distortion"], round(found.summary["zero_rate_distortion"], 6)
    (0.25, 0.5)
    """

    curves: dict[str, Curve]
    at: list[dict[str, float | None]]
    summary: dict[str, Any]
    workings: _Workings
    reliability: tuple[Bin, ...] = ()
    warnings: list[str] = field(default_factory=list)
    loss: Loss | None = None
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        """Whether a distortion is a probability of error: then 1 - D is an accuracy."""
        return self.loss is None or self.loss.is_error

    @property
    def unconverged(self) -> list[tuple[str, float]]:
        """Curves, each with a distortion asked for at which a solver failed: the rate there is only an upper bound."""
        places = zip(self.at, self.workings.places, strict=True)
        return [
            (name, float(row["distortion"] or 0)) for row, at in places for name, r in at.items() if not r.converged
        ]


def _drawn(
    samples: Samples, slopes: int, tol: float | None, progress: Progress
) -> tuple[dict[str, Bound], dict[str, str]]:
    """The curves by name, and why others are absent."""
    drawn, absent = {}, {}
    for curve in EVERY:
        if samples.posterior is None and curve.needs_posterior:
            absent[curve.name] = "it needs scores, not decisions alone"
            continue
        bound = curve.draw(samples, slopes, tol, None if progress is None else partial(progress, curve.name))
        if bound is None:
            absent[curve.name] = curve.undefined
        else:
            drawn[curve.name] = bound
    return drawn, absent


def _acted(outputs: Outputs, posterior: Posterior | None, loss: Loss | None) -> np.ndarray:
    """The decision of each sample, or its action, shape (samples,)."""
    if loss is None:
        return outputs.decisions
    if posterior is None:
        return loss.of_label[outputs.decisions]
    return np.concatenate(posterior.folded(lambda log_v, *_: [posterior.distortion(log_v).argmin(1)]))


def _joint(outputs: Outputs, actions: np.ndarray, loss: Loss | None) -> np.ndarray:
    """The joint pmf of label and decision, or action."""
    y, w = outputs.labels, outputs.weights
    if loss is None:
        return np.asarray(confusion_joint(y, actions, outputs.classes, w))
    return joint_of(y, actions, loss.values.shape, w)


def _asked_rates(
    drawn: dict[str, Bound], targets: list[float], d_0: float, progress: Progress
) -> list[dict[str, Rate]]:
    """The smallest rate of each curve at each distortion, over either axis."""
    asks = {name: bound.smallest for name, bound in drawn.items()}
    asks |= {name + BELIEVED: ask for name, bound in drawn.items() if (ask := bound.smallest_believed) is not None}
    places: list[dict[str, Rate]] = []
    for d in targets:
        # From D_0 on the likeliest label is guessed at rate zero, wherever a curve itself begins.
        nothing = set() if d < d_0 - 1e-12 else set(CURVES)
        places.append({})
        for name, ask in asks.items():
            places[-1][name] = Rate(0.0) if name in nothing else ask(d)
            if progress is not None:
                progress("rates asked for", sum(map(len, places)), len(targets) * len(asks))
    return places


_NO_CALIBRATION = dict.fromkeys(
    ("temperature", "ece", "nll", "brier", "ece_before", "nll_before", "brier_before"), None
)


def _rows(targets: list[float], places: list[dict[str, Rate]], warnings: list[str]) -> list[dict[str, float | None]]:
    """The rates at each distortion by curve, None where it is absent, and warnings about them."""
    axes = [curve.name for curve in EVERY] + [curve.name + BELIEVED for curve in EVERY if curve.believed]
    rows: list[dict[str, float | None]] = []
    for d, answers in zip(targets, places, strict=True):
        rows.append({"distortion": d} | dict.fromkeys(axes) | {name: answer.rate for name, answer in answers.items()})
        warnings += [
            f"{name} at D = {d:.4g} did not converge: its rate is an upper bound"
            for name, answer in answers.items()
            if not answer.converged
        ]
    warnings += filter(None, [beaten(rows)])
    return rows


def asked_at(found: Limits, targets: list[float], progress: Progress = None) -> Limits:
    """Curves with their smallest rates at some distortions, where none was asked for before; and doubts about these."""
    places = _asked_rates(found.workings.bounds, targets, found.summary["zero_rate_distortion"], progress)
    warnings = list(found.warnings)
    rows = _rows(targets, places, warnings)
    return replace(found, at=rows, workings=replace(found.workings, places=places), warnings=warnings)


def limits(
    outputs: Outputs | ArrayLike,
    labels: ArrayLike | None = None,
    *,
    at: Sequence[float] | None = (),
    temperature: float | None = None,
    slopes: int = 32,
    seed: int = 0,
    tol: float | None = None,
    mesh: Mesh | None = None,
    loss: Loss | None = None,
    weights: ArrayLike | None = None,
    prior: ArrayLike | str | None = None,
    progress: Progress = None,
) -> Limits:
    """Every curve of paper [A] for a classifier: the bits per sample that an accuracy needs, with certificates.

    All are plug-in estimates from the samples; distortion is measured on the labels for every curve (TMRD reports
    the model-believed one beside it). Without `temperature`, one half of the samples fits one and the other half gives
    the curves (`split`). Under a loss the decision is the action of least expected loss, argmin_a sum_y v_y l(y, a).

    Args:
        outputs: labels with logits or decisions, from `from_scores`, `from_decisions` or `jaxrd.io.read_outputs`; or
            what these two take, logits or probabilities (samples, classes) or decisions (samples,), with `labels`.
        labels: true classes, integers, shape (samples,), where `outputs` are bare scores or decisions.
        at: task distortions (1 - accuracy, or the mean loss) at which every curve is solved for its smallest rate;
            None: a few between that of the decisions and that of guessing.
        temperature: fixes the temperature (1: as is), and then no sample is set aside.
        slopes: points per curve.
        seed: of the permutation.
        tol: certified gap asked of iE&C and TMRD, nats; None: by dtype.
        mesh: devices that share TMRD, the one large problem, as for `jaxrd.sweep`. None: one device. Where they belong
            to several processes, each reads its own rows of outputs that are read a block at a time.
        loss: of a label and an action, from `jaxrd.tosc.losses`; None: 0/1.
        weights: of the samples, shape (samples,), taken as w / sum w; None: those of `outputs`, or equal.
        prior: probabilities of the classes where the classifier will be used, shape (classes,), or "uniform": samples
            are weighed so that labels occur with them (`Outputs.with_prior`). None: the samples' own.
        progress: called as progress(what, done, total) between batches.

    Returns:
        A `Limits`, rates in nats. `absent` says which curves have no meaning, and why.

    Raises:
        InputError: a distortion outside [0, 1], a temperature that is not positive or that decisions cannot use, fewer
            than 2 slopes, or too few samples to split; scores, labels, weights or a prior that cannot be used; a loss
            for another number of labels.

    Reference: [A] sections II and III, Figure 3.

    >>> found = limits(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), at=[0.25])
    >>> round(found.at[0]["oRD"], 4)  # ln 2 - h(1/4)
    0.1308
    """
    make_room()
    outputs = as_outputs(outputs, labels, progress)
    named = loss = as_loss(loss, outputs.classes)
    asked = as_targets(at, loss)
    if weights is not None:
        outputs = outputs.weighed(weights)
    if mesh is not None and mesh.is_multi_process and isinstance(outputs.logits, Rows):
        outputs = replace(outputs, logits=outputs.logits.shared_out())
    check_temperature(temperature, outputs)
    refuse_unless_whole("slopes", slopes, 2)

    between = None if loss is None or loss.labels != loss.actions else loss.values
    warnings: list[str] = []
    total, posterior, calibration, table = len(outputs.labels), None, _NO_CALIBRATION, ()
    if outputs.logits is not None:
        outputs, posterior, calibration, table = prepare(
            outputs, temperature, seed, warnings, progress, prior=prior, loss=loss
        )
        posterior.mesh, loss = mesh, posterior.loss
    elif prior is not None:
        outputs = outputs.with_prior(prior)
    actions = _acted(outputs, posterior, loss)
    joint = _joint(outputs, actions, loss)
    d_tm, d_0, entropy = known_landmarks(joint, loss)

    drawn, absent = _drawn(Samples(joint, posterior, loss, between), slopes, tol, progress)
    warnings += doubts(drawn, outputs, d_tm, d_0, loss)
    targets = default_targets(d_tm, d_0, loss) if asked is None else asked
    summary = {
        "samples": len(outputs.labels),
        "samples_total": total,
        "classes": outputs.classes,
        "task_model_distortion": d_tm,
        "zero_rate_distortion": d_0,
        "estimate_entropy_nats": entropy,
        "loss": "zero-one" if named is None else named.name,
        "actions": joint.shape[1],
        "weighted": outputs.weights is not None,
    } | calibration
    curves = {name: bound.curve for name, bound in drawn.items()}
    solved = {name: bound.solved for name, bound in drawn.items() if bound.solved is not None}
    workings = _Workings(outputs, posterior, solved, [], joint, actions, loss, drawn)
    return asked_at(Limits(curves, [], summary, workings, table, warnings, named, absent), targets, progress)
