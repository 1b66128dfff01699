"""Shards: what independent jobs of one sweep write, and how their results become those of one job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrd._files import parsing
from jaxrd.curve import Curve
from jaxrd.documents.sweep import DOCUMENT, SCHEMA, Shard, Swept
from jaxrd.errors import InputError
from jaxrd.io.checked import checked, read_checked
from jaxrd.io.save import differing
from jaxrd.solution import Solution

POINTS = "sweep.npz"
"""Beside the document of a shard: its points in nats, to the last bit, which bits and JSON are not."""
_COLUMNS = ("distortion", "rate", "slope", "gap", "status")
_AT = "at_"
_KIND = "the JSON of a sweep"
_LISTED = 12
"""Missing shards that an error lists."""


class _Part(NamedTuple):
    path: Path
    shard: Shard
    meta: Mapping[str, Any]
    about: Swept  # without points
    points: Mapping[str, np.ndarray]


def points(swept: Swept) -> bytes:
    """The content of `sweep.npz` of a shard."""
    named = {name: getattr(swept.curve, name) for name in _COLUMNS}
    if swept.at:
        solved = [jax.device_get(point) for _, point in swept.at]
        named |= {_AT + f.name: np.stack([getattr(point, f.name) for point in solved]) for f in fields(Solution)}
    return checked(named)


def document_of(path: Path) -> Path:
    """The document of a shard that is named by it or by its folder."""
    return path / DOCUMENT if path.is_dir() else path


def join(paths: Iterable[Path]) -> tuple[Swept, dict[str, object], tuple[float, float]]:
    """The sweep whose shards lie in `paths`, in any order.

    Args:
        paths: documents of shards.

    Returns:
        The sweep as one job gives it; the `meta` of the shards, their seconds added up; its least and largest slope.

    Raises:
        InputError: a document is no shard's or is damaged; they are shards of different runs; one is missing, or there
            twice.
        OSError: one cannot be read.
    """
    parts = [_read(path) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        _refuse_another_run(first, part)
    by_number: dict[int, _Part] = {}
    for part in parts:
        if (other := by_number.setdefault(part.shard.number, part)) is not part:
            raise InputError(f"shard {part.shard} is given twice: {other.path} and {part.path}.")
    if (missing := first.shard.of - len(by_number)) > 0:
        # No list of all: the number of shards is read from a file.
        some = islice((str(k) for k in count(1) if k not in by_number), min(missing, _LISTED))
        more = f", ... ({missing} in all)" if missing > _LISTED else ""
        raise InputError(f"of {first.shard.of} shards some are missing: {', '.join(some)}{more}.")
    ordered = [by_number[k] for k in sorted(by_number)]
    with parsing(ordered[0].path, _KIND):
        meta = _meta([part.meta for part in ordered])
    return _joined(ordered), meta, (first.shard.low, first.shard.high)


def _read(path: Path) -> _Part:
    with parsing(path, _KIND):
        document = json.loads(path.read_bytes())
        if document["schema"] != SCHEMA:
            raise InputError(f"{path} is no result of jaxrd sweep.")
        if "shard" not in document:
            raise InputError(f"{path} is no shard: it was not computed with --shard.")
        shard = Shard(**document["shard"])
        length = len(range(shard.number - 1, shard.slopes, shard.of))
        if not (1 <= shard.number <= shard.of <= shard.slopes and 0 < shard.low < shard.high):
            raise ValueError(str(shard))
        about, meta = _about(document), document["meta"]
        if not (_compared(meta, shard) and _meta([meta])):
            raise ValueError("meta")
    beside = path.parent / POINTS
    if POINTS in differing(path) or POINTS not in document["files"]:
        raise InputError(f"{beside} is missing, or is not the one that {path.name} was written with.")
    held = read_checked(beside)
    lengths = dict.fromkeys(_COLUMNS, length)
    if shard.number == 1 and shard.at:
        lengths |= {_AT + field.name: len(shard.at) for field in fields(Solution)}
    if any(name not in held or held[name].shape[:1] != (k,) for name, k in lengths.items()):
        raise InputError(f"{beside} does not hold the {length} points of shard {shard}.")
    return _Part(path, shard, meta, about, held)


def _about(document: Mapping[str, Any]) -> Swept:
    """What a document says of its problem."""
    summary = document["summary"]
    critical = np.inf if summary["critical_slope"] is None else float(summary["critical_slope"])
    letters = int(summary["source_letters"]), int(summary["reproduction_letters"])
    none = np.zeros(0)
    return Swept(
        str(document["name"]), letters, critical, Curve(none, none, none, none, none), (),
        [str(note) for note in document["notes"]],
    )  # fmt: skip


def _compared(meta: Mapping[str, Any], shard: Shard) -> dict[str, object]:
    """What the shards of one run have in common."""
    return {
        "problem": meta["sha256"], "dtype": meta["dtype"], "tolerance": meta["tolerance"],
        "jaxrd": meta["versions"]["jaxrd"], "shards": shard.of, "slopes": shard.slopes, "low": shard.low,
        "high": shard.high, "at": [float(d) for d in shard.at],
    }  # fmt: skip


def _refuse_another_run(one: _Part, other: _Part) -> None:
    ours, theirs = _compared(one.meta, one.shard), _compared(other.meta, other.shard)
    differ = [
        "other problems" if name == "problem" else f"{name} {str(value)[:80]} and {str(theirs[name])[:80]}"
        for name, value in ours.items()
        if theirs[name] != value
    ]
    if differ:
        raise InputError(f"{one.path} and {other.path} are no shards of one sweep: {'; '.join(differ)}.")


def _joined(parts: Sequence[_Part]) -> Swept:
    first = parts[0]
    columns = {}
    for name in _COLUMNS:
        columns[name] = np.empty(first.shard.slopes, first.points[name].dtype)
        for part in parts:
            columns[name][part.shard.number - 1 :: part.shard.of] = part.points[name]
    solved = {f.name: first.points[_AT + f.name] for f in fields(Solution)} if first.shard.at else {}
    at = [(d, Solution(**{name: a[i] for name, a in solved.items()})) for i, d in enumerate(first.shard.at)]
    return replace(first.about, curve=Curve(**columns), at=at)


def _meta(every: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Jobs may have run on several devices or with several versions of JAX: all are named."""
    seconds = {name: round(sum(meta["seconds"][name] for meta in every), 3) for name in every[0]["seconds"]}
    versions = {name: _every(meta["versions"][name] for meta in every) for name in every[0]["versions"]}
    return {**every[0], "versions": versions, "device": _every(meta["device"] for meta in every), "seconds": seconds}


def _every(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
