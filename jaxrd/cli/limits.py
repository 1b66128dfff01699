"""`jaxrd limits`: the rate-accuracy limits of a classifier, from its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxrd.cli import limits_codec, limits_known
from jaxrd.cli.bottleneck_report import BottleneckOption
from jaxrd.cli.by_class_report import ByClassOption
from jaxrd.cli.common import Meta, Tick
from jaxrd.cli.devices import Coordinator, Devices, Distributed, MeshShape, Process, Processes
from jaxrd.cli.limits_asked import Asked, limits_of, loss_of, refuse_mesh_of_decisions
from jaxrd.cli.limits_codec import Bits, Codecs
from jaxrd.cli.limits_models import compare_files
from jaxrd.cli.limits_report import figure, report
from jaxrd.cli.outputs import (
    FirstLabel,
    LabelColumn,
    Labels,
    OutputsFiles,
    Probabilities,
    Reading,
    Scores,
    UnsafePickle,
    Weights,
)
from jaxrd.cli.regression import regression
from jaxrd.cli.run import Html, Result, Target, failure, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.limits import Analysed

Example = Annotated[str | None, typer.Option(help="embedded outputs: mnist-noisy (the default) or mnist-clean")]
At = Annotated[
    list[float] | None, typer.Option(help="task distortion to solve for, 1 - accuracy or a mean loss; repeatable")
]
Accuracies = Annotated[list[float] | None, typer.Option(help="accuracy to solve for; repeatable")]
Temperature = Annotated[
    float | None, typer.Option(help="fixes it (1: as is) and uses every sample; without it half the samples fit it")
]
Slopes = Annotated[int, typer.Option(help="points per curve")]
Loss = Annotated[
    str | None,
    typer.Option(
        help="of a label and a decision: zero-one (the default), topK such as top2 (at most 20 000 sets), "
        "abstain:COST, superclass:FILE, hierarchy:FILE, or a matrix in .npy or .csv; squared: of a real "
        "target and a predictive law"
    ),
]
Prior = Annotated[
    str | None,
    typer.Option(help="how often the classes occur where the classifier will be used: uniform, or a file of them"),
]
_Pixels = Annotated[int | None, typer.Option(help="pixels per sample: adds bits per pixel")]
_Confidence = Annotated[
    float | None,
    typer.Option(help="such as .95: adds intervals, rigorous bounds, cross-fitted curves and a sandwich of TMRD"),
]
_Kappa = Annotated[
    float | None,
    typer.Option(help="for the sandwich: E max_y |P(y|v) - v_y|, the error of the posterior; estimated if not given"),
]
Seed = Annotated[
    int | None, typer.Option(help="of the split that fits the temperature, and of the resampling; 0 if not given")
]
Out = Annotated[Path, typer.Option(help="folder for limits.json, limits.csv, limits.png, codecs.csv")]
_NoPlot = Annotated[bool, typer.Option("--no-plot", help="no figure")]
Float32 = Annotated[
    bool, typer.Option("--float32", help="compute in float32: gaps of 1e-5 nat, relative to max(1, |L|)")
]


def limits_command(
    file: OutputsFiles = None,
    labels: Labels = None,
    example: Example = None,
    scores: Scores = None,
    label_column: LabelColumn = None,
    probabilities: Probabilities = None,
    first_label: FirstLabel = None,
    unsafe_pickle: UnsafePickle = False,
    at: At = None,
    accuracy: Accuracies = None,
    bits: Bits = None,
    codec: Codecs = None,
    known: limits_known.KnownFile = None,
    temperature: Temperature = None,
    slopes: Slopes = 32,
    pixels: _Pixels = None,
    confidence: _Confidence = None,
    kappa: _Kappa = None,
    seed: Seed = None,
    by_class: ByClassOption = False,
    bottleneck: BottleneckOption = False,
    out: Out = Path("limits"),
    no_plot: _NoPlot = False,
    html: Html = False,
    float32: Float32 = False,
    loss: Loss = None,
    prior: Prior = None,
    weights: Weights = None,
    mesh: MeshShape = None,
    distributed: Distributed = False,
    coordinator: Coordinator = None,
    processes: Processes = None,
    process: Process = None,
) -> None:
    """The fewest bits per sample that any scheme needs for a given accuracy, with this classifier; or with several."""
    if loss == "squared":
        return regression(file or [], at or [], slopes, (out, no_plot), locals())
    reading = Reading(labels, scores, label_column, probabilities, first_label, unsafe_pickle, weights)
    asked = Asked(
        example, at or [], accuracy or [], temperature, slopes, pixels, confidence, kappa, seed, loss, prior, by_class,
        bottleneck, bits or [], codec or [], known,
    )  # fmt: skip
    devices = Devices(mesh, distributed, coordinator, processes, process)
    devices.check()
    _check(first := file[0] if file else None, reading, asked)
    if file and len(file) > 1:
        return compare_files(file, reading, asked, devices, (out, no_plot, float32, html))
    name, path = _named(first, example)
    leads = devices.join()

    def compute(tick: Tick) -> Result:
        analysed, sha256 = _analysed(name, path, reading, asked, devices, tick)
        return Result(
            analysed.document, lambda meta: _files(analysed, meta, no_plot), lambda meta: report(analysed, meta),
            sha256, failure(analysed.failed),
        )  # fmt: skip

    target = Target(out, "limits.json", _names(asked, no_plot), (path, labels, known, *asked.codecs))
    run(compute, target, seed=seed or 0, float32=float32, leads=leads, html=html)


def _check(file: Path | None, reading: Reading, asked: Asked) -> None:
    """Refuse impossible options before any work.

    Raises:
        InputError: quotes the value.
    """
    _check_confidence(asked.confidence, asked.kappa, asked.loss)
    limits_codec.check(asked.bits, asked.codecs)
    if asked.known is not None and not asked.known.exists():
        raise InputError(f"{asked.known} does not exist.")
    if file is not None and asked.example is not None:
        raise InputError(f"pass FILE or --example, not both; got {file} and {asked.example}.")
    if asked.pixels is not None and asked.pixels < 1:
        raise InputError(f"--pixels must be at least 1; got {asked.pixels}.")
    reading.refuse_without(file)
    seed = asked.seed
    if seed is not None and seed < 0:
        raise InputError(f"--seed must be >= 0; got {seed}.")
    if seed is not None and asked.temperature is not None and asked.confidence is None:
        raise InputError(f"--seed {seed} has no effect: with --temperature and without --confidence nothing is random.")
    at = asked.at if asked.loss is None else []  # other losses may be larger than 1
    for option, values in (("--at", at), ("--accuracy", asked.accuracy)):
        for value in values:
            if not 0 <= value <= 1:
                percent = f" Write {value / 100:g} for {value:g} %." if 1 < value <= 100 else ""
                raise InputError(f"{option} must lie in [0, 1]; got {value:g}.{percent}")


def _check_confidence(confidence: float | None, kappa: float | None, loss: str | None) -> None:
    if confidence is not None and not 0 < confidence < 1:
        percent = f" Write {confidence / 100:g} for {confidence:g} %." if 1 < confidence < 100 else ""
        raise InputError(f"--confidence must lie in (0, 1); got {confidence:g}.{percent}")
    if kappa is not None and confidence is None:
        raise InputError("--kappa needs --confidence.")
    if kappa is not None and loss in (None, "zero-one") and not 0 <= kappa <= 1:
        raise InputError(f"--kappa must lie in [0, 1]; got {kappa:g}.")


def _named(file: Path | None, example: str | None) -> tuple[str, Path]:
    """The name of the outputs, and their path."""
    from jaxrd import datasets

    if file is not None:
        return file.name, file
    name = example or datasets.DEFAULT_EXAMPLE
    if name not in datasets.EXAMPLES:
        raise InputError(f"no example {name!r}; there are: {', '.join(datasets.EXAMPLES)}.")
    return name, datasets.example_path(name)


def _analysed(
    name: str, path: Path, reading: Reading, asked: Asked, devices: Devices, tick: Tick
) -> tuple[Analysed, str]:
    """The limits of the outputs that a file holds, and the SHA-256 of the file."""
    from jaxrd import tosc
    from jaxrd.documents.limits import Analysed

    outputs, sha256 = reading.read(path, tick, shared=devices.several_processes)
    if asked.seed is not None and outputs.logits is None and asked.confidence is None:
        raise InputError(f"--seed {asked.seed} has no effect: hard decisions without --confidence use nothing random.")
    seed = asked.seed or 0
    if outputs.logits is None:
        refuse_mesh_of_decisions(devices)
    loss = loss_of(asked, outputs)
    codecs = limits_codec.read(asked.codecs, asked.pixels, loss)
    limits = limits_of(outputs, asked, loss, devices, asked.targets or None, tick)
    wide = limits_codec.widened(limits, codecs)
    stats = None
    if asked.confidence is not None:
        stats = tosc.statistics(wide, confidence=asked.confidence, kappa=asked.kappa, seed=seed, progress=tick)
    stats, compared = limits_codec.split(wide, len(limits.at), codecs, stats, tick)
    analysed = Analysed(
        name, limits, stats, outputs.notes, asked.pixels, seed, asked.kappa is not None,
        by_class=tosc.by_class(limits, progress=tick) if asked.by_class else None,
        bottleneck=tosc.bottleneck(limits, progress=tick) if asked.bottleneck else None,
        at_bits=limits_codec.reached(limits, asked.bits, tick), beside=compared,
        receiver=limits_known.receiver(asked.known, outputs, limits, asked, tick),
    )  # fmt: skip
    return analysed, sha256


def _names(asked: Asked, no_plot: bool) -> Iterator[str]:
    """Names of the files beside limits.json."""
    for stem in ("limits", *(["by_class"] if asked.by_class else []), *(["bottleneck"] if asked.bottleneck else [])):
        yield f"{stem}.csv"
        if not no_plot:
            yield f"{stem}.png"
    if asked.codecs:
        yield "codecs.csv"
    if asked.pixels is not None:
        from jaxrd.documents.limits import RESULTS

        yield from RESULTS.values()


def _files(analysed: Analysed, meta: Meta, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd.io import csv_rows

    yield "limits.csv", csv_rows(analysed.tables)
    if analysed.beside is not None:
        yield "codecs.csv", analysed.beside.csv()
    if not no_plot:
        yield "limits.png", figure(analysed)
    if analysed.by_class is not None:
        from jaxrd.cli import by_class_report
        from jaxrd.documents import by_class

        yield "by_class.csv", by_class.table(analysed.by_class, analysed.limits)
        if not no_plot:
            yield "by_class.png", by_class_report.figure(analysed.by_class, analysed.limits, analysed.name)
    if analysed.bottleneck is not None:
        from jaxrd.cli import bottleneck_report
        from jaxrd.documents import bottleneck

        yield "bottleneck.csv", bottleneck.table(analysed.bottleneck)
        if not no_plot:
            yield "bottleneck.png", bottleneck_report.figure(analysed.bottleneck, analysed.name)
    yield from analysed.compressai_files(meta)
