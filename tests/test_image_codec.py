"""Streams of a trained code: what comes back, how long they are, and which are refused."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_neural import CODE, batch

from jaxrd.neural import codec
from jaxrd.neural.evaluate import transmit
from jaxrd.neural.train import Code, initial

COUNT = 64


def model(code=CODE, seed=0):
    parameters = initial(code, seed).parameters
    # Sharper than a fresh encoder, so that many messages occur.
    parameters["encoder"]["head"]["kernel"] = 200 * parameters["encoder"]["head"]["kernel"]
    return codec.Model(code, parameters, np.arange(27))


@pytest.fixture(scope="module")
def sent():
    images = np.asarray(batch(n=COUNT)[0])
    return images, codec.compress(model(), images)


def test_what_was_sent_comes_back(sent):
    images, stream = sent
    messages, reproductions = transmit(CODE, model().parameters, jax.random.key(0), images)
    assert len(np.unique(messages)) > 3
    found = codec.decompress(model(), stream)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found.reshape(COUNT, 784), np.round(255 * np.asarray(reproductions)))


def test_with_dither_the_decoder_takes_it_back():
    dithered = model(Code(dither=1.0))
    images = np.tile(np.asarray(batch(n=1)[0]), (COUNT, 1))
    streams = [codec.compress(dithered, images, seed=seed) for seed in (1, 1, 2)]
    assert streams[0] == streams[1] != streams[2]
    found = codec.decompress(dithered, streams[0])
    np.testing.assert_array_equal(found, codec.decompress(dithered, streams[1]))
    assert len(np.unique(found.reshape(COUNT, -1), axis=0)) > COUNT // 2


def test_the_length_is_the_cross_entropy_of_the_frequencies(sent):
    images, stream = sent
    messages, _ = transmit(CODE, model().parameters, jax.random.key(0), images)
    shares = (np.arange(27) + 0.5) / (np.arange(27) + 0.5).sum()
    ideal = -np.log2(shares[np.asarray(messages)]).mean()
    # Whole words of 32 bits, two at most beyond the ideal.
    assert ideal - 1e-3 <= codec.coded_bits(stream) <= ideal + 64 / COUNT
    assert len(stream) == 26 + 32 + codec.coded_bits(stream) * COUNT / 8


def test_frequencies_of_a_training_sample(sent):
    images, _ = sent
    messages, _ = transmit(CODE, model().parameters, jax.random.key(0), images)
    found = codec.fitted(CODE, model().parameters, images, batch=40)
    np.testing.assert_array_equal(found.frequencies, np.bincount(messages, minlength=27))


@given(data=st.data())
@settings(max_examples=40)
def test_damage_is_refused(sent, data):
    stream = bytearray(sent[1])
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(codec.StreamError):
        codec.decompress(model(), bytes(stream))


@pytest.mark.parametrize("length", [0, 5, 6, 40, -1])
def test_cut_short_is_refused(sent, length):
    with pytest.raises(codec.StreamError, match=r"no stream|is damaged"):
        codec.decompress(model(), sent[1][:length])


def test_another_model_is_refused(sent):
    with pytest.raises(codec.StreamError, match="decode with the one that made it"):
        codec.decompress(model(seed=1), sent[1])
    other = model()._replace(code=dataclasses.replace(CODE, sharpness=5.0))
    with pytest.raises(codec.StreamError, match="decode with the one that made it"):
        codec.decompress(other, sent[1])


def test_no_images():
    stream = codec.compress(model(), np.zeros((0, 784)))
    assert codec.decompress(model(), stream).shape == (0, 28, 28)
