"""Channel simulation: the sampler against its exact law, the code against Zipf's, streams against damage."""

import decimal
import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr, rel_entr, zeta
from scipy.stats import chi2

import jaxrd
from jaxrd import Status, optimal_channel, solve
from jaxrd.cli.app import run
from jaxrd.coding import (
    decode,
    encode,
    expected_candidates,
    index_entropy,
    mean_index,
    payload_bound,
    poisson,
    quantised_law,
    reproduce,
    simulate,
)
from jaxrd.coding import index_code as code
from jaxrd.coding.file import FIXED, Header, pack, unpack
from jaxrd.coding.law import mean_length
from jaxrd.datasets import example_path
from jaxrd.errors import InputError
from jaxrd.information import NATS_PER_BIT
from jaxrd.io import read_outputs
from jaxrd.testing import generators
from jaxrd.tosc import label_distortion, limits, log_posterior, model_aware_problem, sample_and_communicate

# shared/reference.json, section G: made by a program that shares nothing with this one.
EXACT = [
    ([0.9, 0.1], [0.5, 0.5], [0.8, 0.0], 0.5547215092178113, 1.6845253575381889, 0.5310044064107189),
    (
        [0.7, 0.2, 0.1], [0.2, 0.3, 0.5], [2.4999999999999996, 0.23333333333333336, 0.0],
        1.0068336283961385, 2.5763223811423197, 0.9159631358073554,
    ),
]  # fmt: skip
SIMULATED = [
    (0.5494861081121367, [1.790722497720652, 1.0], [0.89938, 0.10062]),
    (1.0068768713268377, [3.5111130193350792, 1.2314464783127737, 1.0], [0.69873, 0.20104, 0.10023]),
]


GOLDEN = (
    "4a524431e807000000000000180000000500e5d10300030000000400000031813927bd5dd0a3f0c47e2422f375938d46643a"
    "e41a1706bda5bb8c8f743e4c91fe9b289e00bc22d100a83423d5132ac2d03536fa4892e06e2536f1ef1938bf4eecdd54b786"
    "b1940caddcd5fbd32606"
)
GOLDEN_DECISIONS = [0, 2, 0, 2, 2, 2, 1, 0, 0, 2, 2, 2, 2, 0, 1, 2, 0, 2, 1, 0, 2, 1, 0, 2]
CHECKSUM_ERROR = "the checksum does not match: this is no .jrd stream, or it is damaged or cut short."


def noisy(samples, m=4, seed=0, sharpness=2.0):
    g = np.random.default_rng(seed)
    w = np.exp(sharpness * g.standard_normal((samples, m)))
    return w / w.sum(1, keepdims=True)


def law_of(q):
    return quantised_law(np.array([q]))


def geometric(mean, count):
    """P(J = 1..count) for the geometric law of a mean, or of each of several: the last axis counts."""
    success = 1 / np.asarray(mean, float)[..., None]
    return success * (1 - success) ** np.arange(count)


def index_pmf(p, q, count=4000):
    return np.asarray(p) @ geometric(mean_index(p, q), count)


def channels(draw_shape=((1, 1), (7, 2), (20, 3), (33, 6))):
    @st.composite
    def draw(draw):
        n, m = draw(st.sampled_from(draw_shape))
        g = draw(generators())
        w = g.dirichlet(np.full(m, draw(st.sampled_from((0.05, 0.5, 5.0)))), n)
        if m > 2 and draw(st.booleans()):
            w[:, 0] = 0
            w = np.where(w.sum(1, keepdims=True) > 0, w, np.eye(m)[1])
        return w / w.sum(1, keepdims=True)

    return draw()


