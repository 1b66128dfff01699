"""What the verbs share: precision, timing, progress, provenance."""

import platform
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

import jaxrd
from jaxrd.cli import interrupts
from jaxrd.errors import InputError

# No markup: names of files and columns may hold brackets.
console = Console(markup=False)
errors = Console(stderr=True, markup=False)
FILES = (
    "outputs: .npz, .npy with --labels, a folder, .csv, .tsv, .parquet, .json, .jsonl, .h5, .mat, .safetensors or .pt; "
    "none: the example"
)
# How a file of outputs is read, where its names and rows leave a doubt.
Scores = Annotated[
    str | None,
    typer.Option(
        help="the array or columns of the scores: a name, a list a,b,c in the order of the classes, or 'prob_*', "
        "quoted, in numeric order"
    ),
]
LabelColumn = Annotated[str | None, typer.Option(help="the array or column of the labels, in FILE or in --labels")]
Probabilities = Annotated[
    bool | None,
    typer.Option("--probabilities/--logits", help="what the scores are; rows of probabilities are renormalised"),
]
FirstLabel = Annotated[int | None, typer.Option(help="the number of the first class in the labels, 0 or 1", min=0)]


def headed(head: str, text: str) -> Text:
    """A line whose head is bold."""
    return Text.assemble((head, "bold"), text)


def need_file(file: Path | None, **options: Any) -> None:
    """Refuse options that say how FILE is read where the example is used instead.

    Raises:
        InputError: names the first option that was given.
    """
    if "probabilities" in options and options["probabilities"] is False:
        options = {"logits" if name == "probabilities" else name: value for name, value in options.items()}
    for name, value in options.items() if file is None else ():
        if value is not None and (value is not False or name == "logits"):
            verb = "are" if name in ("labels", "scores", "logits", "probabilities") else "is"
            raise InputError(f"--{name.replace('_', '-')} {verb} for a FILE of outputs; none was named.")


UNSAFE_PICKLE = "read pickles too: they can run any code, so only from where you trust"


def write(
    folder: Path, files: Iterable[tuple[str, bytes]], document: tuple[str, Mapping[str, Any]] | None = None
) -> list[Path]:
    """Save the results; from then on Ctrl-C only cuts the report short: it may no longer say that nothing was written.

    Raises:
        InputError, OSError: as `save_all`.
    """
    from jaxrd.io.save import save_all, undisturbed

    by_hand = signal.getsignal(signal.SIGINT) is interrupts.leave  # elsewhere it is not ours to change
    with undisturbed(interrupts.leave_results if by_hand else None):
        return save_all(folder, files, document)


def reach(rate: float | None) -> str:
    """Why a rate is null in a file, in a word: JSON has no infinity."""
    if rate is None or np.isnan(rate):
        return "not computed"
    return "beyond" if np.isinf(rate) else "reached"


def set_precision(float32: bool) -> str:
    """Choose float64 (the command line is an application: here it may) or float32; returns the dtype's name."""
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
    """A clock that hears JAX report its compilations."""
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
def progress_bar() -> Iterator[Any]:
    """A bar on stderr that appears once a run takes over two seconds; yields tick(name, done, total)."""
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(), console=errors, transient=True,
    )  # fmt: skip
    tasks: dict[str, Any] = {}
    began = time.perf_counter()

    def tick(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=total)
        bar.update(tasks[name], completed=done)
        if errors.is_terminal and not bar.live.is_started and time.perf_counter() - began > 2:
            bar.start()

    try:
        yield tick
    finally:
        if bar.live.is_started:
            bar.stop()


def provenance(*, dtype: str, sha256: str | None, seed: int | None, clock: Clock, tolerance: float) -> dict[str, Any]:
    """The `meta` of a result file."""
    device = jax.devices()[0]
    return {
        "versions": {
            "jaxrd": jaxrd.__version__, "jax": jax.__version__, "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "device": f"{device.platform} ({device.device_kind})",
        "dtype": dtype,
        "tolerance": tolerance,
        "sha256": sha256,
        "seed": seed,
        "seconds": clock.seconds(),
    }  # fmt: skip
