"""`jaxrd encode`: code a classifier's decisions into a stream, and count its bits."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from jaxrd.cli.common import Tick, headed, print_line, print_notes
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
    from jaxrd.solution import Status

CURVES = ("TMRD", "S&C")
POINTS = 32  # points of the curve on which the slope for an accuracy is searched, as in jaxrd limits

_CurveName = Annotated[str, typer.Option(help="the scheme: TMRD, or 'S&C' (quoted: & means something to shells)")]
Slope = Annotated[float | None, typer.Option(help="of TMRD, nats per unit of distortion: one of limits.json's, or any")]
Accuracy = Annotated[
    float | None, typer.Option(help="choose the slope of TMRD that reaches it on the labels, at the least rate")
]
Temperature = Annotated[
    float,
    typer.Option(
        help="T of the posterior softmax(logits / T) that TMRD codes and S&C samples; in terms of limits.json, "
        "its temperature for TMRD, temperature / inverse_temperature for S&C"
    ),
]
Block = Annotated[int, typer.Option(help="n, samples coded together: fewer bits, exponentially more work")]
Seed = Annotated[int, typer.Option(help="of the randomness that both sides share; the stream holds it")]
_MostCandidates = Annotated[
    float, typer.Option(help="refuse if the search is expected to examine more; a billion take about a minute")
]
Out = Annotated[Path, typer.Option(help="the stream, X.jrd; its bits and candidates go to X.json")]


class _Scheme(NamedTuple):
    """The options that say how decisions are coded."""

    curve: str
    slope: float | None
    accuracy: float | None
    temperature: float
    block: int
    seed: int
    most_candidates: float


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
    temperature: Temperature = 1.0,
    block: Block = 1,
    seed: Seed = 0,
    most_candidates: _MostCandidates = 1e9,
    out: Out = Path("decisions.jrd"),
) -> None:
    """Send each sample's decision through a simulated channel: real bits for a point of TMRD or S&C."""
    reading = Reading(labels, scores, label_column, probabilities, first_label, unsafe_pickle)
    scheme = _Scheme(curve, slope, accuracy, temperature, block, seed, most_candidates)
    _check_curve(scheme)
    reading.refuse_without(file)
    _check_numbers(scheme)
    refuse_unless_ends(out, ".jrd")

    def compute(tick: Tick) -> Result:
        sent, sha256 = _sent(file, reading, scheme, tick)
        files = [(out.name, sent.encoded.stream)]
        return Result(sent.document, lambda _: files, lambda _: _report(sent), sha256, _failure(sent))

    run(compute, Target(out.parent, out.with_suffix(".json").name, [out.name], (file, labels)), seed=seed)


def _check_curve(scheme: _Scheme) -> None:
    """Refuse options that the curve does not take, before any work.

    Raises:
        InputError: quotes the value.
    """
    curve, slope, accuracy = scheme[:3]
    if curve not in CURVES:
        raise InputError(f"--curve must be one of {', '.join(CURVES)}; got {curve!r}.")
    if curve != "TMRD" and not (slope is None and accuracy is None):
        option = "--slope" if accuracy is None else "--accuracy, which chooses a slope"
        raise InputError(f"S&C has no {option}; use --temperature.")
    if curve == "TMRD" and slope is None and accuracy is None:
        raise InputError("TMRD needs a --slope, or an --accuracy that chooses one.")
    if curve == "TMRD" and slope is not None and accuracy is not None:
        raise InputError(f"pass --slope or --accuracy, not both; got {slope:g} and {accuracy:g}.")
    if accuracy is not None and not 0 < accuracy < 1:
        percent = f" Write {accuracy / 100:g} for {accuracy:g} %." if 1 < accuracy < 100 else ""
        raise InputError(f"--accuracy must lie in (0, 1); got {accuracy:g}.{percent}")


def _check_numbers(scheme: _Scheme) -> None:
    for option, value in (("--slope", scheme.slope), ("--temperature", scheme.temperature)):
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"{option} must be a positive number; got {value:g}.")
    if not scheme.most_candidates > 0:
        raise InputError(f"--most-candidates must be positive; got {scheme.most_candidates:g}.")