class TestExactLaw:
    @pytest.mark.parametrize("case", EXACT)
    def test_reference(self, case):
        p, q, excess, mean_log2, entropy, divergence = case
        np.testing.assert_allclose(mean_index(p, q) - 1, excess, atol=1e-14)
        pmf = index_pmf(p, q)
        assert pmf @ np.log2(np.arange(1, 4001)) == pytest.approx(mean_log2, abs=1e-12)
        assert -(pmf[pmf > 0] @ np.log2(pmf[pmf > 0])) == pytest.approx(entropy, abs=1e-12)
        in_proportion = np.repeat(np.arange(len(p)), np.round(10 * np.array(p)).astype(int))
        assert index_entropy([p] * 10, q, in_proportion) / NATS_PER_BIT == pytest.approx(entropy, abs=1e-4)
        assert mean_log2 < divergence + 1

    @given(generators(), st.integers(1, 6))
    def test_against_the_double_sum(self, g, m):
        p, q = g.dirichlet(np.full(m, 0.3), 4), g.dirichlet(np.ones(m))
        for row, found in zip(p, mean_index(p, q), strict=True):
            r = row / q
            slow = [1 + sum(q[k] * max(r[j] - r[k], 0) for k in range(m)) for j in range(m)]
            np.testing.assert_allclose(found, slow, rtol=1e-10)

    @given(generators(), st.integers(2, 6))
    def test_mean_log_stays_below_divergence_plus_one(self, g, m):
        p, q = g.dirichlet(np.full(m, 0.3)), g.dirichlet(np.full(m, 3.0))
        # Jensen: E log2 J <= E log2 of the mean, itself below KL + 1.
        assert p @ np.log2(mean_index(p, q)) <= rel_entr(p, q).sum() / NATS_PER_BIT + 1

    def test_a_letter_that_cannot_be_drawn(self):
        np.testing.assert_allclose(mean_index([0.5, 0.0, 0.5], [0.5, 0.0, 0.5]), 1)

    def test_bound(self):
        assert payload_bound(0.0, 10) == pytest.approx(4 * NATS_PER_BIT)
        assert payload_bound(1.0, 10, 3) > payload_bound(1.0, 9, 3)  # a short block costs as much as a long one
        with pytest.raises(InputError, match="samples and block at least 1; got 1, 0 and 1"):
            payload_bound(1.0, 0)


def excess_of_chi_square(counts, expected):
    """The statistic over its 99.9 % quantile; cells are merged until each expects 10."""
    order = np.argsort(-expected)
    counts, expected = counts[order], expected[order]
    kept = max(int(np.searchsorted(-expected, -10, side="right")), 1)
    seen = np.append(counts[:kept], counts[kept:].sum())
    aim = np.append(expected[:kept], expected[kept:].sum())
    if aim[-1] < 10:
        seen, aim = np.append(seen[:-2], seen[-2:].sum()), np.append(aim[:-2], aim[-2:].sum())
    return ((seen - aim) ** 2 / aim).sum() / chi2.ppf(0.999, max(len(aim) - 1, 1))


BLOCKS = 20_000


@pytest.fixture(scope="module")
def many():
    """Many draws of one product channel, two samples to a block."""
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    q = np.array([0.2, 0.3, 0.5])
    sent = simulate(np.tile(rows, (BLOCKS, 1)), law_of(q), block=2, seed=11)
    pair = sent.reproduction.reshape(-1, 2) @ [3, 1]
    p, qq = (reduce(np.multiply.outer, x).ravel() for x in (rows, (q, q)))
    return sent, pair, p, qq


