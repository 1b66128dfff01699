"""What the rates of TMRD and S&C assume: long blocks and shared randomness; and what one message a sample costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jaxrd.coding import payload_bound
from jaxrd.information import NATS_PER_BIT

SIMULATED = ("TMRD", "S&C")
"""The curves whose channel is simulated: `jaxrd encode` makes a file of a point of them."""


Row = dict[str, Any]
"""A distortion, and by curve the bits, in `status` a word."""
_BOUND = "I + log2(I + 2) + 3: Poisson functional representation, a code of its indices in whole bits; on average"


def one_message(rows: Sequence[Mapping[str, Any]], samples: int) -> dict[str, Any]:
    """`one_message` of limits.json: bits a sample where every sample is coded on its own, an upper bound.

    It is I + log2(I + 2) + 3 bits; 0 where nothing is sent, None where the curve has no rate.

    Args:
        rows: of `at`: the distortion, rates in bits by curve, and in `status` a word on each.
        samples: how many are coded.

    Reference: C. Li and A. El Gamal, Strong functional representation lemma and applications, IEEE Trans. IT 2018.

    >>> row = {"distortion": 0.3, "TMRD": 2.0, "S&C": None, "status": {"TMRD": "reached", "S&C": "not computed"}}
    >>> one_message([row], 100)["at"][0]["TMRD"]  # 2 + log2(4) + 3
    7.0
    """
    at = []
    for row in rows:
        status = {name: row["status"][name] for name in SIMULATED}
        bits = {name: row[name] if word == "reached" else None for name, word in status.items()}
        bits = {
            name: rate and payload_bound(rate * NATS_PER_BIT, samples) / NATS_PER_BIT for name, rate in bits.items()
        }
        at.append({"distortion": row["distortion"]} | bits | {"status": status})
    return {"bound": _BOUND, "at": at}
