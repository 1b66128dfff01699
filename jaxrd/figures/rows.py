"""Bounds side by side at a few distortions: one dict each, `distortion` and per bound its rate in bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from jaxrd.information import NATS_PER_BIT

Rows = list[dict[str, float]]


def round_distortions(d_tm: float, d_0: float) -> list[float]:
    """Round numbers between D_TM (deciding) and D_0 (guessing), and one just above D_TM.

    >>> round_distortions(0.1587, 0.5)
    [0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45]
    """
    span = d_0 - d_tm
    step = next((s for s in (0.05, 0.02, 0.01, 0.005, 0.002, 0.001) if span >= 4 * s), span / 4)
    inner = step * np.arange(np.ceil(d_tm / step), np.ceil(d_0 / step - 1e-9))
    first = np.ceil(100 * d_tm) / 100
    if d_tm < first < d_0:
        inner = np.append(inner, first)
    return np.unique(np.round(inner[(inner > d_tm) & (inner < d_0)], 9)).tolist()


def compare(distortions: list[float], smallest: Mapping[str, Callable[[float], float]]) -> Rows:
    """Each bound's smallest rate, asked in nats and kept in bits, at each distortion."""
    return [
        {"distortion": d} | {f"{name}_bits": ask(d) / NATS_PER_BIT for name, ask in smallest.items()}
        for d in distortions
    ]


def excess(rows: Rows, above: str, below: str) -> tuple[float, float, float]:
    """Least and largest of one bound minus another, bits, where both are finite; and the largest's distortion.

    >>> excess([{"distortion": 0.1, "a_bits": 2.0, "b_bits": 1.5}], "a", "b")
    (0.5, 0.5, 0.1)
    """
    difference = np.array([row[f"{above}_bits"] - row[f"{below}_bits"] for row in rows])
    d = np.array([row["distortion"] for row in rows])[np.isfinite(difference)]
    difference = difference[np.isfinite(difference)]
    return float(difference.min()), float(difference.max()), float(d[difference.argmax()])
