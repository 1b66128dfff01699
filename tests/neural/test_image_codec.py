"""Streams of a trained code: what comes back, how long they are, and which are refused."""

import dataclasses
import hashlib

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import CODE, COUNT, batch, model

from jaxrd.errors import InputError, StreamError
from jaxrd.neural import codec, image_stream
from jaxrd.neural.evaluate import transmit
from jaxrd.neural.quantizer import codes
from jaxrd.neural.train import Code, decode

# Header and words of the messages 26, 25, ..., 0 under frequencies 0, 1, ..., 26.
STREAM = "4a524443310a2c05ba335a9f3611090000001b0000000500000028eb70fef5ed4476cadd488e9739b8f636d3ad1a"


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
    # The seed travels in the stream: that the messages differ too shows that it is used.
    first, second = (codec.quantise(dithered, images, seed=seed) for seed in (1, 2))
    assert (first != second).any()
    np.testing.assert_array_equal(codec.unpack(dithered, streams[0])[0], first)
    assert (codec.reproduce(dithered, first, seed=1) != codec.reproduce(dithered, first, seed=2)).any()
    u = codec._dithers(dithered.code, 1, COUNT)
    made = decode(dithered.code, dithered.parameters, codes(3, 3)[first] - u)
    off = codec.reproduce(dithered, first, seed=1).reshape(COUNT, -1) - np.round(255 * np.clip(made, 0, 1))
    assert np.abs(off).max() <= 1  # of 255: sums of another order
    found = codec.decompress(dithered, streams[0])
    np.testing.assert_array_equal(found, codec.decompress(dithered, streams[1]))
    assert len(np.unique(found.reshape(COUNT, -1), axis=0)) > COUNT // 2


def test_the_length_is_the_cross_entropy_of_the_frequencies(sent):
    images, stream = sent
    messages, _ = transmit(CODE, model().parameters, jax.random.key(0), images)
    shares = (np.arange(27) + 0.5) / (np.arange(27) + 0.5).sum()
    ideal = -np.log2(shares[np.asarray(messages)]).mean()
    # Whole words of 32 bits, two at most beyond the ideal.
    assert ideal - 1e-3 <= image_stream.coded_bits(stream) <= ideal + 64 / COUNT
    assert len(stream) == 26 + 32 + image_stream.coded_bits(stream) * COUNT / 8


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
    with pytest.raises(StreamError):
        codec.decompress(model(), bytes(stream))


@pytest.mark.parametrize("length", [0, 5, 6, 40, -1])
def test_cut_short_is_refused(sent, length):
    with pytest.raises(StreamError, match=r"no stream|is damaged"):
        codec.decompress(model(), sent[1][:length])


def test_another_model_is_refused(sent):
    with pytest.raises(StreamError, match="decode with the one that made it"):
        codec.decompress(model(seed=1), sent[1])
    other = model()._replace(code=dataclasses.replace(CODE, sharpness=5.0))
    with pytest.raises(StreamError, match="decode with the one that made it"):
        codec.decompress(other, sent[1])


def test_both_sides_may_compute_in_either_precision():
    dithered = model(Code(dither=1.0))
    images = np.asarray(batch(n=COUNT)[0])
    wide = codec.compress(dithered, images, seed=5)
    with jax.enable_x64(False):
        assert codec.compress(dithered, images, seed=5) == wide
        narrow = codec.decompress(dithered, wide)
    np.testing.assert_array_equal(codec.decompress(dithered, wide), narrow)


def test_batches_do_not_show(monkeypatch, sent):
    images, stream = sent
    whole = codec.decompress(model(), stream)
    monkeypatch.setattr(codec, "BATCH", 24)
    seen = []
    assert codec.pack(model(), codec.quantise(model(), images, progress=lambda *done: seen.append(done))) == stream
    assert seen == [(24, 64), (48, 64), (64, 64)]
    found = codec.decompress(model(), stream)
    assert np.abs(found.astype(int) - whole).max() <= 1  # sums of another shape may round otherwise
    assert (found != whole).mean() < 1e-3


def test_old_streams_stay_readable():
    # A change of these values is a new format: it needs a new MAGIC.
    bare = codec.Model(CODE, {"encoder": {}, "decoder": {}}, np.arange(27))
    stream = codec.pack(bare, np.arange(27)[::-1], seed=9)
    assert stream[:-32].hex() == STREAM
    messages, seed = codec.unpack(bare, stream)
    np.testing.assert_array_equal(messages, np.arange(27)[::-1])
    assert seed == 9
    expected = [[-0.12283188104629517, -0.4659491181373596, 0.4088544249534607]]
    expected += [[0.15175479650497437, 0.32163506746292114, 0.22198957204818726]]
    np.testing.assert_array_equal(codec._dithers(Code(dither=1.0), 9, 2), np.asarray(expected, np.float32))


def test_dither_is_uniform_over_a_cell():
    u = codec._dithers(Code(dither=1.0), 0, 20000)
    assert u.min() >= -0.5
    assert u.max() < 0.5
    np.testing.assert_allclose(
        np.quantile(u, np.linspace(0, 1, 11), axis=0).T, [np.linspace(-0.5, 0.5, 11)] * 3, atol=0.012
    )


@pytest.mark.parametrize(("count", "words"), [(900, bytes(range(200, 236))), (3, b"\xff" * 8)])
def test_a_checksum_does_not_make_a_stream(count, words):
    head = image_stream._HEADER.pack(codec.MAGIC, model().digest(), 0, count, len(words) // 4 + (count == 3))
    body = head + words
    with pytest.raises(StreamError, match="though its checksum matches"):
        codec.unpack(model(), body + hashlib.sha256(body).digest())


def test_no_images():
    stream = codec.compress(model(), np.zeros((0, 784)))
    assert codec.decompress(model(), stream).shape == (0, 28, 28)


def test_more_images_than_a_stream_holds_are_refused():
    with pytest.raises(InputError, match=r"at most 1048576 images; got 1048577. Encode them in parts"):
        image_stream.pack(codec.MAGIC, bytes(8), 0, (1 << 20) + 1, b"")
