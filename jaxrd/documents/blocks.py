"""What `jaxrd sweep --block` writes: what blocks of n letters need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrd.information import NATS_PER_BIT

if TYPE_CHECKING:
    from jaxrd.blocklength import Blocks

COLUMNS = ("n", "distortion", "lower_bits", "approximation_bits", "upper_bits", "status")
_STATUS = {
    "bounded": "proved bounds on both sides",
    "none found": "words drawn from the reproduction law leave too many blocks beyond D, however many they are",
    "too many types": "no achievable rate is computed: there are too many types of blocks",
    "at the least distortion": "D is not above the least distortion, where R(D) has no finite slope",
}


@dataclass(frozen=True)
class Blocked:
    """Rates of blocks at some distortions.

    Args:
        excess: the probability that a block may exceed D.
        lengths: n.
        at: each distortion with its rates; None: it is not above the least one.
    """

    excess: float
    lengths: Sequence[int]
    at: Sequence[tuple[float, Blocks | None]]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per distortion and length, bits a letter."""
        return [self._row(n, d, found, i) for d, found in self.at for i, n in enumerate(self.lengths)]

    def _row(self, n: int, d: float, found: Blocks | None, i: int) -> dict[str, Any]:
        if found is None:
            return dict(zip(COLUMNS, (n, d, None, None, None, "at the least distortion"), strict=True))
        bounds = found.lower[i], found.approximation[i], found.upper[i]
        bits = [float(x) / NATS_PER_BIT if np.isfinite(x) else None for x in bounds]
        word = "too many types" if np.isnan(bounds[2]) else "none found" if np.isinf(bounds[2]) else "bounded"
        return dict(zip(COLUMNS, (n, d, *bits, word), strict=True))

    def object(self) -> dict[str, Any]:
        """`blocks` of sweep.json."""
        met = {row["status"] for row in self.rows}
        return {
            "excess": self.excess,
            "meaning": "bits a letter of codes of n letters whose distortion exceeds D with at most this probability; "
            "lower and upper are proved, the approximation is neither",
            "status": {word: meaning for word, meaning in _STATUS.items() if word in met},
            "rows": self.rows,
        }

    def csv(self) -> bytes:
        """blocks.csv: a row per distortion and length; empty where there is no number."""
        lines = [",".join(COLUMNS)]
        for row in self.rows:
            lines.append(",".join("" if (v := row[key]) is None else str(v) for key in COLUMNS))
        return ("\n".join(lines) + "\n").encode()
