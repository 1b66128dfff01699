"""Streams and files of a universal autoencoder: what comes back, how long, what is refused."""

import io
import json
import struct
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from jaxrd.coding import framing
from jaxrd.errors import InputError, ModelError, StreamError
from jaxrd.neural import Levels, UniversalAutoencoder, Words, convolutional, dense, image_stream
from jaxrd.neural.universal import stored as module
from jaxrd.neural.universal import stream
from jaxrd.neural.universal.begin import begin
from jaxrd.neural.universal.model import Search
from jaxrd.neural.universal.stored import read, to_bytes, with_law

SHAPE = (8, 8)
COUNT = 300


def images(seed=0, count=COUNT):
    """Bright bars of some places and widths, with noise."""
    g = np.random.default_rng(seed)
    x = 0.3 * g.random((count, *SHAPE))
    for i, (row, width) in enumerate(zip(g.integers(0, 6, count), g.integers(1, 3, count), strict=True)):
        x[i, row : row + width] += 0.6
    return x.astype(np.float32)


def model(code, pair=dense, decoders=("mse",), seed=0, noise=None, search=None, **sizes):
    rngs = nnx.Rngs(seed)
    encoder, _ = pair(SHAPE, code.width, rngs=rngs, **sizes)
    noise = noise or {}
    made = {name: pair(SHAPE, code.width, noise.get(name, 0), rngs=rngs, **sizes)[1] for name in decoders}
    found = UniversalAutoencoder(SHAPE, encoder, code, made, noise=noise)
    begin(found, images(), jax.random.key(seed))
    found.search_through(search)
    return with_law(found, images())


CODES = {
    "words": lambda: Words(4, 8, 6, rngs=nnx.Rngs(1)),
    "beam": lambda: Words(4, 8, 6, beam=4, rngs=nnx.Rngs(1)),
    "searched": lambda: Words(4, 8, 6, rngs=nnx.Rngs(1)),
    "levels": lambda: Levels(10, 4),
    "dithered": lambda: Levels(5, 3, dither=1.0),
}


@pytest.fixture(scope="module")
def kept():
    with jax.enable_x64(False):
        return {
            "words": model(CODES["words"](), hidden=(12, 7)),
            "beam": model(CODES["beam"](), convolutional, channels=4),
            "searched": model(CODES["searched"](), hidden=(12, 7), search=Search("mse", 5)),
            "levels": model(CODES["levels"](), hidden=(9,), decoders=("a", "b"), noise={"b": 3}),
            "dithered": model(CODES["dithered"](), hidden=(9,)),
        }


@pytest.mark.parametrize("kind", CODES)
def test_a_file_gives_the_same_model_and_streams_come_back(kept, tmp_path, kind):
    first = kept[kind]
    (tmp_path / "m.npz").write_bytes(to_bytes(first))
    second = read(tmp_path / "m.npz")
    assert second.digest() == first.digest()
    sent = stream.quantise(first, images(1), seed=7)
    packed = stream.pack(first, sent, seed=7)
    assert packed == stream.pack(second, stream.quantise(second, images(1), seed=7), seed=7)
    symbols, seed = stream.unpack(second, packed)
    assert seed == 7
    np.testing.assert_array_equal(symbols, sent)
    name = "b" if kind == "levels" else None
    found = stream.reproduce(second, symbols, seed=seed, name=name)
    assert (found.dtype, found.shape) == (np.uint8, (COUNT, *SHAPE))
    np.testing.assert_array_equal(found, stream.reproduce(first, sent, seed=7, name=name))
    other = stream.reproduce(first, sent, seed=8, name=name)
    assert (found != other).any() == (kind in ("dithered", "levels"))  # the seed of a dither, or of noise
    if kind == "dithered":
        assert (stream.quantise(first, images(1), seed=8) != sent).any()


def test_a_search_is_kept_in_the_file_and_finds_better_symbols(kept, tmp_path):
    (tmp_path / "m.npz").write_bytes(to_bytes(kept["searched"]))
    found = read(tmp_path / "m.npz")
    assert found.model.search == Search("mse", 5)
    made = {
        name: stream.reproduce(one, stream.quantise(one, images(1))) / 255
        for name, one in {"searched": found, "nearest": kept["words"]}.items()
    }
    errors = {name: ((x - images(1)) ** 2).mean() for name, x in made.items()}
    assert errors["searched"] < errors["nearest"]


@pytest.mark.parametrize("kind", CODES)
def test_the_length_is_the_ideal_one(kept, kind):
    symbols = stream.quantise(kept[kind], images(2, 2000))
    ideal = kept[kind].law.bits(symbols).mean()
    assert ideal <= image_stream.coded_bits(stream.pack(kept[kind], symbols)) + 1e-3 <= ideal * 1.002 + 64 / 2000
    assert ideal < kept[kind].model.bits  # the law knows more than the number of messages
    assert ideal > 2


