"""What `jaxrd encode` writes beside the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from jaxrd.coding import Coded, Encoded, decisions_bound, index_entropy, payload_bound, quantised_law
from jaxrd.information import NATS_PER_BIT, entropy
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.schemes import Scheme

_SILENCE = 1e-9  # bits: below, a ratio to I(X;Y) has no meaning


@dataclass(frozen=True)
class Sent:
    """Actions of a classifier in a stream: sent through a simulated channel, or as they are.

    Args:
        name: of the outputs.
        labels: true classes, int, shape (samples,).
        loss: of a label and an action.
        curve: of `jaxrd.tosc.schemes`.
        scheme: what its sender does.
        encoded: the stream, and what it took.
        accuracy: asked for, if one was.
        asked: the distortion asked for, if one was.
        temperature: of the posterior; None for hard decisions.
        block: samples coded together; None for entropy-coded actions.
        seed: of the randomness that both sides share; None likewise.
        assumed: about the input, for people.
    """

    name: str
    labels: np.ndarray
    loss: Loss
    curve: str
    scheme: Scheme
    encoded: Encoded | Coded
    accuracy: float | None
    asked: float | None
    temperature: float | None
    block: int | None
    seed: int | None
    assumed: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """How many actions there are."""
        return len(self.labels)

    @property
    def header_bytes(self) -> int:
        """Bytes of header of the stream: all but the payload, the law of the actions included."""
        return len(self.encoded.stream) - self.encoded.payload_bytes

    @property
    def payload_bits(self) -> float:
        """Bits of payload per sample."""
        return 8 * self.encoded.payload_bytes / self.samples

    @property
    def stream_bits(self) -> float:
        """Bits of the whole stream per sample."""
        return 8 * len(self.encoded.stream) / self.samples

    @property
    def sent(self) -> np.ndarray:
        """The actions that the decoder will see, int, shape (samples,)."""
        return self.encoded.decisions if isinstance(self.encoded, Coded) else self.encoded.simulation.reproduction

    @property
    def information_bits(self) -> float:
        """I(X;Y), bits a sample; of actions sent as they are, their entropy."""
        return (self.encoded.entropy if isinstance(self.encoded, Coded) else self.encoded.information) / NATS_PER_BIT

    @property
    def bound_bits(self) -> float:
        """An upper bound on the payload, bits a sample: of a simulated channel on its mean over seeds."""
        if isinstance(self.encoded, Coded):
            bound = decisions_bound(self.encoded.entropy, self.samples, len(np.unique(self.sent)))
        else:
            bound = payload_bound(self.encoded.information, self.samples, self.block or 1)
        return bound / NATS_PER_BIT

    @cached_property
    def sample_bits(self) -> float:
        """The bits of the action itself, entropy-coded."""
        if self.scheme.channel is None:
            return self.information_bits
        return float(entropy(self.scheme.channel.mean(0))) / NATS_PER_BIT

    @property
    def distortion(self) -> float:
        """The mean loss on the labels of what was sent; under 0/1 loss the share that differs from them."""
        return float(self.loss.values[self.labels, self.sent].mean())

    @property
    def distortion_expected(self) -> float:
        """Its mean over seeds."""
        if self.scheme.channel is None:
            return self.distortion
        return float((self.scheme.channel * self.loss.values[self.labels]).sum(1).mean())

    @property
    def _silent(self) -> bool:
        return self.information_bits < _SILENCE

    @property
    def notes(self) -> list[str]:
        """What was assumed about the input, and whether the code is worth its bits."""
        notes = list(self.assumed)
        simulated = self.scheme.channel is not None
        if simulated and self.payload_bits > self.sample_bits and not self._silent:
            notes.append("the sample itself, entropy-coded, would take fewer bits: longer blocks need fewer")
        return notes

    def _index(self) -> Mapping[str, object]:
        """Of the index that a simulated channel sends; null for actions sent as they are."""
        names = [
            "index_entropy_bits", "index_entropy_ratio", "index_mean_log2", "largest_index", "candidates_drawn",
            "candidates_expected",
        ]  # fmt: skip
        encoded, channel, block = self.encoded, self.scheme.channel, self.block
        if isinstance(encoded, Coded):
            return dict.fromkeys(names)
        assert channel is not None
        assert block is not None
        simulated = encoded.simulation
        nats = index_entropy(channel, quantised_law(channel), simulated.reproduction, block=block)
        ratio = None if self._silent else nats / NATS_PER_BIT / (block * self.information_bits)
        values = (
            nats / NATS_PER_BIT, ratio, float(np.log2(simulated.indices).mean()), int(simulated.indices.max()),
            simulated.candidates, encoded.expected_candidates,
        )  # fmt: skip
        return dict(zip(names, values, strict=True))

    def document(self, meta: Mapping[str, object]) -> dict[str, object]:
        """What the JSON holds; `meta` says where, when and with what versions it was computed."""
        encoded, scheme, information = self.encoded, self.scheme, self.information_bits
        simulated = not isinstance(encoded, Coded)
        return {
            "schema": "jaxrd.encode/1", "name": self.name, "meta": meta,
            "curve": self.curve, "code": "channel simulation" if simulated else "entropy coding",
            "loss": self.loss.name, "actions": self.loss.actions,
            "slope": scheme.slope, "accuracy": self.accuracy, "asked_distortion": self.asked,
            "estimate_distortion": scheme.estimate_distortion, "merged_classes": scheme.merged,
            "temperature": self.temperature, "status": scheme.status.name, "block": self.block, "seed": self.seed,
            "samples": self.samples, "classes": self.loss.labels,
            "blocks": len(encoded.simulation.indices) if simulated else None,
            "header_bytes": self.header_bytes, "payload_bytes": encoded.payload_bytes,
            "payload_bits_per_sample": self.payload_bits, "stream_bits_per_sample": self.stream_bits,
            "mutual_information_bits": information,
            "bound_bits_per_sample": self.bound_bits,
            "ratio_to_mutual_information": None if self._silent else self.payload_bits / information,
            "law_rounding_bits": encoded.quantisation / NATS_PER_BIT,
            "reproduction_entropy_bits": self.sample_bits,
            **self._index(),
            "distortion": self.distortion,
            "distortion_expected": self.distortion_expected,
            "measured_accuracy": 1 - self.distortion if self.loss.is_error else None,
            "sha256": encoded.decisions_sha256,  # of the actions, int32, least byte first; meta has that of the input
            "notes": self.notes,
        }  # fmt: skip
