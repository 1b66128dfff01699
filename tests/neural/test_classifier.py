"""Classifiers of any images: what they learn, what their files hold, what is refused."""

import jax
import numpy as np
import pytest
from flax import nnx

from jaxrd.errors import InputError, ModelError
from jaxrd.neural import classifier_file
from jaxrd.neural.classifier import LeNet, flatten, load, logits
from jaxrd.neural.classifier_fit import fit_classifier, measured

SMALL = (4, 6, 16)


def bars(shape, count=256, classes=3, seed=0):
    """Images whose class is the place of a bright bar; a channel of noise beside it where there are several."""
    g = np.random.default_rng(seed)
    labels = g.integers(0, classes, count)
    images = 0.2 * g.random((count, *shape))
    side = shape[0] // classes
    for i, s in enumerate(labels):
        images[i, s * side : (s + 1) * side] += 0.8 * (g.random((side, *shape[1:])) < 0.9)
    return np.clip(images, 0, 1).astype(np.float32), labels


@pytest.fixture(scope="module")
def learnt():
    with jax.enable_x64(False):
        return fit_classifier(*bars((12, 12), 512), epochs=15, shift=0, widths=SMALL)


def test_it_learns_small_images(learnt):
    assert (learnt.shape, learnt.classes) == ((12, 12, 1), 3)
    found = measured(learnt, *bars((12, 12), seed=1))
    assert found["accuracy"] > 0.95
    assert found["ce_nats"] < 0.2


def test_the_same_seed_gives_the_same_classifier(learnt):
    with jax.enable_x64(False):
        same, other = (
            fit_classifier(*bars((12, 12), 512), epochs=15, shift=0, widths=SMALL, seed=seed) for seed in (0, 1)
        )
    assert classifier_file.digest(same) == classifier_file.digest(learnt) != classifier_file.digest(other)


def test_fewer_images_than_a_batch_are_one_batch():
    with jax.enable_x64(False):
        few = fit_classifier(*bars((12, 12), 20), epochs=60, shift=0, widths=SMALL)
    assert measured(few, *bars((12, 12), 20))["accuracy"] == 1


def test_the_shift_is_used(learnt):
    with jax.enable_x64(False):
        moved = fit_classifier(*bars((12, 12), 512), epochs=15, shift=2, widths=SMALL)
    assert classifier_file.digest(moved) != classifier_file.digest(learnt)


@pytest.mark.parametrize(("shape", "classes"), [((32, 32, 3), 100), ((17, 20, 1), 2), ((8, 8, 1), 10)])
def test_any_shape_and_number_of_classes(shape, classes):
    model = LeNet(shape, classes, widths=SMALL, rngs=nnx.Rngs(0))
    images = np.random.default_rng(0).random((5, *shape), np.float32)
    found = logits(model, images, batch=2)
    assert found.shape == (5, classes)
    np.testing.assert_allclose(model(images.reshape(5, -1)), found, rtol=1e-4, atol=1e-5)
    assert (np.abs(logits(model, images[:, ::-1]) - found) > 1e-4).any()


def test_ce_of_shoes_by_the_digits_classifier_means_nothing_and_by_their_own_it_does(learnt):
    """What `--classifier` is for: labels of other images under the classifier of digits are worse than a guess."""
    images, labels = bars((28, 28), 100, seed=2)
    assert measured(load(), images, labels)["ce_nats"] > np.log(10)


class TestFiles:
    def test_it_comes_back(self, learnt, tmp_path):
        (tmp_path / "c.npz").write_bytes(classifier_file.to_bytes(learnt))
        found = classifier_file.read(tmp_path / "c.npz")
        assert classifier_file.digest(found) == classifier_file.digest(learnt)
        images, _ = bars((12, 12), 9)
        np.testing.assert_array_equal(logits(found, images), logits(learnt, images))

    def test_damage_is_refused(self, learnt, tmp_path):
        path = tmp_path / "c.npz"
        content = classifier_file.to_bytes(learnt)
        path.write_bytes(content[:-10])
        with pytest.raises(ModelError, match=r"c.npz holds no classifier"):
            classifier_file.read(path)
        (tmp_path / "x.npz").write_bytes(content)
        with np.load(tmp_path / "x.npz") as archive:
            held = dict(archive)
        for name, value, message in (
            ("head.bias", held["head.bias"] + 1, "is damaged: its parameters have digest"),
            ("head.bias", held["head.bias"][:2], "holds no classifier: cannot reshape"),
            ("schema", np.array("other/1"), "its schema is 'other/1', not 'jaxrd.classifier/1'"),
            ("sizes", np.array("{}"), "holds no classifier: 'shape'"),
            ("sizes", np.array(str(held["sizes"]).replace("12, 12", "12, -12")), "sizes must be whole and positive"),
            ("sizes", np.array(str(held["sizes"]).replace("12, 12", "99999, 99999")), "holds no classifier"),
        ):
            np.savez(path, **held | {name: value})
            with pytest.raises(ModelError, match=message):
                classifier_file.read(path)
        np.savez(path, **flatten(learnt))
        with pytest.raises(ModelError, match=r"holds no classifier: 'schema"):
            classifier_file.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: ((255 * x).astype(np.uint8), y), r"floats in \[0, 1\]; got uint8"),
        (lambda x, y: (255 * x, y), r"pixels in \[0, 1\]; got 254.978. Divide by 255\?"),
        (lambda x, y: (x - np.nan, y), r"pixels in \[0, 1\]; got nan"),
        (lambda x, y: (x.reshape(len(x), -1), y), r"shape \(count, height, width\[, channels\]\); got \(256, 144\)"),
        (lambda x, y: (x[:0], y[:0]), r"images must have shape .* got \(0, 12, 12, 1\)"),
        (lambda x, y: (x, y[:-1]), "images and labels must be as many; got 256 and 255"),
        (lambda x, y: (x, y + 0.5), "labels must be whole numbers; got float64"),
        (lambda x, y: (x, y - 1), r"labels of 2 classes must lie in 0..1; got -1"),
    ],
)
def test_what_is_refused(change, message):
    images, labels = bars((12, 12))
    with pytest.raises(InputError, match=message):
        fit_classifier(*change(images, labels), epochs=1)


def test_settings_that_are_refused(learnt):
    images, labels = bars((12, 12))
    for options, message in (
        ({"classes": 2}, r"labels of 2 classes must lie in 0..1; got 2"),
        ({"epochs": 0}, "epochs must be >= 1"),
        ({"shift": -1}, "shift >= 0"),
    ):
        with pytest.raises(InputError, match=message):
            fit_classifier(images, labels, **options)
    with pytest.raises(InputError, match=r"shape \(count, 12, 12, 1\) or \(count, 12, 12\); got \(256, 13, 12\)"):
        logits(learnt, np.zeros((256, 13, 12)))
    with pytest.raises(InputError, match=r"Pass images.reshape\(len\(images\), 28, 28, 1\)"):
        logits(load(), np.zeros((3, 784)))
