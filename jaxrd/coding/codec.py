"""Encode a channel's outputs as bytes; decode the bytes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd.coding import decisions as entropy_coded
from jaxrd.coding.file import LONGEST_BLOCK, MOST_SAMPLES, Header, digest, pack, unpack
from jaxrd.coding.index_code import FRACTION, LARGEST, decode_indices, encode_indices
from jaxrd.coding.poisson import TOTAL, Simulation, as_channel, expected_candidates, quantised_law, reproduce, simulate
from jaxrd.errors import InputError
from jaxrd.information import NATS_PER_BIT

_MOST_CANDIDATES = 1e9
"""Expected candidates beyond which `encode` refuses: under a minute of a CPU core."""


@readable
class Encoded(NamedTuple):
    """A stream, and what its encoding cost."""

    stream: bytes
    """What a .jrd file holds."""
    simulation: Simulation
    """The indices, the decisions a decoder will see, and the candidates looked at."""
    payload_bytes: int
    """Bytes of the payload; the rest of the stream is header and checksum."""
    information: float
    """I(X; Y) of the channel over these samples, nats a sample: what the payload cannot go below."""
    quantisation: float
    """What the rounding of the reproduction law adds to the information, nats a sample."""
    expected_candidates: float
    """Mean of `simulation.candidates` over seeds."""
    decisions_sha256: str
    """SHA-256 of the decisions as little-endian int32; it is in the header."""


def encode(
    channel: ArrayLike,
    *,
    block: int = 1,
    seed: int = 0,
    most_candidates: float = _MOST_CANDIDATES,
    progress: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Simulate a channel and code what was sent: bytes from which `decode` makes one draw Y ~ W(.|x) a sample.

    The payload is the Zipf code of the indices that `simulate` sends, on average no longer than `payload_bound`;
    seed, block and reproduction law travel in the header.

    Args:
        channel: W(y|x), a row a sample, shape (samples, reproductions), rows summing to one.
        block: n, samples coded together: the overhead falls like (log n) / n, the search grows exponentially in n.
        seed: of the shared randomness, in [0, 2^64).
        most_candidates: refuse if more are expected.
        progress: called as progress(blocks done, blocks) now and then.

    Raises:
        InputError: more candidates than that are expected, or block or seed is out of range.
        ValueError: a row is no pmf.

    Reference: C. T. Li and A. El Gamal (2018), as in `simulate`; [A] section III-A.3.

    >>> channel = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]] * 500)
    >>> found = encode(channel, block=2, seed=7)
    >>> bool((decode(found.stream) == found.simulation.reproduction).all())
    True
    >>> round(found.information / NATS_PER_BIT, 3), round(8 * found.payload_bytes / 1000, 1)
    (0.447, 1.3)
    """
    refuse_unless_whole("block", block, 1)
    if block > LONGEST_BLOCK:
        raise InputError(f"block must lie in 1..{LONGEST_BLOCK}; got {block}.")
    if not 0 <= seed < 1 << 64:
        raise InputError(f"seed must lie in [0, 2^64); got {seed}.")
    from scipy.special import rel_entr  # its import takes longer than that of all our modules

    w = as_channel(channel)
    if len(w) > MOST_SAMPLES:
        raise InputError(f"a stream holds at most {MOST_SAMPLES} samples; got {len(w)}. Encode them in parts.")
    law = quantised_law(w)
    expected = expected_candidates(w, law, block=block)
    if not expected <= min(most_candidates, LARGEST):
        raise InputError(
            f"blocks of {block} need about {expected:.2g} candidates, more than {most_candidates:.2g}; "
            "use shorter blocks or a lower rate, or raise most_candidates (--most-candidates)."
        )
    information = max(float(rel_entr(w, w.mean(0)).sum(1).mean()), 0.0)
    quantisation = max(float(rel_entr(w.mean(0), law / TOTAL).sum()), 0.0)
    sent = simulate(w, law, block=block, seed=seed, progress=progress)
    bits = block * (information + quantisation) / NATS_PER_BIT
    exponent = int(np.ceil((bits + 1) * (1 << FRACTION)))
    payload = encode_indices(sent.indices, exponent)
    header = Header(seed, len(w), block, exponent, law, digest(sent.reproduction))
    stream = pack(header, payload)
    return Encoded(stream, sent, len(payload), information, quantisation, expected, header.digest.hex())


def decode(stream: bytes) -> np.ndarray:
    """The decisions that a stream holds, bit for bit the encoder's, int32, shape (samples,).

    Args:
        stream: of `encode`, or of `encode_decisions`; its first bytes say which.

    Raises:
        InputError: the stream is damaged, or its decisions do not come out as its header says.
    """
    if not isinstance(stream, bytes | bytearray | memoryview):
        raise InputError(f"a stream is bytes; got {type(stream).__name__}. Read it with Path(...).read_bytes().")
    stream = bytes(stream)
    if stream[:4] == entropy_coded.MAGIC:
        return entropy_coded.decode_decisions(stream)
    header, payload = unpack(stream)
    try:
        index = decode_indices(payload, header.blocks, header.exponent)
        decisions = reproduce(index, header.law, samples=header.samples, block=header.block, seed=header.seed)
    except ValueError as error:
        raise InputError(f"the checksum matches, but the stream cannot be decoded: {error}") from None
    if digest(decisions) != header.digest:
        raise InputError(
            "the decisions do not have the SHA-256 in the header: a library draws otherwise here, report it."
        )
    return decisions
