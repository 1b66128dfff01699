"""Entropy-coded decisions: round trips, bits against their entropy, streams against damage."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd.coding import Coded, decisions_bound, decode, encode_decisions
from jaxrd.coding.decisions import FIXED
from jaxrd.errors import InputError
from jaxrd.information import NATS_PER_BIT
from jaxrd.testing import generators

CHECKSUM_ERROR = "the checksum does not match: this is no .jrd stream, or it is damaged or cut short."
GOLDEN = (
    "4a5244320c0000000700000004000000000002000400000004000000bd8fe5ae8cd9a646eda0a12679f7daf268b784b2bce5"
    "e52ac35b0f27014d1d19d9aa6cc00271b315382814438c87abf16e80f2e1c41329b543e76d248067d3e40003d25b3ea533d0"
)
GOLDEN_DECISIONS = [0, 3, 3, 1, 3, 3, 0, 3, 5, 3, 3, 3]


@st.composite
def decisions(draw):
    """Letters of a law that may be flat, steep, of one letter alone or of letters that mostly never occur."""
    g = draw(generators())
    letters = draw(st.sampled_from((1, 2, 3, 10, 300, 1 << 15)))
    samples = draw(st.sampled_from((1, 2, 17, 1000, 20_000)))
    law = g.dirichlet(np.full(min(letters, 400), draw(st.sampled_from((0.01, 0.3, 5.0)))))
    among = g.permutation(letters)[: len(law)]
    return among[g.choice(len(law), samples, p=law)], letters


def header_bits(coded: Coded) -> int:
    return 8 * (len(coded.stream) - coded.payload_bytes)


class TestRoundTrip:
    @given(decisions())
    def test_decisions_come_back_within_the_bound(self, drawn):
        y, letters = drawn
        coded = encode_decisions(y, letters)
        found = decode(coded.stream)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, y)
        np.testing.assert_array_equal(coded.decisions, y)
        assert coded.decisions_sha256 == hashlib.sha256(y.astype("<i4").tobytes()).hexdigest()
        used = len(np.unique(y))
        nats = 8 * coded.payload_bytes / len(y) * NATS_PER_BIT
        assert nats <= decisions_bound(coded.entropy, len(y), used)
        # Bits of the end that a decoder fills up itself: a word may be spared.
        assert nats >= coded.entropy - 32 * NATS_PER_BIT / len(y)

    @given(decisions())
    def test_entropy_and_rounding_are_those_of_the_frequencies(self, drawn):
        y, letters = drawn
        coded = encode_decisions(y, letters)
        p = np.bincount(y, minlength=letters) / len(y)
        expected = -sum(x * np.log(x) for x in p if x > 0)
        assert coded.entropy == pytest.approx(expected, abs=1e-12)
        used = (p > 0).sum()
        assert 0 <= coded.quantisation <= -np.log1p(-used * 2.0**-24) + 1e-15

    def test_the_price_of_rounding_it_is_told(self):
        """Of 2^24 parts less one for each letter, thirds get a whole number and the first letter the rest."""
        part = (2**24 - 3) // 3
        frequencies = np.array([2**24 - 3 - 2 * part + 1, part + 1, part + 1]) / 2**24
        found = encode_decisions([0, 1, 2], 3).quantisation
        assert found == pytest.approx(-np.log(3 * frequencies).mean(), rel=1e-3)
        assert found > 0
        steep = encode_decisions([0] * 999_999 + [1], 2).quantisation
        assert steep == pytest.approx(
            (0.999999 * np.log(0.999999 / (1 - 17 / 2**24)) + 1e-6 * np.log(1e-6 * 2**24 / 17)), rel=1e-6
        )

    @pytest.mark.parametrize(("letters", "samples"), [(10, 10_000), (100, 10_000), (1000, 50_000)])
    def test_the_law_costs_little(self, letters, samples):
        """About ten bits a letter that occurs, and the 92 bytes that every stream has."""
        y = np.random.default_rng(letters).integers(letters, size=samples)
        assert header_bits(encode_decisions(y, letters)) < 8 * 92 + 14 * letters + 64

    def test_letters_that_never_occur_cost_less_than_a_tenth_of_a_bit_each(self):
        y = np.random.default_rng(0).integers(30, size=5000) * 1000
        few, many = encode_decisions(y // 1000, 30), encode_decisions(y, 30_000)
        assert many.payload_bytes == few.payload_bytes
        assert header_bits(many) - header_bits(few) < 0.1 * 30_000

    def test_long_streams_lose_nothing_to_the_coder(self):
        y = np.random.default_rng(1).choice(100, 300_000, p=np.random.default_rng(2).dirichlet(np.ones(100)))
        coded = encode_decisions(y, 100)
        assert 8 * coded.payload_bytes / len(y) == pytest.approx(coded.entropy / NATS_PER_BIT, abs=5e-4)

    def test_a_committed_stream(self):
        """The format may not drift: what was written once is read for ever, on every machine."""
        assert decode(bytes.fromhex(GOLDEN)).tolist() == GOLDEN_DECISIONS
        assert encode_decisions(GOLDEN_DECISIONS, 7).stream.hex() == GOLDEN

    def test_one_letter_alone_takes_no_payload(self):
        coded = encode_decisions(np.full(1000, 4), 9)
        assert coded.payload_bytes == 0
        assert coded.entropy == 0
        assert (decode(coded.stream) == 4).all()


class TestBadArguments:
    @pytest.mark.parametrize(
        ("call", "says"),
        [
            (lambda: encode_decisions([], 3), "decisions must be integers, shape .samples,., one or more"),
            (lambda: encode_decisions([0.5], 3), "got float64"),
            (lambda: encode_decisions([[1]], 3), "of \\(1, 1\\)"),
            (lambda: encode_decisions([0, 3], 3), "decisions must lie in 0..2; got 0..3"),
            (lambda: encode_decisions([-1, 2], 3), "got -1..2"),
            (lambda: encode_decisions([0], 0), "letters must lie in 1..32768; got 0"),
            (lambda: encode_decisions([0], 1 << 16), "got 65536"),
            (lambda: decisions_bound(-1.0, 3, 2), "entropy must be >= 0"),
            (lambda: decisions_bound(1.0, 0, 2), "got 1, 0 and 2"),
        ],
    )
    def test_one_line(self, call, says):
        with pytest.raises(InputError, match=says):
            call()

    def test_too_many_samples(self, monkeypatch):
        monkeypatch.setattr("jaxrd.coding.decisions.MOST_SAMPLES", 3)
        with pytest.raises(InputError, match="at most 3 samples; got 4"):
            encode_decisions([0, 1, 0, 1], 2)


def stream_of(**fields: int) -> bytes:
    """A stream with these fields of the header changed, and its checksum made right again."""
    names = ("samples", "letters", "used", "exponent", "law_bytes", "payload_bytes")
    body = bytearray(encode_decisions(np.random.default_rng(0).integers(5, size=60), 8).stream[:-32])
    for name, value in fields.items():
        at = 4 + 4 * names.index(name)
        body[at : at + 4] = value.to_bytes(4, "little")
    return bytes(body) + hashlib.sha256(body).digest()


class TestDamage:
    def test_every_cut_and_every_flipped_bit_is_refused(self):
        stream = encode_decisions([0, 1, 2, 2, 1, 0, 0], 4).stream
        for length in range(len(stream)):
            with pytest.raises(InputError, match=CHECKSUM_ERROR):
                decode(stream[:length])
        for bit in range(8 * len(stream)):
            worse = bytearray(stream)
            worse[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InputError, match=CHECKSUM_ERROR):
                decode(bytes(worse))

    @pytest.mark.parametrize(
        "fields",
        [
            {"samples": 0}, {"samples": 2**32 - 1}, {"samples": 61}, {"letters": 4}, {"letters": 2**32 - 1},
            {"used": 0}, {"used": 9}, {"exponent": 65535}, {"law_bytes": 2**31}, {"law_bytes": 0},
            {"payload_bytes": 4},
        ],
    )  # fmt: skip
    def test_headers_that_contradict_themselves(self, fields):
        with pytest.raises(InputError, match=r"contradicts itself|cannot be decoded"):
            decode(stream_of(**fields))

    def test_too_short_for_a_header(self):
        for body in (b"JRD2", b"JRD2" + b"\0" * (FIXED.size - 5), b"JRD2" + b"\0" * FIXED.size):
            with pytest.raises(InputError):
                decode(body + hashlib.sha256(body).digest())

    def test_forged_checksums(self):
        """Damage that someone signed: refused, or the same decisions; never a crash or other decisions."""
        g = np.random.default_rng(1)
        y = g.choice(6, 300, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
        body = encode_decisions(y, 40).stream[:-32]
        for _ in range(1500):
            worse = bytearray(body)
            for at in g.integers(len(worse), size=g.integers(1, 4)):
                worse[at] = g.integers(256)
            try:
                found = decode(bytes(worse) + hashlib.sha256(worse).digest())
            except InputError:
                continue
            np.testing.assert_array_equal(found, y)