class TestSampler:
    def test_output_law(self, many):
        _, pair, p, qq = many
        counts = np.bincount(pair, minlength=9)
        assert excess_of_chi_square(counts, BLOCKS * p) < 1
        assert excess_of_chi_square(counts, BLOCKS * (0.97 * p + 0.03 * qq)) > 1  # it would notice 3 %

    def test_index_is_geometric_given_the_output(self, many):
        sent, pair, p, qq = many
        mean = mean_index(p, qq)
        for y in range(9):
            indices = sent.indices[pair == y]
            counts = np.bincount(indices, minlength=200)[1:]
            assert excess_of_chi_square(counts, len(indices) * geometric(mean[y], len(counts))) < 1
        y = int(p.argmax())
        indices = sent.indices[pair == y]
        counts = np.bincount(indices, minlength=200)[1:]
        wrong = geometric(p[y] / qq[y] + 1, len(counts))  # the cruder 1 + r of the literature
        assert excess_of_chi_square(counts, len(indices) * wrong) > 1

    def test_index_law(self, many):
        sent, _, p, qq = many
        counts = np.bincount(sent.indices, minlength=200)[1:]
        assert excess_of_chi_square(counts, BLOCKS * index_pmf(p, qq, len(counts))) < 1

    @pytest.mark.parametrize(("case", "simulated"), list(zip(EXACT, SIMULATED, strict=True)))
    def test_reference(self, case, simulated):
        p, q, excess, mean_log2, *_ = case
        sent = simulate(np.tile(p, (BLOCKS, 1)), law_of(q), seed=5)
        assert excess_of_chi_square(np.bincount(sent.reproduction, minlength=len(p)), BLOCKS * np.array(p)) < 1
        log2 = np.log2(sent.indices)
        assert abs(log2.mean() - mean_log2) < 4 * log2.std() / np.sqrt(BLOCKS)
        for y, e in enumerate(excess):
            indices = sent.indices[sent.reproduction == y]
            assert abs(indices.mean() - 1 - e) <= 4 * np.sqrt(e * (1 + e) / len(indices)) + 1e-12
        found = simulated[0], np.array(simulated[1]), np.array(simulated[2])
        np.testing.assert_allclose(found[0], log2.mean(), atol=0.03)
        np.testing.assert_allclose(
            found[1], [sent.indices[sent.reproduction == y].mean() for y in range(len(p))], atol=0.1
        )
        np.testing.assert_allclose(found[2], np.bincount(sent.reproduction) / BLOCKS, atol=0.01)

    def test_index_entropy(self, many):
        sent, _, p, qq = many
        rows = np.tile([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], (BLOCKS, 1))
        pmf = index_pmf(p, qq)
        found = index_entropy(rows, [0.2, 0.3, 0.5], sent.reproduction, block=2)
        assert found == pytest.approx(entr(pmf).sum(), abs=0.01)

    def test_index_entropy_of_few_blocks(self):
        """From 200 blocks a seed, against the frequencies of the indices under 40 seeds."""
        w, seeds = noisy(400, m=12), 40
        law = quantised_law(w)
        sent = [simulate(w, law, block=2, seed=seed) for seed in range(seeds)]
        counts = np.unique(np.concatenate([one.indices for one in sent]), return_counts=True)[1]
        frequencies = entr(counts / counts.sum()).sum() + (len(counts) - 1) / (2 * counts.sum())  # Miller and Madow
        found = [index_entropy(w, law, one.reproduction, block=2) for one in sent]
        assert np.mean(found) == pytest.approx(frequencies, abs=0.05)
        assert np.std(found) < 0.15

    def test_candidates_looked_at(self, many):
        sent, _, p, qq = many
        rows = np.tile([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], (BLOCKS, 1))
        expected = expected_candidates(rows, law_of([0.2, 0.3, 0.5]), block=2)
        assert expected == pytest.approx(BLOCKS * (p / qq).max(), rel=1e-6)
        assert abs(sent.candidates / expected - 1) < 4 / np.sqrt(BLOCKS)

    @given(channels(), st.integers(1, 4), st.integers(0, 2**64 - 1))
    def test_the_search_does_not_depend_on_how_it_is_cut(self, w, block, seed):
        law = quantised_law(w)
        whole = simulate(w, law, block=block, seed=seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(poisson, "FEWEST", 2)
            patch.setattr(poisson, "MOST", 6)
            pieces = simulate(w, law, block=block, seed=seed)
        assert whole.candidates == pieces.candidates
        np.testing.assert_array_equal(whole.indices, pieces.indices)
        np.testing.assert_array_equal(whole.reproduction, pieces.reproduction)

    @given(channels(), st.integers(1, 5), st.integers(0, 2**64 - 1))
    def test_an_oracle_that_looks_much_further(self, w, block, seed):
        law = quantised_law(w)
        sent = simulate(w, law, block=block, seed=seed)
        edges = np.cumsum(law)
        for b in range(len(sent.indices)):
            rows = w[b * block : (b + 1) * block] / np.where(law > 0, law / 2**31, 1)
            far = 2 * int(sent.indices[b] + rows.max(1).prod() + 20)
            stream = np.random.Philox(key=seed + (b << 64))
            words = [half for w64 in stream.random_raw(far * len(rows)).tolist() for half in (w64 % 2**32, w64 >> 32)]
            letters = np.searchsorted(edges, [half // 2 for half in words[: far * len(rows)]], side="right")
            letters = letters.reshape(far, len(rows))
            times = np.random.Generator(np.random.Philox(key=seed + (b << 64), counter=1 << 255))
            ratio = np.prod([row[letters[:, i]] for i, row in enumerate(rows)], axis=0)
            with np.errstate(divide="ignore"):
                score = np.cumsum(times.standard_exponential(far)) / ratio
            assert score.argmin() + 1 == sent.indices[b]
            np.testing.assert_array_equal(letters[score.argmin()], sent.reproduction[b * block : (b + 1) * block])

    def test_useless_source(self):
        sent = simulate([[0.25, 0.75]] * 100, law_of([0.25, 0.75]), block=10)
        assert (sent.indices == 1).all()

    def test_progress(self):
        seen = []
        simulate([[0.5, 0.5]] * 130, law_of([0.5, 0.5]), progress=lambda *x: seen.append(x))
        assert seen == [(64, 130), (128, 130), (130, 130)]

    @pytest.mark.parametrize(
        ("call", "says"),
        [
            (lambda: simulate([0.5, 0.5], law_of([0.5, 0.5])), "got \\(2,\\)"),
            (lambda: simulate([[0.5, 0.5], [0.5, 0.4]], law_of([0.5, 0.5])), "row 1 has minimum 0.4, sum 0.9"),
            (lambda: simulate([[1.5, -0.5]], law_of([0.5, 0.5])), "row 0 has minimum -0.5"),
            (lambda: simulate([[np.nan, 1]], law_of([0.5, 0.5])), "row 0"),
            (lambda: simulate([[0.5, 0.5]], law_of([1.0, 0.0])), "positive count"),
            (lambda: simulate([[0.5, 0.5]], law_of([1.0])), "positive count"),
            (lambda: simulate([[0.5, 0.5]], np.array([0.5, 0.5])), "sum to 2147483648; got 0"),
            (lambda: simulate([[0.5, 0.5]], law_of([0.5, 0.5]), block=0), "got 0"),
            (lambda: simulate([[0.5, 0.5]], law_of([0.5, 0.5]), seed=-1), "got -1"),
            (lambda: simulate([[0.5, 0.5]], law_of([0.5, 0.5]), seed=2**64), "2\\^64"),
            (lambda: reproduce([1, 1], law_of([0.5, 0.5]), samples=5, block=2), "take 3 indices"),
            (lambda: reproduce([0], law_of([0.5, 0.5]), samples=1), "at least 1"),
            (lambda: quantised_law(np.full((1, 40_000), 1 / 40_000)), "32768 reproductions"),
        ],
    )
    def test_bad_arguments(self, call, says):
        with pytest.raises(ValueError, match=says):
            call()


class TestLaw:
    @given(channels(((1, 1), (5, 3), (40, 200))))
    def test_counts(self, w):
        law, mean = quantised_law(w), w.mean(0)
        assert law.sum() == 2**31
        assert ((law > 0) == (mean > 0)).all()
        assert rel_entr(mean, law / 2**31).sum() < len(law) * 2.0**-29
        np.testing.assert_allclose(law / 2**31, mean, atol=(len(law) + 1) * 2.0**-31)

    @given(generators(), st.sampled_from((1, 2, 50, 3000)))
    def test_the_table_is_a_binary_search(self, g, m):
        law = law_of(g.dirichlet(np.full(m, 0.1)) * 0.9 + 0.1 / m)
        words = g.integers(0, 2**32, 2000, dtype=np.uint32)
        edges = np.cumsum(law)
        near = np.concatenate([2 * edges - 1, 2 * edges[:-1], 2 * edges - 2])  # last and first words of the letters
        words = np.append(words, near.astype(np.uint32))
        np.testing.assert_array_equal(poisson._table(law).letters(words), np.searchsorted(edges, words >> 1, "right"))

    def test_rare_letters_keep_a_count(self):
        law = law_of([1e-300, 1 - 1e-300, 0.0])
        assert law.tolist() == [1, 2**31 - 1, 0]

    def test_the_price_of_rounding_it_is_told(self):
        """KL(mean W || q), nats: of a law of thirds, whose counts are none."""
        w = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [1e-12, 0.5, 0.5 - 1e-12]])
        found, law = encode(w), quantised_law(w) / 2**31
        mean = w.mean(0)
        assert found.quantisation == pytest.approx((mean * np.log(mean / law)).sum(), rel=1e-6)
        assert 0 < found.quantisation < 3 * 2.0**-29
        assert found.information == pytest.approx(rel_entr(w, mean).sum() / 3, rel=1e-12)


class TestCode:
    @given(st.lists(st.one_of(st.integers(1, 40), st.integers(1, code.LARGEST)), max_size=40), st.integers(1, 40))
    def test_round_trip(self, indices, mean):
        payload = code.encode_indices(indices, mean << 16)
        np.testing.assert_array_equal(code.decode_indices(payload, len(indices), mean << 16), indices)
        assert 8 * len(payload) <= code.code_length(indices, mean << 16).sum() + 64

    def test_every_boundary(self):
        powers = 2 ** np.arange(1, 48)
        indices = np.concatenate([np.arange(1, 300), powers, powers - 1, powers + 1, [code.LARGEST]])
        payload = code.encode_indices(indices, 5 << 16)
        np.testing.assert_array_equal(code.decode_indices(payload, len(indices), 5 << 16), indices)

    def test_buckets_tile_the_indices(self):
        first, width = code.bucket_ends(np.arange(code.BUCKETS))
        assert first[0] == 1
        np.testing.assert_array_equal(first[1:], (first + (1 << width))[:-1])
        assert first[-1] + (1 << width[-1]) == code.LARGEST + 1
        bucket, found, place = code._bucket(first)
        np.testing.assert_array_equal(bucket, np.arange(code.BUCKETS))
        np.testing.assert_array_equal(found, width)
        assert (place == 0).all()

    @pytest.mark.parametrize("mean", [1, 1.5, 3, 8])
    def test_it_is_the_zipf_code(self, mean):
        exponent, z = int(mean * 2**16), 1 + 1 / mean
        table = code.frequencies(exponent)
        assert table.sum() == 2**24
        assert table.min() >= 1
        j = np.arange(1, 200_000)
        pmf = j**-z / zeta(z)
        # What lies beyond 2^48 is given back to the rest, so the code may be better than Zipf's.
        loss = pmf @ (code.code_length(j, exponent) + np.log2(pmf)) / pmf.sum()
        assert -np.log2(1 / (1 - 2.0 ** (-48 / mean))) - 1e-3 < loss < 1e-3

    def test_frequencies_are_the_same_in_any_decimal_context(self):
        expected = code.frequencies(123_456)
        code.frequencies.cache_clear()
        with decimal.localcontext() as context:
            context.prec, context.rounding = 3, decimal.ROUND_CEILING
            np.testing.assert_array_equal(code.frequencies(123_456), expected)
        # Committed: a stream depends on these integers.
        assert hashlib.sha256(expected.astype("<u4").tobytes()).hexdigest()[:16] == "2ff4ce62aef949fb"

    @pytest.mark.parametrize("indices", [[0], [1, -3], [code.LARGEST + 1]])
    def test_out_of_range(self, indices):
        with pytest.raises(ValueError, match="an index must lie in"):
            code.encode_indices(indices, 1 << 16)

    @given(generators(), st.integers(0, 60), st.integers(1, 30))
    def test_no_payload_crashes_the_decoder(self, g, size, count):
        try:
            indices = code.decode_indices(g.bytes(size), count, 2 << 16)
        except ValueError:
            return
        assert len(indices) == count
        assert ((indices >= 1) & (indices <= code.LARGEST)).all()


class TestStream:
    @given(channels(), st.integers(1, 40), st.integers(0, 2**64 - 1))
    def test_round_trip(self, w, block, seed):
        if expected_candidates(w, quantised_law(w), block=block) > 1e5:
            with pytest.raises(InputError, match="candidates"):
                encode(w, block=block, seed=seed, most_candidates=1e5)
            return
        found = encode(w, block=block, seed=seed)
        decisions = decode(found.stream)
        assert decisions.dtype == np.int32
        np.testing.assert_array_equal(decisions, found.simulation.reproduction)
        assert hashlib.sha256(decisions.astype("<i4").tobytes()).hexdigest() == found.decisions_sha256
        header, payload = unpack(found.stream)
        assert (header.seed, header.block, header.samples) == (seed, block, len(w))
        assert len(payload) == found.payload_bytes
        np.testing.assert_array_equal(header.law, quantised_law(w))

    def test_same_seed_same_stream(self):
        w = noisy(50)
        assert encode(w, seed=1).stream == encode(w, seed=1).stream != encode(w, seed=2).stream

    def test_a_committed_stream(self):
        """The format may not drift: what was written once is read for ever, on every machine."""
        assert decode(bytes.fromhex(GOLDEN)).tolist() == GOLDEN_DECISIONS

    def test_bits(self):
        w = noisy(9000)
        for block in (1, 2, 4, 7):
            found = encode(w, block=block)
            bits = 8 * found.payload_bytes / len(w)
            assert (
                found.information / NATS_PER_BIT < bits < payload_bound(found.information, len(w), block) / NATS_PER_BIT
            )
        assert found.quantisation < 1e-8

    def test_too_long_a_block_is_refused_beforehand(self):
        w = noisy(100, sharpness=4.0)
        expected = expected_candidates(w, quantised_law(w), block=30)
        with pytest.raises(InputError, match="blocks of 30 need about") as error:
            encode(w, block=30)
        assert f"{expected:.2g}" in str(error.value)
        assert "\n" not in str(error.value)
        with pytest.raises(InputError, match="more than 10;"):
            encode(w, most_candidates=10)
        with pytest.raises(InputError, match="block"):
            encode(w, block=1 << 16)
        with pytest.raises(InputError, match="seed"):
            encode(w, seed=1 << 64)


def damaged(stream, g):
    """One random corruption: bits flipped, cut, extended, bytes swapped, a run overwritten."""
    raw, kind = bytearray(stream), g.integers(5)
    if kind == 0:
        for bit in g.choice(8 * len(raw), g.integers(1, 4), replace=False):
            raw[bit // 8] ^= 1 << (bit % 8)
    elif kind == 1:
        del raw[g.integers(len(raw)) :]
    elif kind == 2:
        raw += g.bytes(g.integers(1, 80))
    elif kind == 3:
        i, j = g.choice(len(raw), 2, replace=False)
        raw[i], raw[j] = raw[j], raw[i]
    else:
        start = g.integers(len(raw))
        piece = raw[start : start + 40]
        raw[start : start + 40] = g.bytes(len(piece))
    return bytes(raw)


class TestDamage:
    def test_a_thousand_corruptions_are_refused(self, tmp_path, capsys):
        g = np.random.default_rng(0)
        stream = encode(noisy(400), block=2).stream
        path, out, tried = tmp_path / "x.jrd", tmp_path / "d.npy", 0
        while tried < 1000:
            worse = damaged(stream, g)
            if worse == stream:  # two equal bytes were swapped
                continue
            with pytest.raises(InputError, match=CHECKSUM_ERROR):
                decode(worse)
            if tried % 10 == 0:
                path.write_bytes(worse)
                assert run(["decode", str(path), "--out", str(out)]) == 2
                assert capsys.readouterr().err == f"jaxrd: {path}: {CHECKSUM_ERROR}\n"
            tried += 1
        assert not out.exists()
        path.write_bytes(stream)
        assert run(["decode", str(path), "--out", str(out)]) == 0

    def test_every_cut_is_refused(self):
        stream = encode(noisy(20)).stream
        for length in range(len(stream)):
            with pytest.raises(InputError, match="checksum"):
                decode(stream[:length])

    def test_forged_checksums(self):
        """Damage that someone signed: refused, or the same decisions; never a crash or other decisions."""
        g = np.random.default_rng(1)
        found = encode(noisy(60), block=2)
        body = found.stream[:-32]
        for _ in range(1000):
            worse = damaged(body, g)
            try:
                decisions = decode(worse + hashlib.sha256(worse).digest())
            except InputError:
                continue
            np.testing.assert_array_equal(decisions, found.simulation.reproduction)

    def test_headers_that_contradict_themselves(self):
        header, payload = unpack(encode(noisy(60), block=2).stream)
        fields = dict(header.__dict__)
        for change in (
            {"samples": 0}, {"samples": 2**32 - 1}, {"block": 0}, {"exponent": 65535}, {"law": header.law + 1},
            {"law": header.law[:-1]},
        ):  # fmt: skip
            with pytest.raises(InputError, match="contradicts itself"):
                decode(pack(Header(**(fields | change)), payload))
        with pytest.raises(InputError, match="SHA-256"):
            decode(pack(Header(**(fields | {"seed": 99})), payload))
        body = b"JRD9" + pack(header, payload)[4:-32]
        with pytest.raises(InputError, match="another version"):
            decode(body + hashlib.sha256(body).digest())
        for body in (b"", b"JRD1", b"JRD1" + b"\0" * FIXED.size):
            with pytest.raises(InputError):
                decode(body + hashlib.sha256(body).digest())


@pytest.fixture
def file(tmp_path):
    g = np.random.default_rng(3)
    logits = 2 * g.standard_normal((301, 4))
    np.savez(tmp_path / "my outputs.npz", logits=logits, labels=logits.argmax(1))
    return tmp_path / "my outputs.npz"


class TestCommands:
    @pytest.mark.parametrize(
        "scheme", [["--slope", "3", "--temperature", "1.5"], ["--curve", "S&C", "--temperature", "0.7"]]
    )
    def test_encode_and_decode(self, file, tmp_path, scheme, capsys):
        out = tmp_path / "o" / "X.jrd"
        assert run(["encode", str(file), *scheme, "--block", "2", "--seed", "9", "--out", str(out)]) == 0
        assert sorted(p.name for p in out.parent.iterdir()) == ["X.jrd", "X.json"]
        found = json.loads(out.with_suffix(".json").read_text(), parse_constant=lambda c: pytest.fail(c))
        assert found["schema"] == "jaxrd.encode/1"
        assert (found["samples"], found["blocks"], found["block"], found["seed"]) == (301, 151, 2, 9)
        size = out.stat().st_size
        assert found["header_bytes"] + found["payload_bytes"] == size
        assert found["payload_bits_per_sample"] == 8 * found["payload_bytes"] / 301
        assert found["payload_bits_per_sample"] < found["bound_bits_per_sample"]
        for key in (
            "mutual_information_bits", "ratio_to_mutual_information", "index_entropy_ratio", "candidates_drawn",
            "candidates_expected", "distortion", "reproduction_entropy_bits",
        ):  # fmt: skip
            assert found[key] > 0
        # a process that knows nothing but the file
        command = [sys.executable, "-m", "jaxrd", "decode", str(out), "--out", str(tmp_path / "d.npy")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        decisions = np.load(tmp_path / "d.npy")
        assert hashlib.sha256(decisions.astype("<i4").tobytes()).hexdigest() == found["sha256"]
        labels = np.load(file)["labels"]
        assert (decisions != labels).mean() == pytest.approx(found["distortion"])
        assert found["distortion"] == pytest.approx(found["distortion_expected"], abs=0.1)
        assert "bits a sample" in capsys.readouterr().out

    def test_slope_and_temperature_mean_what_limits_means(self, file, tmp_path):
        outputs, _ = read_outputs(file)
        log_v = log_posterior(outputs.logits, 1.5)
        problem = model_aware_problem(np.exp(log_v))
        aware = solve(problem, 3.0)
        sampled = sample_and_communicate(log_v, outputs.labels, 2.0)
        for scheme, rate, distortion in (
            (["--slope", "3", "--temperature", "1.5"], aware.rate, label_distortion(problem, aware, outputs.labels)),
            (["--curve", "S&C", "--temperature", "0.75"], sampled.rate, sampled.distortion),  # 1.5 / 2
        ):
            assert run(["encode", str(file), *scheme, "--out", str(tmp_path / "x.jrd")]) == 0
            found = json.loads((tmp_path / "x.json").read_text())
            assert found["mutual_information_bits"] == pytest.approx(float(rate) / NATS_PER_BIT, abs=1e-9)
            assert found["distortion_expected"] == pytest.approx(float(distortion), abs=1e-9)

    def test_a_channel_that_did_not_converge_ends_with_1(self, file, tmp_path, monkeypatch, capsys):
        real = jaxrd.solve
        monkeypatch.setattr("jaxrd.tosc.schemes.solve", lambda *args: replace(real(*args), status=Status.STALLED))
        assert run(["encode", str(file), "--slope", "3", "--out", str(tmp_path / "x.jrd")]) == 1
        assert json.loads((tmp_path / "x.json").read_text())["status"] == "STALLED"
        assert "TMRD at slope 3 did not converge (STALLED)" in capsys.readouterr().err

    def test_silence(self, file, tmp_path):
        assert run(["encode", str(file), "--slope", "0.001", "--out", str(tmp_path / "x.jrd")]) == 0
        found = json.loads((tmp_path / "x.json").read_text())
        assert found["mutual_information_bits"] == pytest.approx(0, abs=1e-9)
        assert found["candidates_drawn"] == 301
        assert found["candidates_expected"] == pytest.approx(301, rel=1e-6)
        assert found["payload_bits_per_sample"] < 1
        assert found["ratio_to_mutual_information"] is None

    def test_a_code_that_loses_to_sending_the_sample_says_so(self, file, tmp_path, capsys):
        assert run(["encode", str(file), "--slope", "9", "--out", str(tmp_path / "x.jrd")]) == 0
        found = json.loads((tmp_path / "x.json").read_text())
        assert found["payload_bits_per_sample"] > found["reproduction_entropy_bits"]
        assert "the sample itself, entropy-coded, would take fewer bits" in capsys.readouterr().out

    def test_an_accuracy_chooses_the_slope(self, file, tmp_path, capsys):
        accuracy, out = 0.7, tmp_path / "X.jrd"
        asked = ["--accuracy", str(accuracy), "--temperature", "1.5"]
        assert run(["encode", str(file), *asked, "--out", str(out)]) == 0
        found = json.loads(out.with_suffix(".json").read_text())
        with np.load(file) as held:
            row = limits(held["logits"], held["labels"], at=[1 - accuracy], temperature=1.5).at[0]
        assert found["accuracy"] == accuracy
        assert found["mutual_information_bits"] * np.log(2) == pytest.approx(row["TMRD"], abs=1e-8)
        assert found["distortion_expected"] == pytest.approx(1 - accuracy, abs=1e-6)
        deviation = np.sqrt(accuracy * (1 - accuracy) / 301)
        assert abs(found["distortion"] - (1 - accuracy)) < 3 * deviation
        assert run(["encode", "--labels", str(file), *asked, "--out", str(out)]) == 2
        assert "--labels are for a FILE of outputs; none was named" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            ([], "TMRD needs a point: --slope, --accuracy or --distortion"),
            (["--curve", "S&C", "--slope", "1"], "S&C has no --slope"),
            (["--curve", "S&C", "--accuracy", "0.7"], "S&C has no --accuracy; use --temperature"),
            (["--slope", "1", "--accuracy", "0.7"], "pass --slope or --accuracy, not both; got 1 and 0.7"),
            (["--accuracy", "70"], "--accuracy must lie in (0, 1); got 70. Write 0.7 for 70 %."),
            (["--accuracy", "0.2"], "distortion 0.8 (accuracy 0.2) needs no bits: always the same action has"),
            (["--curve", "TS"], "must be one of TMRD, S&C, iE&C, E&C, decisions, merge; got 'TS'"),
            (["--slope", "0"], "--slope must be a positive number; got 0"),
            (["--slope", "nan"], "got nan"),
            (["--slope", "1", "--temperature", "-1"], "--temperature must be a positive number; got -1"),
            (["--slope", "1", "--block", "0"], "block must be an integer >= 1; got 0"),
            (["--slope", "1", "--seed", "-1"], "seed must lie in [0, 2^64); got -1"),
            (["--slope", "1", "--most-candidates", "0"], "--most-candidates must be positive; got 0"),
            (["--slope", "30", "--block", "20"], "candidates, more than 1e+09"),
            (["--slope", "1", "--out", "x.bin"], "ends in .jrd; got x.bin"),
        ],
    )
    def test_bad_options(self, file, tmp_path, args, message, capsys):
        out = tmp_path / "o" / "x.jrd"
        assert run(["encode", str(file), "--out", str(out), *args]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1
        assert not out.parent.exists()

    def test_most_candidates_and_seed_reach_the_search(self, file, tmp_path, capsys):
        args = ["encode", str(file), "--curve", "S&C", "--temperature", "0.7", "--out", str(tmp_path / "x.jrd")]
        assert run([*args, "--most-candidates", "100"]) == 2
        assert "candidates, more than 1e+02" in capsys.readouterr().err
        streams = []
        for seed in ("0", "5"):
            assert run([*args, "--seed", seed]) == 0
            streams.append(decode((tmp_path / "x.jrd").read_bytes()))
        assert (streams[0] != streams[1]).any()

    def test_hard_decisions_and_other_bad_input(self, tmp_path, capsys):
        np.savez(tmp_path / "hard.npz", predictions=[0, 1, 1], labels=[0, 1, 0])
        assert run(["encode", str(tmp_path / "hard.npz"), "--slope", "1", "--out", str(tmp_path / "x.jrd")]) == 2
        assert "hard decisions only; TMRD needs scores" in capsys.readouterr().err
        assert run(["decode", str(tmp_path / "nowhere.jrd")]) == 2
        assert "nowhere.jrd: No such file" in capsys.readouterr().err
        assert run(["decode", str(tmp_path / "hard.npz"), "--out", str(tmp_path / "x.txt")]) == 2
        assert "ends in .npy; got" in capsys.readouterr().err
        assert run(["decode", str(tmp_path / "hard.npz"), "--out", str(tmp_path / "x.npy")]) == 2
        assert "checksum does not match" in capsys.readouterr().err
        assert [p.name for p in tmp_path.iterdir()] == ["hard.npz"]


def check_ten_thousand(outputs, channel):
    assert len(channel) == 10_000
    for block in (1, 2):
        found = encode(channel, block=block)
        np.testing.assert_array_equal(decode(found.stream), found.simulation.reproduction)
        bits = 8 * found.payload_bytes / 10_000
        information = found.information / NATS_PER_BIT
        assert information < bits <= information + (np.log2(block * information + 2) + 3) / block
        distortion = (found.simulation.reproduction != outputs.labels).mean()
        expected = 1 - channel[np.arange(10_000), outputs.labels].mean()
        assert abs(distortion - expected) < 4 * np.sqrt(expected * (1 - expected) / 10_000)


def test_the_embedded_example():
    """TMRD."""
    outputs, _ = read_outputs(example_path("mnist-noisy"))
    problem = model_aware_problem(np.exp(log_posterior(outputs.logits)))
    check_ten_thousand(outputs, np.asarray(optimal_channel(problem, solve(problem, 5.0))))


@pytest.mark.slow
def test_cifar_100(data):
    """S&C."""
    outputs, _ = read_outputs(data / "classifiers" / "cifar100_vgg19_bn_logits.npz")
    check_ten_thousand(outputs, np.exp(log_posterior(outputs.logits, 2.1564)))


@pytest.mark.slow
def test_benchmark(tmp_path):
    import simulation

    simulation.main(["--only", "mnist-noisy: S&C", "--most-candidates", "1e5", "--out", str(tmp_path)])
    picture = (tmp_path / "simulation.png").read_bytes()
    (case,) = json.loads((tmp_path / "simulation.json").read_text())["cases"].values()
    assert [point["block"] for point in case["points"]] == [1]
    assert case["points"][0]["within_bound"]
    assert case["first_block_refused"]["candidates_expected"] > 1e5
    simulation.main(["--plot", "--out", str(tmp_path)])
    assert (tmp_path / "simulation.png").read_bytes() == picture
    committed = json.loads((simulation.RESULTS / "simulation.json").read_text())
    assert all(point["within_bound"] for case in committed["cases"].values() for point in case["points"])


@pytest.mark.parametrize("exponent", [1 << 16, 4 << 16])
def test_the_mean_length_of_a_geometric_index(exponent):
    """Summed index by index; between other means it is interpolated."""
    means = np.array([1.0, 1.2, 3.0, 40.0, 300.0])
    j = np.arange(1, 20_000)
    lengths = code.code_length(j, exponent)
    direct = [lengths @ ((1 - 1 / mean) ** (j - 1) / mean) for mean in means]
    np.testing.assert_allclose(mean_length(means, exponent), direct, atol=1e-3)
    np.testing.assert_allclose(mean_length(means[:2], exponent), direct[:2], atol=1e-3)
