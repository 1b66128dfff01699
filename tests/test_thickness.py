"""The second label of MNIST's images: stroke thickness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrd import datasets


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_of_a_bar(width):
    """2 w l / (2 l + 2 w); the gradient of a corner, one pixel of each, is sqrt 2 for 2 at one of the four."""
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 4:24, 10 : 10 + width] = 200
    perimeter = 2 * (20 + width) - 2 + np.sqrt(2)
    assert datasets.stroke_thickness(bar)[0] == pytest.approx(2 * 20 * width / perimeter)


@given(st.integers(2, 7), st.integers(0, 9), st.floats(0.1, 255), st.integers(0, 2**32 - 1))
def test_brightness_place_and_blur_change_nothing(width, place, scale, seed):
    stroke = np.zeros((1, 40, 40))
    stroke[0, 6:34, place + 12 : place + 12 + width] = 1
    before = datasets.stroke_thickness(stroke)[0]
    moved = np.roll(scale * stroke, -place, 2)
    assert datasets.stroke_thickness(moved)[0] == pytest.approx(before)
    weights = np.random.default_rng(seed).dirichlet(np.ones(2))  # a narrower blur along x than the stroke
    blurred = weights[0] * stroke + weights[1] * np.roll(stroke, 1, 2)
    assert datasets.stroke_thickness(blurred)[0] == pytest.approx(before, rel=0.02)


def test_an_empty_image_has_none():
    assert datasets.stroke_thickness(np.zeros((2, 28, 28), np.uint8)).tolist() == [0, 0]
    assert datasets.thickness_classes(np.zeros((2, 28, 28))).dtype == np.int32


def test_terciles_are_those_of_the_training_images(data):
    train, test = datasets.mnist(data)
    found = np.quantile(datasets.stroke_thickness(train.images), [1 / 3, 2 / 3])
    np.testing.assert_allclose(found, datasets.THICKNESS_TERCILES, atol=1e-4)
    shares = np.bincount(datasets.thickness_classes(test.images)) / len(test.labels)
    np.testing.assert_allclose(shares, [0.303, 0.341, 0.357], atol=1e-3)
