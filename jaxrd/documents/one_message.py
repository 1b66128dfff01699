"""What the rates of TMRD and S&C assume: long blocks and shared randomness; and what one message a sample costs."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrd.coding import encode_decisions, mean_index, payload_bound
from jaxrd.coding.index_code import FRACTION
from jaxrd.coding.law import mean_length
from jaxrd.information import NATS_PER_BIT

if TYPE_CHECKING:
    from jaxrd.tosc import Limits
    from jaxrd.tosc.posterior import Posterior

SIMULATED = ("TMRD", "S&C")
"""The curves whose channel is simulated: `jaxrd encode` makes a file of a point of them."""


Row = dict[str, Any]
"""Keys of a JSON object: at a distortion, by curve the bits, in `status` a word."""
_BOUND = "I + log2(I + 2) + 3: Poisson functional representation, a code of its indices in whole bits; on average"
_CODED = 2**21
"""Numbers of the channel from whose rows the mean length is taken."""
_MOST_DECISIONS = 10**6


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
        bounds = {
            name: rate and payload_bound(rate * NATS_PER_BIT, samples) / NATS_PER_BIT for name, rate in bits.items()
        }
        at.append({"distortion": row["distortion"]} | bounds | {"status": status, "rate_bits": bits})
    return {"bound": _BOUND, "at": at}


def with_spending(cost: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """`one_message` with what `jaxrd encode` spends: on TMRD's messages, and on the decisions as they are.

    Args:
        cost: from `one_message`, for the distortions of these limits.
        limits: whose samples are coded.
    """
    work, summary = limits.workings, limits.summary
    at, used = [], 0
    for row, places in zip(cost["at"], work.places, strict=True):
        bits, place = row["rate_bits"]["TMRD"], places.get("TMRD")
        spent = bits  # none or nothing
        if bits and work.posterior is not None and place is not None:
            spent, used = _message_bits(work.posterior, float(place.parameter), place.reproduction, bits)
        at.append(row | {"encoded_bits": {"TMRD": spent}})
    decided = {
        "distortion": summary["task_model_distortion"],
        "entropy_bits": summary["estimate_entropy_nats"] / NATS_PER_BIT,
        "message_bits": huffman_bits(work.joint.sum(0)),
        "encoded_bits": _decision_bits(work.actions, work.joint.shape[1]),
    }
    return cost | {"at": at, "decisions": decided, "coded_samples": used}


def huffman_bits(pmf: np.ndarray) -> float:
    """The mean length of the best prefix code of letters, bits: what a message of one letter takes.

    Reference: D. Huffman, A method for the construction of minimum-redundancy codes, Proc. IRE 1952.

    >>> huffman_bits(np.array([0.5, 0.25, 0.25, 0.0]))
    1.5
    """
    heap, total = sorted(pmf[pmf > 0].tolist()), 0.0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


def _message_bits(posterior: Posterior, slope: float, q: Any, rate_bits: float) -> tuple[float | None, int]:
    """The mean length of a sample's message, bits, over the randomness that both sides share; and of how many samples.

    Those are all, or of many the first ones.
    """
    if q is None or not slope > 0 or posterior.shared:
        return None, 0
    from jaxrd.tosc.posterior import log_softmax

    law = np.maximum(np.asarray(q, float), 0)
    count = min(posterior.samples, max(_CODED // max(posterior.classes, posterior.actions), 1))
    weights = posterior.weights[:count]
    expected = posterior.distortion(log_softmax(posterior.logits[:count], posterior.temperature)).astype(float)
    excess = expected - expected.min(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        channel = law * np.exp(-np.where(excess > 0, slope * excess, 0))
    sums = channel.sum(1, keepdims=True)
    if not (sums > 0).all():
        return None, 0
    channel /= sums
    exponent = int(np.ceil((rate_bits + 1) * (1 << FRACTION)))
    lengths = (channel * mean_length(mean_index(channel, law), exponent)).sum(1)
    return float(weights @ lengths) / float(weights.sum()), count


def _decision_bits(actions: np.ndarray, letters: int) -> float | None:
    """Bits a sample of the decisions as `jaxrd encode` sends them; None for too many."""
    if len(actions) > _MOST_DECISIONS or letters > 1 << 15:
        return None
    return 8 * encode_decisions(actions, letters).payload_bytes / len(actions)
