"""Halves of samples: the plain ones where they will do, by class where they would not."""

import numpy as np
import pytest

from jaxrd.tosc.split import split


def test_common_classes_take_the_halves_of_a_permutation():
    labels = np.arange(101) % 3
    order = np.random.default_rng(5).permutation(101)
    found = split(labels, 5)
    assert not found.by_class
    assert found.fit.tolist() == order[:50].tolist()
    assert found.rest.tolist() == order[50:].tolist()
    assert split(labels, 6).fit.tolist() != found.fit.tolist()


@pytest.mark.parametrize("rare", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_a_rare_class_is_in_the_half_that_counts(rare, seed):
    labels = np.array([0] * 37 + [2] * rare)
    found = split(labels, seed)
    assert sorted([*found.fit, *found.rest]) == list(range(len(labels)))
    assert len(found.rest) - len(found.fit) in (0, 1)
    assert (labels[found.rest] == 2).sum() >= 1
    if found.by_class:
        assert (labels[found.rest] == 2).sum() - (labels[found.fit] == 2).sum() in (0, 1)


def test_many_rare_classes():
    labels = np.repeat(np.arange(60), 2)
    found = split(labels, 0)
    assert found.by_class  # 15 classes of 60 would have fallen wholly into the fit
    assert np.bincount(labels[found.rest]).tolist() == [1] * 60


def test_two_samples():
    found = split(np.array([0, 1]), 0)
    assert (len(found.fit), len(found.rest)) == (1, 1)
