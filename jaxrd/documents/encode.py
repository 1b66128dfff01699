"""What `jaxrd encode` writes beside the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxrd.coding import Encoded, index_entropy, payload_bound, quantised_law
from jaxrd.information import NATS_PER_BIT, entropy
from jaxrd.solution import Status
from jaxrd.tosc import Outputs

_SILENCE = 1e-9  # bits: below, a ratio to I(X;Y) has no meaning


@dataclass(frozen=True)
class Sent:
    """Decisions sent through a simulated channel.

    Args:
        name: of the outputs.
        outputs: whose decisions they are.
        channel: P(y|sample), shape (samples, classes).
        status: of the channel: whether it is certified to be the optimal one.
        encoded: the stream, and what it took.
        curve: "TMRD" or "S&C".
        slope: of TMRD, nats per unit of distortion; None for S&C.
        accuracy: by which the slope was chosen, if it was.
        temperature: of the posterior.
        block: samples coded together.
        seed: of the randomness that both sides share.
    """

    name: str
    outputs: Outputs
    channel: np.ndarray
    status: Status
    encoded: Encoded
    curve: str
    slope: float | None
    accuracy: float | None
    temperature: float
    block: int
    seed: int

    @property
    def samples(self) -> int:
        """How many decisions there are."""
        return len(self.outputs.labels)

    @property
    def header_bytes(self) -> int:
        """Bytes of header of the stream."""
        return len(self.encoded.stream) - self.encoded.payload_bytes

    @property
    def payload_bits(self) -> float:
        """Bits of payload per sample."""
        return 8 * self.encoded.payload_bytes / self.samples

    @property
    def information_bits(self) -> float:
        """I(X;Y), bits a sample."""
        return self.encoded.information / NATS_PER_BIT

    @property
    def bound_bits(self) -> float:
        """An upper bound on the expected payload, bits a sample."""
        return payload_bound(self.encoded.information, self.samples, self.block) / NATS_PER_BIT

    @cached_property
    def sample_bits(self) -> float:
        """The bits of the sample itself, entropy-coded."""
        return float(entropy(self.channel.mean(0))) / NATS_PER_BIT

    @property
    def distortion(self) -> float:
        """The share of decisions that differ from the labels."""
        return float((self.encoded.simulation.reproduction != self.outputs.labels).mean())

    @property
    def distortion_expected(self) -> float:
        """Its mean over seeds."""
        return 1 - float(self.channel[np.arange(self.samples), self.outputs.labels].mean())

    @property
    def _silent(self) -> bool:
        return self.information_bits < _SILENCE

    @property
    def notes(self) -> list[str]:
        """What was assumed about the input, and whether the code is worth its bits."""
        notes = list(self.outputs.notes)
        if self.payload_bits > self.sample_bits and not self._silent:
            notes.append("the sample itself, entropy-coded, would take fewer bits: longer blocks need fewer")
        return notes

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What the JSON holds; `meta` says where, when and with what versions it was computed."""
        encoded, sent, information = self.encoded, self.encoded.simulation, self.information_bits
        law = quantised_law(self.channel)
        index_bits = index_entropy(self.channel, law, sent.reproduction, block=self.block) / NATS_PER_BIT
        return {
            "schema": "jaxrd.encode/1", "name": self.name, "meta": meta,
            "curve": self.curve, "slope": self.slope, "accuracy": self.accuracy, "temperature": self.temperature,
            "status": self.status.name, "block": self.block, "seed": self.seed,
            "samples": self.samples, "classes": self.outputs.classes, "blocks": len(sent.indices),
            "header_bytes": self.header_bytes, "payload_bytes": encoded.payload_bytes,
            "payload_bits_per_sample": self.payload_bits,
            "mutual_information_bits": information,
            "bound_bits_per_sample": self.bound_bits,
            "ratio_to_mutual_information": None if self._silent else self.payload_bits / information,
            "law_rounding_bits": encoded.quantisation / NATS_PER_BIT,
            "reproduction_entropy_bits": self.sample_bits,
            "index_entropy_bits": index_bits,
            "index_entropy_ratio": None if self._silent else index_bits / (self.block * information),
            "index_mean_log2": float(np.log2(sent.indices).mean()), "largest_index": int(sent.indices.max()),
            "candidates_drawn": sent.candidates, "candidates_expected": encoded.expected_candidates,
            "distortion": self.distortion,
            "distortion_expected": self.distortion_expected,
            "sha256": encoded.decisions_sha256,  # of the decisions, int32, least byte first; meta has that of the input
            "notes": self.notes,
        }  # fmt: skip