def test_an_added_decoder_reads_old_streams(kept, tmp_path):
    old = kept["words"]
    packed = stream.pack(old, stream.quantise(old, images(1)))
    grown = nnx.clone(old.model)
    rngs = nnx.Rngs(5)
    full = UniversalAutoencoder(
        SHAPE, grown.encoder.network, grown.code, {n: dense(SHAPE, 6, hidden=(5,), rngs=rngs)[1] for n in ("x", "y")}
    )
    full.encoder = grown.encoder
    new = module.Stored(full, old.law)
    assert new.digest() == old.digest()
    (tmp_path / "m.npz").write_bytes(to_bytes(new))
    symbols, _ = stream.unpack(read(tmp_path / "m.npz"), packed)
    np.testing.assert_array_equal(symbols, stream.quantise(old, images(1)))
    with pytest.raises(InputError, match="several decoders: pass name; there are: x, y"):
        stream.reproduce(new, symbols)


def test_streams_that_are_refused(kept):
    own, other = kept["words"], kept["levels"]
    packed = stream.pack(own, stream.quantise(own, images(1)))
    for damaged, message in (
        (packed[:-1], "the stream is damaged: its"),
        (packed[:60] + bytes([packed[60] ^ 1]) + packed[61:], "the stream is damaged"),
        (b"JRDC1\n" + packed[6:], "no stream of this model's kind: it begins with 4a524443310a"),
        (b"", "no stream of this model's kind"),
        (framing.pack(packed[:20], b""), "the stream is damaged"),
        (framing.pack(packed[:18] + b"\xff\xff\xff\xff" + packed[22:26], packed[26:-32]), "contradicts its length"),
        (framing.pack(packed[:26], packed[26:-36]), "contradicts its length"),
        # A million images in as many words as three hundred take: they were all decoded.
        (
            framing.pack(packed[:18] + struct.pack("<I", 10**6) + packed[22:26], packed[26:-32]),
            "contradicts its length",
        ),
    ):
        with pytest.raises(StreamError, match=message):
            stream.unpack(own, damaged)
    with pytest.raises(StreamError, match=f"made with model {own.digest().hex()}, not {other.digest().hex()}"):
        stream.unpack(other, packed)
    with pytest.raises(InputError, match=r"images must have shape \(count, 8, 8\); got \(2, 8, 9\)"):
        stream.quantise(own, np.zeros((2, 8, 9)))
    assert len(stream.unpack(own, stream.pack(own, stream.quantise(own, images()[:0])))[0]) == 0


def test_files_that_are_refused(kept, tmp_path):
    content = to_bytes(kept["words"])
    path = tmp_path / "m.npz"
    with np.load(io.BytesIO(content)) as archive:
        held = dict(archive)
    settings = json.loads(str(held["settings"]))

    def saying(**change):
        return {"settings": np.array(json.dumps(settings | change))}

    code = settings["code"]
    for change, message in (
        ({"schema": np.array("other")}, "its schema is 'other'"),
        ({"digest": np.array("00")}, "is damaged: its parameters have digest"),
        ({"model.code.words": held["model.code.words"] + 1}, "is damaged: its parameters have digest"),
        ({"model.code.words": held["model.code.words"][:1]}, "holds no universal autoencoder: cannot reshape"),
        ({"law.parents": np.array([-1, 1, 0, 0])}, "place 1 cannot be given place 1"),
        ({"law.parents": np.array([-1])}, "a law of 1 places and 4 strengths"),
        ({"law.counts.0": -held["law.counts.0"]}, "the counts of place 0 are none"),
        ({"law.counts.0": held["law.counts.0"][:, :5]}, "cannot have a law of sizes|have shape"),
        ({"law.strengths": np.full(4, np.nan)}, "its strength is nan"),
        (saying(code=code | {"stages": 10**9}), "1000000000 places of 8 symbols cannot have a law"),
        (saying(code=code | {"width": 10**6}), "holds no universal autoencoder"),
        (saying(shape=[10**5, 10**5]), "holds no universal autoencoder"),
        (saying(decoders={}), "needs a decoder"),
        (saying(encoder={"kind": "dense"}), "'hidden'"),
    ):
        np.savez(path, **held | change)
        with pytest.raises(ModelError, match=message):
            read(path)
    path.write_bytes(content[:-40])
    with pytest.raises(ModelError, match=r"m.npz holds no universal autoencoder"):
        read(path)


def test_networks_of_ones_own_have_no_file(kept):
    class Mine(nnx.Module):
        pass

    own = nnx.clone(kept["words"].model)
    own.encoder.network = Mine()
    with pytest.raises(InputError, match=r"networks of jaxrd.neural.dense and convolutional; got Mine"):
        to_bytes(module.Stored(own, kept["words"].law))


def test_the_committed_files_of_mnist():
    found = json.loads((Path(__file__).parents[2] / "benchmarks" / "results" / "streams.json").read_text())
    assert [row["bits"] for row in found["rows"]] == [32, 64]
    for row in found["rows"]:
        assert row["images"] == 10_000
        assert row["symbols_bit_exact"]
        assert row["pixels_as_foreseen"]
        assert 1 <= row["file_over_ideal"] < 1.03
        assert row["file_bits_per_image"] < row["bits"]
