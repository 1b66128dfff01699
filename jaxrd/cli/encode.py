"""`jaxrd encode`: code a classifier's decisions into a stream, and count its bits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from jaxrd.cli.common import Tick
from jaxrd.cli.encode_report import report
from jaxrd.cli.outputs import (
    FirstLabel,
    LabelColumn,
    Labels,
    OutputsFile,
    Probabilities,
    Reading,
    Scores,
    UnsafePickle,
)
from jaxrd.cli.run import Result, Target, refuse_unless_ends, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.encode import Sent
    from jaxrd.tosc import Outputs
    from jaxrd.tosc.losses import Loss
    from jaxrd.tosc.schemes import Samples, Scheme

POINTS: dict[str, tuple[str, ...]] = {
    "TMRD": ("slope", "accuracy", "distortion"),
    "S&C": (),
    "iE&C": ("slope", "accuracy", "distortion"),
    "E&C": ("slope", "estimate_distortion", "accuracy", "distortion"),
    "decisions": (),
    "merge": ("merged", "accuracy", "distortion"),
}
"""The curves, and the options that choose a point of each."""
ENTROPY_CODED = ("decisions", "merge")
SOFT = ("TMRD", "S&C")
"""These need scores."""

_CurveName = Annotated[
    str,
    typer.Option(
        help="the scheme: TMRD, 'S&C', 'iE&C' or 'E&C' by a simulated channel (quoted: & means something to shells); "
        "'decisions' as they are, or 'merge', entropy-coded"
    ),
]
Slope = Annotated[
    float | None,
    typer.Option(help="of TMRD, iE&C or E&C, nats per unit of distortion: one of limits.json's, or any"),
]
Accuracy = Annotated[
    float | None, typer.Option(help="choose the point that reaches it on the labels, at the least rate")
]
_Distortion = Annotated[
    float | None, typer.Option(help="the same by the mean loss, 1 - accuracy for errors: for any --loss")
]
_EstimateDistortion = Annotated[
    float | None, typer.Option(help="of E&C: the mean loss between what is decided and what is sent")
]
_Merged = Annotated[int | None, typer.Option(help="of merge: how many of the rarest actions the likeliest replaces")]
_LossWords = Annotated[
    str | None,
    typer.Option(
        help="zero-one, topK, abstain:COST, superclass:FILE, hierarchy:FILE or a matrix, .npy or .csv: "
        "what is sent are the actions of least expected loss"
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        help="T of the posterior softmax(logits / T) that TMRD codes and S&C samples, 1 if not given; in terms of "
        "limits.json, its temperature for TMRD, temperature / inverse_temperature for S&C"
    ),
]
Block = Annotated[
    int | None,
    typer.Option(help="n, samples coded together, 1 if not given: fewer bits, exponentially more work"),
]
Seed = Annotated[
    int | None, typer.Option(help="of the randomness that both sides share, 0 if not given; the stream holds it")
]
_MostCandidates = Annotated[
    float | None,
    typer.Option(help="refuse if the search is expected to examine more, 1e9 if not given: about a minute"),
]
Out = Annotated[Path, typer.Option(help="the stream, X.jrd; its bits and candidates go to X.json")]


class _Options(NamedTuple):
    """The options that say how decisions are coded; None: not given."""

    curve: str
    slope: float | None
    accuracy: float | None
    distortion: float | None
    estimate_distortion: float | None
    merged: int | None
    loss: str | None
    temperature: float | None
    block: int | None
    seed: int | None
    most_candidates: float | None


def encode_command(
    file: OutputsFile = None,
    labels: Labels = None,
    scores: Scores = None,
    label_column: LabelColumn = None,
    probabilities: Probabilities = None,
    first_label: FirstLabel = None,
    unsafe_pickle: UnsafePickle = False,
    curve: _CurveName = "TMRD",
    slope: Slope = None,
    accuracy: Accuracy = None,
    distortion: _Distortion = None,
    estimate_distortion: _EstimateDistortion = None,
    merged: _Merged = None,
    loss: _LossWords = None,
    temperature: Temperature = None,
    block: Block = None,
    seed: Seed = None,
    most_candidates: _MostCandidates = None,
    out: Out = Path("decisions.jrd"),
) -> None:
    """Send each sample's decision through a simulated channel or entropy-coded: real bits for a point of a curve."""
    reading = Reading(labels, scores, label_column, probabilities, first_label, unsafe_pickle)
    options = _Options(
        curve, slope, accuracy, distortion, estimate_distortion, merged, loss, temperature, block, seed, most_candidates
    )
    _check_curve(options)
    reading.refuse_without(file)
    _check_numbers(options)
    refuse_unless_ends(out, ".jrd")
    seed = None if curve in ENTROPY_CODED else seed or 0

    def compute(tick: Tick) -> Result:
        sent, sha256 = _sent(file, reading, options, tick)
        files = [(out.name, sent.encoded.stream)]
        return Result(sent.document, lambda _: files, lambda _: report(sent), sha256, _failure(sent))

    run(compute, Target(out.parent, out.with_suffix(".json").name, [out.name], (file, labels)), seed=seed)


def _check_curve(options: _Options) -> None:
    """Refuse options that the curve does not take, before any work.

    Raises:
        InputError: quotes the value.
    """
    curve = options.curve
    if curve not in POINTS:
        raise InputError(f"--curve must be one of {', '.join(POINTS)}; got {curve!r}.")
    taken = POINTS[curve]
    points = ("slope", "estimate_distortion", "merged", "accuracy", "distortion")
    given = [name for name in points if getattr(options, name) is not None]
    for name in given:
        if name not in taken:
            others = f"; take {_named(taken)}" if taken else "; use --temperature" if curve == "S&C" else ""
            raise InputError(f"{curve} has no {_named([name])}{others}.")
    if taken and not given:
        raise InputError(f"{curve} needs a point: {_named(taken)}.")
    if len(given) > 1:
        first, second = (getattr(options, name) for name in given[:2])
        raise InputError(f"pass {_named(given[:2])}, not both; got {first:g} and {second:g}.")
    for name in ("block", "seed", "most_candidates") if curve in ENTROPY_CODED else ():
        if getattr(options, name) is not None:
            raise InputError(f"{_named([name])} is for simulated channels; {curve} is entropy-coded.")


