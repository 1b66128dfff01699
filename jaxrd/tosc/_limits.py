"""All the curves of paper [A] for one classifier, and their rates at chosen distortions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxrd._eager import refuse_unless, refuse_unless_whole
from jaxrd._readable import readable
from jaxrd._room import make_room
from jaxrd.curve import Curve
from jaxrd.errors import InputError
from jaxrd.solution import Solution
from jaxrd.tosc.calibration.reliability import Bin
from jaxrd.tosc.curves import EVERY
from jaxrd.tosc.curves.confusion import confusion_joint, known_landmarks
from jaxrd.tosc.curves.definition import BELIEVED, Samples
from jaxrd.tosc.curves.drawing import Bound, Rate
from jaxrd.tosc.doubts import beaten, doubts
from jaxrd.tosc.outputs import Outputs, Progress, from_decisions, from_scores
from jaxrd.tosc.posterior import Posterior
from jaxrd.tosc.preparation import prepare

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
    """

    outputs: Outputs
    posterior: Posterior | None
    solved: dict[str, Solution]
    places: list[dict[str, Rate]]

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

    @property
    def unconverged(self) -> list[tuple[str, float]]:
        """Curves, each with a distortion asked for at which a solver failed: the rate there is only an upper bound."""
        places = zip(self.at, self.workings.places, strict=True)
        return [
            (name, float(row["distortion"] or 0)) for row, at in places for name, r in at.items() if not r.converged
        ]


def _default_targets(d_tm: float, d_0: float) -> list[float]:
    """A few distortions of two decimals between D_TM (deciding) and D_0 (guessing)."""
    if d_tm >= d_0:
        return [min(float(np.ceil(100 * d_0)) / 100, 1.0)]
    return sorted({round(d_tm + share * (d_0 - d_tm), 2) for share in (0.05, 0.25, 0.6)})


def _as_outputs(outputs: Outputs | ArrayLike, labels: ArrayLike | None, progress: Progress) -> Outputs:
    if isinstance(outputs, Outputs):
        if labels is not None:
            raise InputError("Outputs hold labels already; pass them without, or scores with labels.")
        return outputs
    shape = np.shape(outputs)
    if labels is None or len(shape) not in (1, 2):
        got = f"an array of shape {shape}" if shape else " ".join(repr(outputs).split())[:60]
        raise InputError(
            f"limits takes Outputs, or scores (samples, classes) or decisions (samples,) with labels; got {got}"
            f"{' and no labels' if labels is None else ''}."
        )
    return from_scores(outputs, labels, progress=progress) if len(shape) == 2 else from_decisions(outputs, labels)


def _as_targets(at: Sequence[float] | None) -> list[float] | None:
    if at is None:
        return None
    if isinstance(at, str) or np.ndim(at) != 1:
        raise InputError(f"at must be a list of task distortions, such as at=[0.3]; got {at!r}.")
    for d in at:
        if not 0 <= d <= 1:
            raise InputError(f"a task distortion must lie in [0, 1]; got {d:g}.")
    return [float(d) for d in at]


def _drawn(samples: Samples, slopes: int, tol: float | None, progress: Progress) -> dict[str, Bound]:
    """The curves by name; those that are undefined, or need a posterior where there is none, are absent."""
    drawn = {}
    for curve in EVERY:
        if samples.posterior is not None or not curve.needs_posterior:
            bound = curve.draw(samples, slopes, tol, None if progress is None else partial(progress, curve.name))
            if bound is not None:
                drawn[curve.name] = bound
    return drawn


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
    progress: Progress = None,
) -> Limits:
    """Every curve of paper [A] for a classifier: the bits per sample that an accuracy needs, with certificates.

    All are plug-in estimates from the samples; distortion is measured on the labels for every curve (TMRD reports
    the model-believed one beside it). Without `temperature`, one half of the samples fits one and the other half gives
    the curves (`split`).

    Args:
        outputs: labels with logits or decisions, from `from_scores`, `from_decisions` or `jaxrd.io.read_outputs`; or
            what these two take, logits or probabilities (samples, classes) or decisions (samples,), with `labels`.
        labels: true classes, integers, shape (samples,), where `outputs` are bare scores or decisions.
        at: task distortions (1 - accuracy), probabilities, at which every curve is solved for its smallest rate; None:
            a few between that of the decisions and that of guessing.
        temperature: fixes the temperature (1: as is), and then no sample is set aside.
        slopes: points per curve.
        seed: of the permutation.
        tol: certified gap asked of iE&C and TMRD, nats; None: by dtype.
        mesh: devices that share TMRD, the one large problem, as for `jaxrd.sweep`. None: one device.
        progress: called as progress(what, done, total) between batches.

    Returns:
        A `Limits`, rates in nats. Curves that need soft outputs are absent for hard decisions only.

    Raises:
        InputError: a distortion outside [0, 1], a temperature that is not positive or that decisions cannot use, fewer
            than 2 slopes, or too few samples to split; scores or labels that cannot be used.

    Reference: [A] sections II and III, Figure 3.

    >>> found = limits(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), at=[0.25])
    >>> round(found.at[0]["oRD"], 4)  # ln 2 - h(1/4)
    0.1308
    """
    make_room()
    asked, outputs = _as_targets(at), _as_outputs(outputs, labels, progress)
    if temperature is not None:
        refuse_unless(lambda t: (t > 0) & (t < np.inf), "temperature", temperature, "a positive number")
    if temperature is not None and outputs.logits is None:
        raise InputError(f"temperature {temperature:g} has no effect: hard decisions have none. Pass scores.")
    refuse_unless_whole("slopes", slopes, 2)

    warnings: list[str] = []
    total, posterior = len(outputs.labels), None
    measures = ("ece", "nll", "brier")
    calibration, table = dict.fromkeys(("temperature", *measures, *(f"{name}_before" for name in measures))), ()
    if outputs.logits is not None:
        outputs, posterior, calibration, table = prepare(outputs, temperature, seed, warnings, progress)
        posterior.mesh = mesh
    samples = len(outputs.labels)
    joint = np.asarray(confusion_joint(outputs.labels, outputs.decisions, outputs.classes))
    d_tm, d_0, entropy = known_landmarks(joint)

    drawn = _drawn(Samples(joint, posterior), slopes, tol, progress)
    warnings += doubts(drawn, outputs, d_tm, d_0)
    targets = _default_targets(d_tm, d_0) if asked is None else asked
    places = _asked_rates(drawn, targets, d_0, progress)
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
    summary = {
        "samples": samples,
        "samples_total": total,
        "classes": outputs.classes,
        "task_model_distortion": d_tm,
        "zero_rate_distortion": d_0,
        "estimate_entropy_nats": entropy,
    } | calibration
    curves = {name: bound.curve for name, bound in drawn.items()}
    solved = {name: bound.solved for name, bound in drawn.items() if bound.solved is not None}
    return Limits(curves, rows, summary, _Workings(outputs, posterior, solved, places), table, warnings)
