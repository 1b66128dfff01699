"""`jaxrd codec`: what comes back, what is told, what is refused."""

import gzip
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import COUNT, batch, idx, model

from jaxrd.cli.app import run
from jaxrd.errors import ModelError
from jaxrd.neural import codec, model_file
from jaxrd.neural.train import Code

PIXELS = np.round(255 * np.asarray(batch(n=COUNT)[0])).astype(np.uint8).reshape(COUNT, 28, 28)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder with a model, images and their stream."""
    folder = tmp_path_factory.mktemp("codec")
    (folder / "model.npz").write_bytes(model_file.to_bytes(model()))
    (folder / "other.npz").write_bytes(model_file.to_bytes(model(seed=1)))
    np.save(folder / "images.npy", PIXELS)
    (folder / "images.jrc").write_bytes(codec.compress(model(), PIXELS.reshape(COUNT, 784) / np.float32(255)))
    return folder


def encode(images, folder, out, *options):
    return run(["codec", "encode", str(images), "--model", str(folder / "model.npz"), "--out", str(out), *options])


def decode(stream, trained, out):
    return run(["codec", "decode", str(stream), "--model", str(trained), "--out", str(out)])


def refused(code, capsys, out):
    """The one line on stderr, with nothing written."""
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("jaxrd: ")
    assert error.count("\n") == 1
    assert not out.parent.exists() or not list(out.parent.iterdir())
    return error


def saved(folder, name):
    """The images in a file of each kind that is read."""
    path = folder / name
    if path.suffix == ".npz":
        np.savez(path, images=PIXELS, labels=np.array(["other arrays are not read"], object))
    elif path.suffix == ".npy":
        np.save(path, PIXELS if "uint8" in name else PIXELS / np.float64(255))
    else:
        path.write_bytes(gzip.compress(idx(PIXELS)) if path.suffix == ".gz" else idx(PIXELS))
    return path


class TestRoundTrip:
    @pytest.mark.parametrize("name", ["x.npz", "uint8.npy", "float.npy", "t10k-images-idx3-ubyte", "x-ubyte.gz"])
    def test_every_kind_of_file_makes_the_same_stream(self, shared, tmp_path, name):
        assert encode(saved(tmp_path, name), shared, tmp_path / "o" / "x.jrc") == 0
        assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["x.jrc", "x.json"]
        assert (tmp_path / "o" / "x.jrc").read_bytes() == (shared / "images.jrc").read_bytes()

    def test_what_comes_back_is_the_models_own_reproduction(self, shared, tmp_path, capsys):
        stream = shared / "images.jrc"
        assert decode(stream, shared / "model.npz", tmp_path / "o" / "back.npy") == 0
        assert [p.name for p in (tmp_path / "o").iterdir()] == ["back.npy"]
        found = np.load(tmp_path / "o" / "back.npy")
        np.testing.assert_array_equal(found, codec.decompress(model(), stream.read_bytes()))
        assert hashlib.sha256(found.tobytes()).hexdigest() in capsys.readouterr().out

    def test_with_dither_under_another_seed(self, tmp_path):
        dithered = model(Code(dither=1.0))
        (tmp_path / "model.npz").write_bytes(model_file.to_bytes(dithered))
        np.save(tmp_path / "x.npy", PIXELS)
        assert encode(tmp_path / "x.npy", tmp_path, tmp_path / "x.jrc", "--seed", "4294967295") == 0
        assert decode(tmp_path / "x.jrc", tmp_path / "model.npz", tmp_path / "back.npy") == 0
        found = json.loads((tmp_path / "x.json").read_text())
        assert (found["seed"], found["dither"]) == (4294967295, 1.0)
        messages, seed = codec.unpack(dithered, (tmp_path / "x.jrc").read_bytes())
        assert seed == 4294967295
        sent = PIXELS.reshape(COUNT, 784) / np.float32(255)
        np.testing.assert_array_equal(messages, codec.quantise(dithered, sent, seed=seed))
        assert (messages != codec.quantise(dithered, sent, seed=0)).any()
        back = np.load(tmp_path / "back.npy")
        assert found["sha256"] == hashlib.sha256(back.tobytes()).hexdigest()

    def test_what_is_told(self, shared, tmp_path, capsys):
        assert encode(shared / "images.npy", shared, tmp_path / "x.jrc") == 0
        found = json.loads((tmp_path / "x.json").read_text())
        stream = (tmp_path / "x.jrc").read_bytes()
        assert found["schema"] == "jaxrd.codec-encode/1"
        assert found["images"] == COUNT
        assert found["model"] == model().digest().hex()
        assert found["header_bytes"] + found["payload_bytes"] == len(stream)
        assert found["payload_bits_per_image"] == 8 * found["payload_bytes"] / COUNT
        assert found["rate_bits"] == pytest.approx(3 * np.log2(3))
        messages, _ = codec.unpack(model(), stream)
        _, counts = np.unique(messages, return_counts=True)
        assert found["entropy_bits"] == pytest.approx(-(counts / COUNT * np.log2(counts / COUNT)).sum())
        back = codec.decompress(model(), stream)
        assert found["mse"] == pytest.approx(np.mean((back / 255 - PIXELS / 255) ** 2), rel=1e-5)
        assert found["meta"]["sha256"] == hashlib.sha256((shared / "images.npy").read_bytes()).hexdigest()
        printed = capsys.readouterr().out
        assert f"payload {found['payload_bits_per_image']:.4f} bits an image" in printed
        assert f"h log2 L 4.7549, entropy of the messages {found['entropy_bits']:.4f}" in printed

    def test_bits_of_a_real_model(self, tmp_path):
        """A code whose frequencies are its own costs its entropy, up to two words and the half counts."""
        images = np.tile(PIXELS, (8, 1, 1))
        fitted = codec.fitted(model().code, model().parameters, images.reshape(-1, 784) / np.float32(255))
        (tmp_path / "model.npz").write_bytes(model_file.to_bytes(fitted))
        np.save(tmp_path / "x.npy", images)
        assert encode(tmp_path / "x.npy", tmp_path, tmp_path / "x.jrc") == 0
        found = json.loads((tmp_path / "x.json").read_text())
        excess = found["payload_bits_per_image"] - found["entropy_bits"]
        assert 0 <= excess <= 64 / len(images) + 27 / 2 / np.log(2) / len(images)


class TestRefused:
    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (PIXELS.reshape(COUNT, 784), r"shape (64, 784); images have shape (count, 28, 28)"),
            (PIXELS[:0], "shape (0, 28, 28)"),
            (PIXELS.astype(int), "holds int64; pixels are uint8, or floats in [0, 1]"),
            (PIXELS.astype(float), "has a pixel of"),
            (np.full((1, 28, 28), np.nan), "has a pixel of nan"),
            (-(PIXELS / 255), "floats must lie in [0, 1]"),
            (PIXELS.astype(object), "holds a pickle"),
        ],
    )
    def test_images_that_are_none(self, shared, tmp_path, capsys, array, message):
        np.save(tmp_path / "x.npy", array)
        out = tmp_path / "o" / "x.jrc"
        assert message in refused(encode(tmp_path / "x.npy", shared, out), capsys, out)

    def test_files_that_hold_none(self, shared, tmp_path, capsys):
        np.savez(tmp_path / "x.npz", pictures=PIXELS)
        (tmp_path / "x.png").write_bytes(b"\x89PNG1234")
        (tmp_path / "x.gz").write_bytes(gzip.compress(idx(PIXELS))[:-30])
        (tmp_path / "x.npy").write_bytes((shared / "images.npy").read_bytes()[:-1])
        out = tmp_path / "o" / "x.jrc"
        for name, message in (
            ("x.npz", "has no array images or x or arr_0; it has: pictures"),
            ("x.png", "is no IDX file of unsigned bytes: it begins with 89504e47; IDX, .npy or .npz was expected"),
            ("x.gz", "cannot be unpacked, it may be truncated or damaged"),
            ("x.npy", "the array claims 50176 bytes, more than its file can hold"),
            ("none.npy", "does not exist"),
            ("none", "No such file"),
            (".", "Is a directory"),
        ):
            assert message in refused(encode(tmp_path / name, shared, out), capsys, out)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--seed", "-1"], "--seed must lie in [0, 2^32); got -1"),
            (["--seed", "4294967296"], "got 4294967296"),
            (["--seed", "7"], "--seed 7 has no effect: the code of model.npz has no dither"),
            (["--seed", "x"], "Invalid value for '--seed'"),
            (["--model", "none.npz"], "none.npz: No such file"),
            (["--out", "x.jrd"], "--out must be a name that ends in .jrc; got x.jrd"),
        ],
    )
    def test_options(self, shared, tmp_path, capsys, monkeypatch, options, message):
        monkeypatch.chdir(tmp_path)
        out = tmp_path / "o" / "x.jrc"
        assert message in refused(encode(shared / "images.npy", shared, out, *options), capsys, out)

    def test_no_model_named(self, shared, tmp_path, capsys):
        out = tmp_path / "o" / "x.jrc"
        code = run(["codec", "encode", str(shared / "images.npy"), "--out", str(out)])
        assert "Missing option '--model'" in refused(code, capsys, out)

    def test_a_damaged_stream(self, shared, tmp_path, capsys):
        stream, out = (shared / "images.jrc").read_bytes(), tmp_path / "o" / "x.npy"
        changed = stream[:40] + bytes([stream[40] ^ 1]) + stream[41:]
        for content, message in (
            (changed, "the stream is damaged"),
            (stream[:-1], "the stream is damaged"),
            (b"", "no stream of this codec"),
            (b"JRD1" + stream, "no stream of this codec: it begins with 4a524431"),
        ):
            (tmp_path / "x.jrc").write_bytes(content)
            error = refused(decode(tmp_path / "x.jrc", shared / "model.npz", out), capsys, out)
            assert f"{tmp_path / 'x.jrc'}: {message}" in error

    def test_another_model(self, shared, tmp_path, capsys):
        out = tmp_path / "o" / "x.npy"
        error = refused(decode(shared / "images.jrc", shared / "other.npz", out), capsys, out)
        assert f"made with model {model().digest().hex()}, not {model(seed=1).digest().hex()}" in error

    def test_no_model(self, shared, tmp_path, capsys):
        out = tmp_path / "o" / "x.npy"
        error = refused(decode(shared / "images.jrc", shared / "images.npy", out), capsys, out)
        assert "images.npy holds no model of a code" in error

    def test_where_to(self, shared, tmp_path, capsys):
        out = tmp_path / "o" / "x.png"
        error = refused(decode(shared / "images.jrc", shared / "model.npz", out), capsys, out)
        assert "--out must be a name that ends in .npy" in error
        (tmp_path / "x.json").mkdir()
        assert encode(shared / "images.npy", shared, tmp_path / "x.jrc") == 2
        assert "x.json: is a folder" in capsys.readouterr().err
        assert [p.name for p in tmp_path.iterdir()] == ["x.json"]

    @pytest.mark.parametrize("step", ["pack", "reproduce"])
    def test_interrupted(self, shared, tmp_path, monkeypatch, step):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(codec, step, interrupt)
        assert encode(shared / "images.npy", shared, tmp_path / "o" / "x.jrc") == 130
        assert not (tmp_path / "o").exists()

    def test_without_flax(self, shared, tmp_path, monkeypatch, capsys):
        def missing(*_):
            raise ModuleNotFoundError("no", name="flax")

        monkeypatch.setattr("builtins.__import__", _without("jaxrd.neural", missing))
        out = tmp_path / "o" / "x.jrc"
        error = refused(encode(shared / "images.npy", shared, out), capsys, out)
        assert "flax is not installed, and the networks need it: pip install flax optax orbax-checkpoint" in error


def _without(prefix, missing):
    real = __import__

    def load(name, *args, **kwargs):
        return missing() if name.startswith(prefix) else real(name, *args, **kwargs)

    return load


@given(data=st.data())
@settings(max_examples=25)
def test_a_damaged_model_is_refused_or_the_same(shared, data):
    # The end of the file is its directory, where one bit changes what kind of archive it is.
    damaged = bytearray((shared / "model.npz").read_bytes())
    damaged[-data.draw(st.integers(1, 1800))] ^= 1 << data.draw(st.integers(0, 7))
    path = shared / "damaged.npz"
    path.write_bytes(damaged)
    try:
        found = model_file.read(path)
    except ModelError:
        return
    assert found.digest() == model().digest()