def _sent(file: Path | None, reading: Reading, scheme: _Scheme, tick: Tick) -> tuple[Sent, str]:
    """The decisions of the outputs that a file holds, encoded, and the SHA-256 of the file."""
    from jaxrd import datasets
    from jaxrd.coding import decode, encode
    from jaxrd.documents.encode import Sent
    from jaxrd.solution import Status
    from jaxrd.tosc.posterior import log_softmax

    curve, slope, accuracy, temperature, block, seed, most_candidates = scheme
    name = datasets.DEFAULT_EXAMPLE if file is None else file.name
    outputs, sha256 = reading.read(datasets.example_path(name) if file is None else file)
    if outputs.logits is None:
        raise InputError(f"{name} holds hard decisions only; {curve} needs scores.")
    log_v = log_softmax(np.asarray(outputs.logits), temperature)
    if accuracy is not None:
        slope = _slope_for(accuracy, log_v, outputs.labels)
    channel, status = _model_aware(log_v, slope) if slope is not None else (np.exp(log_v), Status.ACHIEVABLE)
    encoded = encode(channel, block=block, seed=seed, most_candidates=most_candidates, progress=partial(tick, "blocks"))
    if not np.array_equal(decode(encoded.stream), encoded.simulation.reproduction):
        raise AssertionError("the stream does not decode to what was sent")
    sent = Sent(name, outputs, channel, status, encoded, curve, slope, accuracy, temperature, block, seed)
    return sent, sha256


def _slope_for(accuracy: float, log_v: np.ndarray, labels: np.ndarray) -> float:
    """The slope at which `jaxrd limits` finds TMRD's least rate for that accuracy, measured on the labels.

    Raises:
        InputError: always guessing one class is as good, or no slope reaches it.
    """
    from jaxrd.tosc.curves import model_aware
    from jaxrd.tosc.posterior import Posterior

    prior = np.bincount(labels, minlength=log_v.shape[1]) / len(labels)
    bound = model_aware.draw(Posterior(log_v, labels, 1.0), prior, POINTS)
    place = bound.smallest(1 - accuracy)
    if np.isinf(place.rate):
        raise InputError(
            f"TMRD does not reach --accuracy {accuracy:g}: {1 - bound.curve.distortion.min():.4g} at best."
        )
    if place.rate <= 0:
        raise InputError(
            f"--accuracy {accuracy:g} needs no bits: always guessing one class has {1 - bound.curve.distortion[0]:.4g}."
        )
    return place.parameter


def _model_aware(log_v: np.ndarray, slope: float) -> tuple[np.ndarray, Status]:
    """TMRD's channel, and whether it is certified to be the optimal one."""
    from jaxrd import Problem, Status, optimal_channel, solve

    problem = Problem(np.full(len(log_v), 1 / len(log_v), log_v.dtype), 1 - np.exp(log_v))
    point = solve(problem, slope)
    return np.asarray(optimal_channel(problem, point)), Status(int(point.status))


def _failure(sent: Sent) -> str | None:
    if not sent.status.failed:
        return None
    return f"TMRD at slope {sent.slope:g} did not converge ({sent.status.name}): its rate is not the least one"


def _report(sent: Sent) -> None:
    how = f"slope {sent.slope:g}" if sent.slope is not None else "a sample of the posterior"
    encoded = sent.encoded
    lines = [
        headed(
            sent.name,
            f": {sent.samples} decisions by {sent.curve}, {how}, temperature {sent.temperature:g}, blocks "
            f"of {sent.block}",
        ),
        f"payload {sent.payload_bits:.4f} bits a sample, and {sent.header_bytes} bytes of header",
        f"I(X;Y) {sent.information_bits:.4f}, bound {sent.bound_bits:.4f}, "
        f"sending the sample itself {sent.sample_bits:.4f}",
        f"{encoded.simulation.candidates:.3g} candidates ({encoded.expected_candidates:.3g} expected); "
        f"accuracy {1 - sent.distortion:.2%} ({1 - sent.distortion_expected:.2%} expected)",
    ]
    for line in lines:
        print_line(line)
    print_notes(sent.notes)