def _named(options: list[str] | tuple[str, ...]) -> str:
    """The options as they are typed: --slope, --accuracy or --distortion."""
    typed = ["--" + name.replace("_", "-") for name in options]
    return " or ".join([*([", ".join(typed[:-1])] if typed[:-1] else []), typed[-1]])


def _check_numbers(options: _Options) -> None:
    accuracy = options.accuracy
    if accuracy is not None and not 0 < accuracy < 1:
        percent = f" Write {accuracy / 100:g} for {accuracy:g} %." if 1 < accuracy < 100 else ""
        raise InputError(f"--accuracy must lie in (0, 1); got {accuracy:g}.{percent}")
    for name in ("slope", "temperature"):
        value = getattr(options, name)
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"--{name} must be a positive number; got {value:g}.")
    for name in ("distortion", "estimate_distortion"):
        value = getattr(options, name)
        if value is not None and not 0 <= value < np.inf:
            raise InputError(f"{_named([name])} must be a number >= 0; got {value:g}.")
    if options.most_candidates is not None and not options.most_candidates > 0:
        raise InputError(f"--most-candidates must be positive; got {options.most_candidates:g}.")


def _sent(file: Path | None, reading: Reading, options: _Options, tick: Tick) -> tuple[Sent, str]:
    """The decisions of the outputs that a file holds, encoded, and the SHA-256 of the file."""
    from jaxrd import datasets
    from jaxrd.coding import decode, encode, encode_decisions
    from jaxrd.documents.encode import Sent
    from jaxrd.io.losses import read_loss

    name = datasets.DEFAULT_EXAMPLE if file is None else file.name
    outputs, sha256 = reading.read(datasets.example_path(name) if file is None else file)
    loss = read_loss(options.loss or "zero-one", outputs.classes)
    if options.accuracy is not None and not loss.is_error:
        raise InputError(f"--accuracy is for losses of 0 and 1; {loss.name} has others. Take --distortion.")
    temperature = _temperature(name, outputs, options)
    scheme = _scheme(_samples(outputs, loss, temperature), options)
    block, seed = None, None
    if scheme.channel is None:
        assert scheme.sent is not None
        encoded, sent = encode_decisions(scheme.sent, loss.actions), scheme.sent
    else:
        block, seed = 1 if options.block is None else options.block, options.seed or 0
        most = 1e9 if options.most_candidates is None else options.most_candidates
        encoded = encode(scheme.channel, block=block, seed=seed, most_candidates=most, progress=partial(tick, "blocks"))
        sent = encoded.simulation.reproduction
    if not np.array_equal(decode(encoded.stream), sent):
        raise AssertionError("the stream does not decode to what was sent")
    notes = () if outputs.weights is None else ("the weights are not used: a stream holds every sample once",)
    asked = 1 - options.accuracy if options.accuracy is not None else options.distortion
    found = Sent(
        name, outputs.labels, loss, options.curve, scheme, encoded, options.accuracy, asked, temperature, block, seed,
        (*outputs.notes, *notes),
    )  # fmt: skip
    return found, sha256


def _temperature(name: str, outputs: Outputs, options: _Options) -> float | None:
    """Of the posterior; None for hard decisions.

    Raises:
        InputError: hard decisions, and a curve or an option that needs scores.
    """
    if outputs.logits is not None:
        return 1.0 if options.temperature is None else options.temperature
    if options.curve in SOFT:
        others = ", ".join(curve for curve in POINTS if curve not in SOFT)
        raise InputError(f"{name} holds hard decisions only; {options.curve} needs scores. Take {others}.")
    if options.temperature is not None:
        raise InputError(f"{name} holds hard decisions only; --temperature {options.temperature:g} has no effect.")
    return None


def _samples(outputs: Outputs, loss: Loss, temperature: float | None) -> Samples:
    from jaxrd.tosc.posterior import log_softmax
    from jaxrd.tosc.schemes import Samples, acted

    v = None if temperature is None else np.exp(log_softmax(np.asarray(outputs.logits), temperature))
    return Samples(outputs.labels, acted(outputs.decisions, loss, v), loss, v)


def _scheme(samples: Samples, options: _Options) -> Scheme:
    """What the sender does at the point that the options choose."""
    from jaxrd.tosc import schemes

    target = 1 - options.accuracy if options.accuracy is not None else options.distortion
    if options.curve == "TMRD":
        return schemes.model_aware(samples, slope=options.slope, distortion=target)
    if options.curve == "S&C":
        return schemes.sampled(samples)
    if options.curve == "iE&C":
        return schemes.indirect(samples, slope=options.slope, distortion=target)
    if options.curve == "E&C":
        apart = options.estimate_distortion
        return schemes.estimated(samples, slope=options.slope, distortion=target, estimate_distortion=apart)
    if options.curve == "merge":
        return schemes.merge(samples, merged=options.merged, distortion=target)
    return schemes.decisions(samples)


def _failure(sent: Sent) -> str | None:
    scheme = sent.scheme
    if not scheme.status.failed:
        return None
    return (
        f"{sent.curve} at slope {scheme.slope:g} did not converge ({scheme.status.name}): its rate is not the least one"
    )
