"""`jaxrd rdc`: the rate-distortion-classification function of a source with a distortion and labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from jaxrd.cli.common import Tick
from jaxrd.cli.rdc_asked import Asked, parse_at_rate, parse_perception, parse_targets
from jaxrd.cli.rdc_gaussian import gaussian
from jaxrd.cli.rdc_report import region_figure, report, surface_figure
from jaxrd.cli.rdc_sources import Source, discrete
from jaxrd.cli.run import Html, Result, Target, run

if TYPE_CHECKING:
    from jaxrd.documents.rdc import AtRate, Classified
    from jaxrd.rdc import Least

_EXAMPLE = "rdc_mnist.npz"

_File = Annotated[
    Path | None,
    typer.Argument(
        help=".npz with source (n,), distortion (n, m), labels P(S|X) (n, classes), or labels_1, labels_2, ...; or a "
        "Gaussian vector: covariance, direction, noise_variance; none: an example"
    ),
]
_At = Annotated[
    list[str] | None, typer.Option(help="D,C (D,C1,C2,...) to solve for, C in bits, inf for none; repeatable")
]
_Least = Annotated[
    list[str] | None,
    typer.Option(
        help="R,least,C: the least D that R bits allow; R,D,least: the least C; for several labels R,D,C1,least,...; "
        "repeatable"
    ),
]
_Perception = Annotated[
    str | None,
    typer.Option(
        help="bound on the law of the reproductions: tv:P, w2:P (W2 squared, of the file's transport_cost or its "
        "distortion), kl:P or rkl:P (bits)"
    ),
]
_Universal = Annotated[str | None, typer.Option(help="D1,C1;D2,C2;...: one encoder for all of them")]
_Region = Annotated[bool, typer.Option("--region", help="what the file's representation P(z|x) can be decoded to")]
_Surface = Annotated[
    int | None, typer.Option(help="N x N grid between least and largest targets; 0: none, as under --perception")
]
_Semantics = Annotated[str | None, typer.Option(help="lifted, literal, time-shared or fixed", show_default="lifted")]


def rdc_command(
    file: _File = None,
    at: _At = None,
    least: _Least = None,
    perception: _Perception = None,
    universal: _Universal = None,
    region: _Region = False,
    surface: _Surface = None,
    semantics: _Semantics = None,
    seed: Annotated[int | None, typer.Option(help="of the random starts; 0 if not given")] = None,
    out: Annotated[Path, typer.Option(help="folder for rdc.json, rdc.csv, rdc.png, rdc_region.png")] = Path("rdc"),
    no_plot: Annotated[bool, typer.Option("--no-plot", help="no figure")] = False,
    html: Html = False,
) -> None:
    """The least bits for a distortion D and a classification loss C, with bounds, in the semantics asked for."""
    asked = Asked(
        semantics, [parse_targets("--at", text) for text in at or []], [parse_at_rate(text) for text in least or []],
        [parse_targets("--universal", text) for text in universal.split(";")] if universal is not None else [],
        None if perception is None else parse_perception(perception), surface, region, seed,
    )  # fmt: skip
    asked.check()

    def compute(tick: Tick) -> Result:
        source, name = _source(file, asked)
        asked.check_targets(source.labels, negative=source.negative)
        classified = _classified(source, name, asked, tick)
        return Result(
            classified.document, lambda _: _files(classified, no_plot), lambda _: report(classified, source.size),
            source.sha256, _failure(classified),
        )  # fmt: skip

    pictures = [*(["rdc.png"] if asked.side else []), *(["rdc_region.png"] if region else [])]
    run(
        compute, Target(out, "rdc.json", ["rdc.csv", *([] if no_plot else pictures)], [file]), seed=seed or 0, html=html
    )


def _source(file: Path | None, asked: Asked) -> tuple[Source, str]:
    """The source that a file holds, and its name."""
    from jaxrd.datasets import embedded_path
    from jaxrd.io.labelled import GaussianLabelled, read_labelled

    given = read_labelled(embedded_path(_EXAMPLE) if file is None else file)
    name = "example: MNIST codewords, parity of the digit" if file is None else file.name
    if isinstance(given, GaussianLabelled):
        return gaussian(given, asked), name
    return discrete(given, asked.semantics or "lifted", asked.perception, asked.seed or 0), name


def _classified(source: Source, name: str, asked: Asked, tick: Tick) -> Classified:
    """The answers to all that was asked; targets are in bits, the source answers in nats."""
    from jaxrd.documents.rdc import Classified
    from jaxrd.information import NATS_PER_BIT

    def nats(losses: tuple[float, ...]) -> np.ndarray:
        return np.array(losses) * NATS_PER_BIT

    decoded = source.decoded() if asked.region else None  # first, as it takes no time and may be refused
    points, least = [], []
    for targets in asked.at:
        points.append((targets, source.rate(targets[0], nats(targets[1:]))))
        tick("points", len(points), len(asked.at))
    for question in asked.least:
        least.append((question, _least(source, question)))
        tick("least at a rate", len(least), len(asked.least))
    universal = None
    if asked.together:
        together = np.array(asked.together)
        universal = source.together(together[:, 0], together[:, 1:] * NATS_PER_BIT)
    surface = source.surface(asked.side, partial(tick, "R(D, C)")) if asked.side else None
    return Classified(
        name, source.semantics, source.labels, source.summary, source.notes, asked.perception, points, least, surface,
        asked.together, universal, decoded,
    )  # fmt: skip


def _least(source: Source, question: AtRate) -> Least:
    from jaxrd.information import NATS_PER_BIT

    rate, losses = question.rate * NATS_PER_BIT, np.array(question.targets[1:]) * NATS_PER_BIT
    if question.asked == 0:
        return source.least_distortion(losses, rate)
    return source.least_loss(question.asked - 1, question.targets[0], losses, rate)


def _files(classified: Classified, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd.io import csv_rows

    yield "rdc.csv", csv_rows(classified.tables)
    if no_plot:
        return
    if classified.surface is not None:
        yield "rdc.png", surface_figure(classified)
    if classified.decoded is not None:
        yield "rdc_region.png", region_figure(classified)


def _failure(classified: Classified) -> str | None:
    from jaxrd.documents.rdc import CERTIFIED

    if not (loose := classified.failed):
        return None
    widest = max((row["rate_bits"] - row["lower_bits"] for row in loose if "lower_bits" in row), default=np.nan)
    what = "not certified" if classified.semantics in CERTIFIED else "no code found"
    words = f", widest {widest:.2g} bit" if np.isfinite(widest) else ""
    return f"{what} at {len(loose)} points{words}; see status"
