"""Write curves as JSON, CSV and CompressAI results; all files of a run appear together, or none does."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from jaxrd.curve import Curve
from jaxrd.information import NATS_PER_BIT
from jaxrd.solution import Status


def _plain(value: Any) -> Any:
    """Python values for JSON: an infinite or missing number is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(value: Any) -> bytes:
    """Strict JSON (no NaN, no Infinity), in UTF-8."""
    return (json.dumps(_plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def columns(curve: Curve, *, pixels: int | None = None, accuracy: bool = True) -> dict[str, Any]:
    """A curve as parallel arrays for files: rates in bits, slope in nats per unit of distortion."""
    found: dict[str, Any] = {"rate_bits": curve.rate / NATS_PER_BIT, "distortion": curve.distortion}
    if accuracy:
        found["accuracy"] = 1 - curve.distortion
    found |= {"slope": curve.slope, "gap_bits": curve.gap / NATS_PER_BIT}
    found["status"] = [Status(int(k)).name for k in curve.status]
    if pixels is not None:
        found["bpp"] = found["rate_bits"] / pixels
    if curve.model_distortion is not None:
        found["model_distortion"] = curve.model_distortion
    return found | curve.parameters


def csv_rows(curves: Mapping[str, Mapping[str, Any]]) -> bytes:
    """All curves in one table, a row a point; a cell is empty where the curve has no such value."""
    names = ["curve", *dict.fromkeys(key for c in curves.values() for key in c)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    for name, curve in curves.items():
        plain = _plain(curve)
        for row in zip(*plain.values(), strict=True):
            cells = {key: "" if v is None else v for key, v in zip(plain, row, strict=True)}
            writer.writerow({"curve": name} | cells)
    return text.getvalue().encode()


def compressai(name: str, description: str, curve: Mapping[str, Any], meta: Mapping[str, Any]) -> bytes:
    """One curve in the shape of CompressAI's results: parallel arrays `bpp` and `top1` (a fraction), and the rest."""
    finite = np.isfinite(curve["bpp"]) & np.isfinite(curve["distortion"])
    kept = {key: np.asarray(values, object)[finite].tolist() for key, values in curve.items()}
    results = {"bpp": kept.pop("bpp"), "top1": kept.pop("accuracy")} | kept
    return to_json({"name": name, "description": description, "meta": meta, "results": results})


def check_writable(folder: Path) -> None:
    """Fail now rather than after the work; what has to be created for the trial is removed again.

    Raises:
        OSError: the folder cannot be created or written.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".jaxrd-"):
            pass
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits for the block to end (signals reach the main thread alone)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pending.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pending:
            signal.raise_signal(signal.SIGINT)


def save_all(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write every file under a temporary name, then rename them: a failure on the way leaves none behind.

    Raises:
        OSError: the folder cannot be written.
    """
    files, staged = list(files), []
    with _undisturbed():
        folder.mkdir(parents=True, exist_ok=True)
        for name, _ in files:
            if (folder / name).is_dir():
                raise IsADirectoryError(21, "is a folder; a file is to be written there", str(folder / name))
        try:
            for name, content in files:
                handle, temporary = tempfile.mkstemp(dir=folder, prefix=".jaxrd-")
                staged.append((Path(temporary), folder / name))
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.chmod(temporary, 0o644)
            for temporary, final in staged:
                os.replace(temporary, final)
        finally:
            for temporary, _ in staged:
                temporary.unlink(missing_ok=True)
    return [final for _, final in staged]
