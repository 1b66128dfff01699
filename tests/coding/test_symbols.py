"""Vectors of symbols: what comes back, how long the code is, which places are coded together."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd.coding.symbols import Law, fit_law
from jaxrd.errors import InputError


@dataclass
class Sample:
    sizes: tuple[int, ...]
    symbols: np.ndarray


@st.composite
def samples(draw):
    """Vectors of which some places depend on the first."""
    sizes = tuple(draw(st.lists(st.integers(2, 9), min_size=1, max_size=5)))
    g = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 300))
    symbols = np.stack([g.integers(0, size, count) for size in sizes], 1)
    for place in range(1, len(sizes)):
        if g.random() < 0.5:
            kept = g.random(count) < 0.8
            symbols[kept, place] = symbols[kept, 0] % sizes[place]
    return Sample(sizes, symbols)


@given(samples(), st.integers(0, 2**32 - 1))
def test_what_was_encoded_comes_back_and_is_as_long_as_it_should_be(sample, seed):
    law = fit_law(sample.symbols, sample.sizes)
    g = np.random.default_rng(seed)
    # Vectors that the law has not seen too: every one can be coded.
    other = np.stack([g.integers(0, size, 50) for size in sample.sizes], 1)
    for symbols in (sample.symbols, other, other[:0]):
        payload = law.encode(symbols)
        found = law.decode(payload, len(symbols))
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, symbols)
        ideal = law.bits(symbols).sum()
        assert (law.bits(symbols) >= law.least_bits() - 1e-9).all()
        assert ideal - 1 <= 8 * len(payload) <= ideal + 64 + 1e-3 * len(symbols) * len(sample.sizes)


@given(samples())
def test_shares_are_a_law_and_none_is_zero(sample):
    law = fit_law(sample.symbols, sample.sizes)
    assert law.sizes == sample.sizes
    for place, parent in enumerate(law.parents):
        assert parent < place
        shares = law.shares(place)
        assert (shares > 0).all()
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-12)


@given(samples())
def test_leaving_one_out_is_what_it_says(sample):
    """Against laws fitted to all vectors but one, with the same parents and strengths."""
    law = fit_law(sample.symbols, sample.sizes)
    place = len(sample.sizes) - 1
    parent, last = law.parents[place], sample.symbols[:, place]
    if parent < 0:
        return
    length = 0.0
    for i in range(len(last)):
        own = np.bincount(np.delete(last, i), minlength=sample.sizes[place]) + 0.5
        own /= own.sum()
        same = np.delete(last, i)[np.delete(sample.symbols[:, parent], i) == sample.symbols[i, parent]]
        strength = law.strengths[place]
        length -= np.log2(((same == last[i]).sum() + strength * own[last[i]]) / (len(same) + strength))
    alone = np.bincount(last, minlength=sample.sizes[place])
    by_itself = -(alone * np.log2((np.maximum(alone, 1) - 0.5) / (len(last) - 1 + sample.sizes[place] / 2))).sum()
    assert length < by_itself


class TestWhichPlaces:
    def test_a_large_table_of_chance_is_not_used(self):
        g = np.random.default_rng(0)
        symbols = g.integers(0, 64, (2000, 4))
        assert fit_law(symbols, (64,) * 4).parents == (-1,) * 4

    def test_a_chain_is_found_and_shortens_the_code_of_new_vectors(self):
        g = np.random.default_rng(0)

        def chain(count):
            columns = [g.integers(0, 4, count)]
            for _ in range(5):
                columns.append((columns[-1] + (g.random(count) < 0.2)) % 4)
            return np.stack(columns, 1)

        law = fit_law(chain(5000), (4,) * 6)
        assert law.parents == (-1, 0, 1, 2, 3, 4)
        h = -(0.2 * np.log2(0.2) + 0.8 * np.log2(0.8))
        assert law.bits(chain(5000)).mean() == pytest.approx(2 + 5 * h, rel=0.02)

    def test_the_smoothing_is_used(self):
        symbols = np.array([[0, 0], [0, 1], [1, 1], [1, 1]] * 5)
        law = fit_law(symbols, (2, 2))
        other = law._replace(strengths=(0.0, 100.0))
        assert (law.shares(1) != other.shares(1)).any()
        assert law.digest() != other.digest()


def test_another_law_is_refused_or_gives_other_symbols():
    symbols = np.random.default_rng(0).integers(0, 5, (100, 3))
    law, other = fit_law(symbols, (5, 5, 5)), fit_law(symbols[:, ::-1], (5, 5, 5))
    assert law.digest() != other.digest()
    try:
        found = other.decode(law.encode(symbols), 100)
    except InputError:
        return
    assert (found != symbols).any()


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        (np.zeros((4, 2), int), r"integers of shape \(count, 3\); got int64 of shape \(4, 2\)"),
        (np.zeros(3, int), r"got int64 of shape \(3,\)"),
        (np.zeros((4, 3)), "got float64"),
        (np.array([[0, 0, 0], [0, 5, 0]]), r"a symbol of place 1 must lie in 0..4; got 5"),
        (np.array([[0, 0, -1]]), r"a symbol of place 2 must lie in 0..1; got -1"),
        (np.zeros((0, 3), int), "a sample of one vector at least"),
    ],
)
def test_refused(symbols, message):
    with pytest.raises(InputError, match=message):
        fit_law(symbols, (2, 5, 2))
    law = Law((-1,), (0.0,), (np.array([[1, 2]]),))
    with pytest.raises(InputError, match="a payload is words"):
        law.decode(b"123", 1)
