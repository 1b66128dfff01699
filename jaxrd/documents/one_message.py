"""What the rates of TMRD and S&C assume: long blocks and shared randomness; and what one message a sample costs."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrd.coding import encode_decisions, expected_candidates, payload_bound, quantised_law, simulate
from jaxrd.coding.index_code import FRACTION, code_length
from jaxrd.information import NATS_PER_BIT

if TYPE_CHECKING:
    from jaxrd.tosc import Limits

SIMULATED = ("TMRD", "S&C")
"""The curves whose channel is simulated: `jaxrd encode` makes a file of a point of them."""


Row = dict[str, Any]
"""A distortion, and by curve the bits, in `status` a word."""
_BOUND = "I + log2(I + 2) + 3: Poisson functional representation, a code of its indices in whole bits; on average"
_CODED = 256
"""Samples whose messages are coded, evenly among all: they take a hundredth of a second."""
_MOST_CANDIDATES = 1e6
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
    rows = np.linspace(0, summary["samples"] - 1, min(summary["samples"], _CODED)).astype(int)
    expected = _expected(limits, rows)
    at = []
    for row, places in zip(cost["at"], work.places, strict=True):
        bits, place = row["rate_bits"]["TMRD"], places.get("TMRD")
        spent = bits  # none or nothing
        if bits and expected is not None and place is not None:
            spent = _message_bits(expected, float(place.parameter), place.reproduction, bits, _shares(limits, rows))
        at.append(row | {"encoded_bits": {"TMRD": spent}})
    decided = {
        "distortion": summary["task_model_distortion"],
        "entropy_bits": summary["estimate_entropy_nats"] / NATS_PER_BIT,
        "message_bits": huffman_bits(work.joint.sum(0)),
        "encoded_bits": _decision_bits(work.actions, work.joint.shape[1]),
    }
    return cost | {"at": at, "decisions": decided, "coded_samples": len(rows)}


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


def _expected(limits: Limits, rows: np.ndarray) -> np.ndarray | None:
    """TMRD's distortion of some samples, shape (rows, actions); None for hard decisions."""
    posterior = limits.workings.posterior
    if posterior is None:
        return None
    from jaxrd.tosc.posterior import log_softmax

    some = [np.asarray(posterior.logits[i : i + 1]) for i in rows.tolist()]
    return posterior.distortion(log_softmax(np.concatenate(some), posterior.temperature))


def _shares(limits: Limits, rows: np.ndarray) -> np.ndarray:
    """How much these samples count, with sum 1."""
    weights = limits.workings.outputs.weights
    shares = np.ones(len(rows)) if weights is None else weights[rows]
    return shares / shares.sum() if shares.sum() > 0 else np.full(len(rows), 1 / len(rows))


def _message_bits(
    expected: np.ndarray, slope: float, reproduction: Any, rate_bits: float, shares: np.ndarray
) -> float | None:
    """The mean length of the messages of some samples, bits; None where the search would take long."""
    if reproduction is None or not slope > 0:
        return None
    excess = expected - expected.min(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        exponent = np.where(excess > 0, slope * excess, 0)
    q = np.maximum(np.asarray(reproduction, float), 0)
    channel = q * np.exp(-exponent)
    if not (channel.sum(1) > 0).all():
        return None
    channel /= channel.sum(1, keepdims=True)
    law = quantised_law(q[None] / q.sum())
    if not expected_candidates(channel, law) <= _MOST_CANDIDATES:
        return None
    sent = simulate(channel, law)
    return float(shares @ code_length(sent.indices, int(np.ceil((rate_bits + 1) * (1 << FRACTION)))))


def _decision_bits(actions: np.ndarray, letters: int) -> float | None:
    """Bits a sample of the decisions as `jaxrd encode` sends them; None for too many."""
    if len(actions) > _MOST_DECISIONS or letters > 1 << 15:
        return None
    return 8 * encode_decisions(actions, letters).payload_bytes / len(actions)
