"""`jaxrd tasks`: the bits per sample that several tasks need on one stream, and what that saves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from jaxrd.cli.common import Tick
from jaxrd.cli.outputs import (
    FirstLabel,
    LabelColumn,
    Labels,
    Probabilities,
    Reading,
    Scores,
    UnsafePickle,
    Weights,
)
from jaxrd.cli.run import TOLERANCE, Result, Target, run
from jaxrd.cli.tasks_report import figure, report
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.tasks import Joint, Named
    from jaxrd.tosc import Outputs
    from jaxrd.tosc.losses import Loss

_GRID = 7


_Files = Annotated[
    list[Path], typer.Argument(help="outputs as for jaxrd limits: one file with several --loss, or several files")
]
_Losses = Annotated[
    list[str] | None,
    typer.Option(
        help="of a task; repeatable: for one file all its tasks, for several files one each, or one for all. zero-one "
        "(the default), topK, abstain:COST, superclass:FILE, hierarchy:FILE, or a matrix in .npy or .csv"
    ),
]
_At = Annotated[list[str] | None, typer.Option(help="D1,D2,...: a limit for each task, inf for none; repeatable")]
_Temperatures = Annotated[
    list[float] | None,
    typer.Option(
        help="of the posteriors (1: as is), once for all files or once for each, and every sample is used; without it "
        "half the samples fit it"
    ),
]
_Different = Annotated[
    bool, typer.Option("--different-labels", help="files of as many classes have labels of different things")
]
_Grid = Annotated[int | None, typer.Option(help="N x N limits of the figure for two tasks", show_default=str(_GRID))]
_Seed = Annotated[int | None, typer.Option(help="of the split that fits the temperature; 0 if not given")]
_Out = Annotated[Path, typer.Option(help="folder for tasks.json, tasks.csv, tasks.png")]
_NoPlot = Annotated[bool, typer.Option("--no-plot", help="no figure, and no grid for it")]


class _Asked(NamedTuple):
    at: list[tuple[float, ...]] | None
    temperature: list[float]
    seed: int | None
    grid: int
    different: bool


def tasks_command(
    files: _Files,
    loss: _Losses = None,
    at: _At = None,
    temperature: _Temperatures = None,
    labels: Labels = None,
    scores: Scores = None,
    label_column: LabelColumn = None,
    probabilities: Probabilities = None,
    first_label: FirstLabel = None,
    unsafe_pickle: UnsafePickle = False,
    weights: Weights = None,
    different_labels: _Different = False,
    grid: _Grid = None,
    seed: _Seed = None,
    out: _Out = Path("tasks"),
    no_plot: _NoPlot = False,
) -> None:
    """The fewest bits per sample for several tasks at once, each task alone, and what one stream saves."""
    reading = Reading(labels, scores, label_column, probabilities, first_label, unsafe_pickle, weights)
    words = _paired(files, loss or [])
    limits = None if not at else [_limits(text, len(words)) for text in at]
    _check(files, temperature or [], seed, grid, no_plot or len(words) != 2, different_labels)
    asked = _Asked(limits, temperature or [], seed, 0 if no_plot else grid or _GRID, different_labels)

    def compute(tick: Tick) -> Result:
        joint = _joint(files, words, reading, asked, tick)
        failed = joint.failed
        widest = max((row["gap_bits"] for row in failed), default=0.0)
        return Result(
            joint.document, lambda _: _files(joint), partial(report, joint),
            joint.tasks[0].sha256 if len(files) == 1 else None,
            f"not certified at {len(failed)} points, widest {widest:.2g} bit; see status" if failed else None,
        )  # fmt: skip

    names = ["tasks.csv", *(["tasks.png"] if len(words) == 2 and not no_plot else [])]
    run(compute, Target(out, "tasks.json", names, (*files, labels)), seed=seed or 0, tolerance=TOLERANCE)


def _paired(files: list[Path], losses: list[str]) -> list[tuple[Path, str]]:
    """The file and the loss of each task.

    Raises:
        InputError: fewer than two tasks, or losses that cannot be dealt to the files.
    """
    if len(files) == 1:
        if len(losses) < 2:
            raise InputError(
                "one file needs two tasks or more: pass --loss twice, such as --loss zero-one --loss superclass:FILE. "
                "For one task use jaxrd limits."
            )
        return [(files[0], word) for word in losses]
    words = losses or ["zero-one"]
    words = words * len(files) if len(words) == 1 else words
    if len(words) != len(files):
        raise InputError(f"{len(files)} files take one --loss, or one each; got {len(losses)}.")
    return list(zip(files, words, strict=True))


def _limits(text: str, count: int) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or not all(d >= 0 for d in values):
        raise InputError(f"--at must be {','.join(f'D{t + 1}' for t in range(count))}, each >= 0 or inf; got {text!r}.")
    return values


def _check(
    files: list[Path], temperature: list[float], seed: int | None, grid: int | None, no_figure: bool, different: bool
) -> None:
    """Refuse impossible options before any work.

    Raises:
        InputError: quotes the value.
    """
    if len(temperature) not in (0, 1, len(files)):
        raise InputError(
            f"--temperature must be given once, or once for each of {len(files)} files; got {len(temperature)}."
        )
    for value in temperature:
        if not 0 < value < np.inf:
            raise InputError(f"--temperature must be a positive number; got {value:g}.")
    if seed is not None and seed < 0:
        raise InputError(f"--seed must be >= 0; got {seed}.")
    if seed is not None and temperature:
        raise InputError(f"--seed {seed} has no effect: with --temperature nothing is random.")
    if grid is not None and not 2 <= grid <= 50:
        raise InputError(f"--grid must lie in 2..50; got {grid}.")
    if grid is not None and no_figure:
        raise InputError(f"--grid {grid} has no effect: there is a figure for two tasks alone, and not with --no-plot.")
    if different and len(files) == 1:
        raise InputError("--different-labels has no effect: one file has one array of labels.")


def _joint(files: list[Path], words: list[tuple[Path, str]], reading: Reading, asked: _Asked, tick: Tick) -> Joint:
    from jaxrd.documents.tasks import Joint, Named, shares
    from jaxrd.io.losses import read_loss
    from jaxrd.tosc import joint_limits
    from jaxrd.tosc.tasks.joint import between

    outputs = [reading.read(path, tick) for path in files]
    _refuse_other_samples(files, [held for held, _ in outputs], asked.different)
    every = outputs * len(words) if len(files) == 1 else outputs
    tasks: list[tuple[Outputs, Loss]] = []
    named: list[Named] = []
    for (path, word), (held, sha256) in zip(words, every, strict=True):
        if held.logits is None:
            raise InputError(f"{path.name} has hard decisions only: several tasks need a posterior. Pass scores.")
        loss = read_loss(word, held.classes)
        tasks.append((held, loss))
        named.append(Named(path.name, _short(loss.name), loss.labels, loss.actions, sha256))
    temperature = asked.temperature * len(words) if len(asked.temperature) == 1 else asked.temperature or None
    solve = partial(joint_limits, tasks, temperature=temperature, seed=asked.seed or 0)
    found = solve(at=asked.at, progress=tick)
    surface = None
    if asked.grid and len(words) == 2:
        grid = between(found.least, found.silent, shares(asked.grid))
        surface = solve(at=grid.tolist(), progress=lambda _, done, total: tick("surface", done, total))
    notes = list(dict.fromkeys(note for held, _ in outputs for note in held.notes))
    return Joint(named, found, surface, len(outputs[0][0].labels), notes)


def _short(name: str) -> str:
    """A loss's name without the folders of its file."""
    kind, colon, rest = name.partition(":")
    return f"{kind}:{Path(rest).name}" if colon else name


def _refuse_other_samples(files: list[Path], outputs: list[Outputs], different: bool) -> None:
    """Refuse files that cannot be of the same samples.

    Raises:
        InputError: another number of samples; or, for as many classes, other labels.
    """
    first = outputs[0]
    for path, other in zip(files[1:], outputs[1:], strict=True):
        if len(other.labels) != len(first.labels):
            raise InputError(
                f"{path.name} has {len(other.labels)} samples, {files[0].name} {len(first.labels)}: tasks on one "
                "stream must be on the same samples, in the same order."
            )
        unequal = np.flatnonzero(other.labels != first.labels) if other.classes == first.classes else np.empty(0, int)
        if unequal.size and not different:
            raise InputError(
                f"{path.name} and {files[0].name} have different labels at {unequal.size} samples, the first of them "
                f"{unequal[0]}: are the rows in the same order? Pass --different-labels if they label different things."
            )


def _files(joint: Joint) -> Iterator[tuple[str, bytes]]:
    from jaxrd.io import csv_rows

    yield "tasks.csv", csv_rows(joint.tables)
    if joint.surface is not None:
        yield "tasks.png", figure(joint)
