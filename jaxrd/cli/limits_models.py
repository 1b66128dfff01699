"""`jaxrd limits` of several files: models in one table, one figure and one document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jaxrd.cli.common import Meta, Tick
from jaxrd.cli.devices import Devices
from jaxrd.cli.limits_asked import Asked, limits_of, loss_of, refuse_mesh_of_decisions
from jaxrd.cli.models_report import report
from jaxrd.cli.outputs import Reading
from jaxrd.cli.run import Result, Target, failure, run
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.models import Compared
    from jaxrd.tosc import Outputs

_MOST = 8
"""Models in one figure: more colours are hard to tell apart."""


def compare_files(
    files: Sequence[Path], reading: Reading, asked: Asked, devices: Devices, written: tuple[Path, bool, bool, bool]
) -> None:
    """Run `jaxrd limits` on several files.

    Args:
        files: one a model; the first is that with which the others are compared.
        reading: how each of them is read.
        asked: what is computed for each of them.
        devices: where.
        written: the folder of the results, whether there is no figure, whether float32 is used, and whether a page is
            wanted, which there is of one model only.

    Raises:
        InputError, OSError: nothing was written.
    """
    out, no_plot, float32, html = written
    if html:
        raise InputError(f"--html makes the page of one model; got {len(files)} files.")
    _check(files, asked)
    names = _names_apart(files)
    leads = devices.join()

    def compute(tick: Tick) -> Result:
        compared = _compared(dict(zip(names, files, strict=True)), reading, asked, devices, tick)
        return Result(
            compared.document, lambda meta: _files(compared, meta, no_plot), lambda meta: report(compared, meta),
            None, failure(compared.failed),
        )  # fmt: skip

    target = Target(out, "limits.json", ["limits.csv", *([] if no_plot else ["limits.png"])], (*files, reading.labels))
    run(compute, target, seed=asked.seed or 0, float32=float32, leads=leads)


def _check(files: Sequence[Path], asked: Asked) -> None:
    """Refuse what is impossible with several files, before any work.

    Raises:
        InputError: quotes the value.
    """
    if len(files) > _MOST:
        raise InputError(f"at most {_MOST} models can be compared; got {len(files)} files.")
    for i, file in enumerate(files):
        for other in files[:i]:
            with suppress(OSError):
                if file.resolve() == other.resolve() or file.samefile(other):
                    raise InputError(f"{file} is named twice; name each model once.")
    alone = (
        ("--by-class", asked.by_class), ("--bottleneck", asked.bottleneck), ("--bits", asked.bits),
        ("--codec", asked.codecs), ("--known", asked.known),
    )  # fmt: skip
    for option, given in alone:
        if given:
            raise InputError(f"{option} is for one model; got {len(files)} files. Run limits on each of them.")
    if asked.kappa is not None:
        raise InputError(
            f"--kappa {asked.kappa:g} is of one model's posterior; got {len(files)} files. Run limits on each of them."
        )


def _names_apart(files: Sequence[Path]) -> list[str]:
    """The names of some files, with as many parent folders as tell them apart.

    >>> _names_apart([Path("/a/x.npz"), Path("/b/x.npz"), Path("/b/y.npz")])
    ['a/x.npz', 'b/x.npz', 'y.npz']
    """
    parts = [file.resolve().parts for file in files]
    lengths = [1] * len(parts)

    def names() -> list[str]:
        return ["/".join(of[-n:]) for of, n in zip(parts, lengths, strict=True)]

    while max((seen := Counter(names())).values()) > 1:
        lengths = [n + (seen[name] > 1) for n, name in zip(lengths, names(), strict=True)]
    return names()


def _compared(files: dict[str, Path], reading: Reading, asked: Asked, devices: Devices, tick: Tick) -> Compared:
    """The limits of the outputs that the files hold, beside each other."""
    from jaxrd import tosc
    from jaxrd.documents.limits import Analysed
    from jaxrd.documents.models import Compared
    from jaxrd.tosc.comparison import asked_together, on_the_same_rows

    read = {name: _read(name, path, reading, devices, tick) for name, path in files.items()}
    whole = {name: outputs for name, (outputs, _) in read.items()}
    decisions_alone = all(outputs.logits is None for outputs in whole.values())
    if decisions_alone:
        refuse_mesh_of_decisions(devices)
        if asked.seed is not None and asked.confidence is None:
            raise InputError(f"--seed {asked.seed} has no effect: hard decisions without --confidence are not random.")
    seed = asked.seed or 0
    used = on_the_same_rows(whole, seed) if asked.temperature is None else whole
    limits, notes = {}, {}
    for name, outputs in used.items():
        # Decisions have no temperature; that it has no effect is an error only where it has none on any model.
        own = asked if outputs.logits is not None or decisions_alone else replace(asked, temperature=None)
        found = limits_of(outputs, own, loss_of(own, outputs), devices, [], _named(name, tick))
        total = len(whole[name].labels)
        limits[name] = replace(found, summary=found.summary | {"samples_total": total})
        fewer = len(outputs.labels) < total
        notes[name] = (*outputs.notes, *([f"{len(outputs.labels)} samples: those of the others"] if fewer else []))
    limits = asked_together(limits, asked.targets or None, tick)
    comparison = tosc.compare(limits, confidence=asked.confidence, seed=seed, progress=tick)
    models = [Analysed(name, limits[name], None, notes[name], asked.pixels, seed, False) for name in files]
    return Compared(models, comparison, [sha256 for _, sha256 in read.values()], seed)


def _read(name: str, path: Path, reading: Reading, devices: Devices, tick: Tick) -> tuple[Outputs, str]:
    """The outputs that one of several files holds.

    Raises:
        InputError: names the file.
    """
    try:
        return reading.read(path, _named(name, tick), shared=devices.several_processes)
    except InputError as error:
        raise (error if str(path) in str(error) else InputError(f"{path}: {error}")) from error


def _named(name: str, tick: Tick) -> Tick:
    """Progress that says of which model it is."""
    return lambda what, done, total: tick(f"{name}: {what}", done, total)


def _files(compared: Compared, meta: Meta, no_plot: bool) -> Iterator[tuple[str, bytes]]:
    from jaxrd.io import csv_rows

    yield "limits.csv", csv_rows(compared.tables)
    if not no_plot:
        from jaxrd.cli.models_figure import figure

        yield "limits.png", figure(compared)
