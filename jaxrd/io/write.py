"""Curves as JSON, CSV and CompressAI results."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
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
    """Strict JSON (no NaN, no Infinity), in UTF-8; characters that UTF-8 cannot encode are escaped."""
    text = json.dumps(_plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def columns(curve: Curve, *, pixels: int | None = None, accuracy: bool = True) -> dict[str, Any]:
    """A curve as parallel arrays for files: rates in bits, slope in nats per unit of distortion."""
    table: dict[str, Any] = {"rate_bits": curve.rate / NATS_PER_BIT, "distortion": curve.distortion}
    if accuracy:
        table["accuracy"] = 1 - curve.distortion
    table |= {"slope": curve.slope, "gap_bits": curve.gap / NATS_PER_BIT}
    table["status"] = [Status(int(k)).name for k in curve.status]
    if pixels is not None:
        table["bpp"] = table["rate_bits"] / pixels
    if curve.model_distortion is not None:
        table["model_distortion"] = curve.model_distortion
    return table | curve.parameters


def csv_rows(curves: Mapping[str, Mapping[str, Any]]) -> bytes:
    """All curves in one table, a row a point; a cell is empty where the curve has no such value."""
    rows = [
        {"curve": name} | dict(zip(curve, row, strict=True))
        for name, curve in curves.items()
        for row in zip(*_plain(curve).values(), strict=True)
    ]
    return table_rows(rows, ["curve", *(key for c in curves.values() for key in c)])


def table_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> bytes:
    """A table, a row a mapping; a cell is empty where a row has no such value, or none that is finite.

    Args:
        rows: by column.
        names: of the columns that come first; then those of the rows, in their order.
    """
    columns = dict.fromkeys([*names, *(key for row in rows for key in row)])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if v is None else v for key, v in _plain(row).items()} for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def compressai(
    name: str, description: str, curve: Mapping[str, Any], meta: Mapping[str, Any], *, key: str = "top1"
) -> bytes:
    """One curve in the shape of CompressAI's results: parallel arrays `bpp` and `top1` (a fraction), and the rest.

    `key` names another metric than top-1: another accuracy, or the distortion where the curve has no accuracy.
    """
    finite = np.isfinite(curve["bpp"]) & np.isfinite(curve["distortion"])
    kept = {key: np.asarray(values, object)[finite].tolist() for key, values in curve.items()}
    accuracy = kept.pop("accuracy")
    none = all(value != value for value in accuracy)
    results = {"bpp": kept.pop("bpp"), key: kept["distortion"] if none else accuracy} | kept
    return to_json({"name": name, "description": description, "meta": meta, "results": results})


def reach(rate: float | None) -> str:
    """Why a rate is null in a file, in one word: JSON has no infinity.

    >>> [reach(rate) for rate in (None, math.nan, math.inf, 0.0)]
    ['not computed', 'not computed', 'beyond', 'reached']
    """
    if rate is None or math.isnan(rate):
        return "not computed"
    return "beyond" if math.isinf(rate) else "reached"
