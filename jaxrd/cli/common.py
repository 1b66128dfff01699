"""What the verbs share: precision, timing, progress, provenance."""

from __future__ import annotations

import platform
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from jaxrd._kept import keep
from jaxrd._version import __version__
from jaxrd.cli import interrupts

# No markup: names of files and columns may hold brackets.
console: Console = Console(markup=False)
errors: Console = Console(stderr=True, markup=False)

_MEMORY = 300.0
"""Seconds of the past from which the time left is estimated: steps of large files may take a minute each."""
Tick = Callable[[str, int, int], None]
"""Called as tick(what, done, total) between steps of the work."""


class Meta(TypedDict):
    """The `meta` of a result file: where, when and with what versions it was computed."""

    versions: dict[str, str]
    device: str
    dtype: str
    tolerance: float
    sha256: str | None
    seed: int | None
    seconds: dict[str, float]


def headed(head: str, text: str) -> Text:
    """A line whose head is bold."""
    return Text.assemble((head, "bold"), text)


def print_line(line: str | Text, *, style: str | None = None) -> None:
    """Print one line unchanged: without wrapping and without automatic highlighting."""
    console.print(line, style=style, soft_wrap=True, highlight=False)


def print_notes(notes: Iterable[str]) -> None:
    """Print notes about the input, one line each."""
    for note in notes:
        print_line(f"note: {note}", style="dim")


def write(
    folder: Path, files: Iterable[tuple[str, bytes]], document: tuple[str, Mapping[str, object]] | None = None
) -> list[Path]:
    """Save the results; after that Ctrl-C only ends the report, and no longer says that nothing was written.

    Raises:
        InputError, OSError: as `save_all`.
    """
    from jaxrd.io.save import save_all, undisturbed

    # Another handler is not ours to change.
    by_hand = signal.getsignal(signal.SIGINT) in (interrupts.leave, interrupts.leave_resumable)
    with undisturbed(interrupts.leave_results if by_hand else None):
        return save_all(folder, files, document)


def keep_compilations() -> None:
    """Keep what is compiled for the next run; one line where that cannot be."""
    _, failure = keep()
    if failure:
        errors.print(f"jaxrd: {failure}", soft_wrap=True)


def set_precision(float32: bool) -> str:
    """Choose float64 or float32 for all of JAX, as an application may; returns the dtype's name."""
    jax.config.update("jax_enable_x64", not float32)
    return "float32" if float32 else "float64"


@dataclass
class Clock:
    """Wall time, and how much of it went into tracing and compiling."""

    start: float = field(default_factory=time.perf_counter)
    compile: float = 0.0

    def seconds(self) -> dict[str, float]:
        """`compile` and `solve` apart, in seconds since the clock began."""
        total = time.perf_counter() - self.start
        return {"compile": round(self.compile, 3), "solve": round(max(total - self.compile, 0), 3)}


@contextmanager
def timed() -> Iterator[Clock]:
    """A clock that adds up the compile times that JAX reports."""
    clock = Clock()

    def hear(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            clock.compile += duration_secs

    jax.monitoring.register_event_duration_secs_listener(hear)
    try:
        yield clock
    finally:
        jax.monitoring.unregister_event_duration_listener(hear)


@contextmanager
def progress_bar() -> Iterator[Tick]:
    """A bar on stderr that appears once a run takes over two seconds; yields tick(name, done, total).

    For each name it shows the time elapsed, and the time left at the rate of the last minutes.
    """
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("left"), console=errors, transient=True,
        speed_estimate_period=_MEMORY,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}
    began = time.perf_counter()

    def tick(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=total)
        task = bar.tasks[tasks[name]]
        if done < task.completed:  # work of the same name begins again
            bar.reset(task.id, total=total)
        bar.update(task.id, completed=done, total=total)
        if errors.is_terminal and not bar.live.is_started and time.perf_counter() - began > 2:
            bar.start()

    try:
        yield tick
    finally:
        if bar.live.is_started:
            bar.stop()


def provenance(*, dtype: str, sha256: str | None, seed: int | None, clock: Clock, tolerance: float) -> Meta:
    """The `meta` of a result file."""
    device = jax.devices()[0]
    return {
        "versions": {
            "jaxrd": __version__, "jax": jax.__version__, "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "device": f"{device.platform} ({device.device_kind})",
        "dtype": dtype,
        "tolerance": tolerance,
        "sha256": sha256,
        "seed": seed,
        "seconds": clock.seconds(),
    }  # fmt: skip
