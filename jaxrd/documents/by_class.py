"""What `jaxrd limits --by-class` adds: the object `by_class` of limits.json, and by_class.csv."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import csv_rows
from jaxrd.tosc import ByClass, Limits
from jaxrd.tosc.class_shares import CURVES, ClassPoint


def _columns(point: ClassPoint, share: np.ndarray, limits: Limits) -> dict[str, np.ndarray]:
    """The numbers of each class at a point."""
    spent = np.where(share > 0, share * np.where(share > 0, point.rates, 0), 0)
    numbers = {
        "rate_bits": point.rates / NATS_PER_BIT,
        "rate_share": spent / point.rate if point.rate > 0 else np.full(share.size, np.nan),
        "mean_loss": point.distortions,
    }
    if limits.is_error:
        numbers["accuracy"] = 1 - point.distortions
    if point.reproduced.size == share.size:  # an action is a class
        numbers["reproduced_share"] = point.reproduced
    return numbers


def _object(point: ClassPoint, share: np.ndarray, limits: Limits) -> dict[str, object]:
    total = {"slope": point.slope, "rate_bits": point.rate / NATS_PER_BIT, "distortion": point.distortion}
    return {**total, "classes": _columns(point, share, limits)}


def _decisions(found: ByClass, limits: Limits) -> dict[str, np.ndarray]:
    """What the classifier's decisions are in each class, and how often they are it where an action is a class."""
    numbers = {"decision_mean_loss": found.distortions}
    if limits.is_error:
        numbers["decision_accuracy"] = 1 - found.distortions
    if found.decided.size == found.share.size:
        numbers["decided_share"] = found.decided
    return numbers


def as_object(found: ByClass, limits: Limits) -> dict[str, object]:
    """The object of limits.json: a total and a number for each class, at each distortion asked for and along TMRD."""
    rows = [
        {"distortion": row["distortion"]}
        | {
            name: None if (point := points.get(name)) is None else _object(point, found.share, limits)
            for name in CURVES
        }
        for row, points in zip(limits.at, found.at, strict=True)
    ]
    return {
        "names": found.names,
        "share": found.share,
        **_decisions(found, limits),
        "at": rows,
        "along_TMRD": [_object(point, found.share, limits) for point in found.along],
    }


def table(found: ByClass, limits: Limits) -> bytes:
    """by_class.csv: a row for each curve, distortion asked for and class."""
    tables: dict[str, Mapping[str, Any]] = {}
    fixed = {"class": np.array(found.names, object), "share": found.share} | _decisions(found, limits)
    for name in CURVES:
        parts = [
            {"asked_distortion": np.full(found.share.size, row["distortion"])}
            | fixed
            | _columns(point, found.share, limits)
            for row, points in zip(limits.at, found.at, strict=True)
            if (point := points.get(name)) is not None
        ]
        if parts:
            tables[name] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return csv_rows(tables)
