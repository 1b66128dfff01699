"""`jaxrd codec train` and `classifier`, then encode and decode with what they wrote."""

import gzip
import json

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from shared import idx

from jaxrd.cli.app import run
from jaxrd.neural import classifier_file
from jaxrd.neural.classifier import logits
from jaxrd.neural.universal import stored, stream

COUNT = 256


def bars(seed=0, count=COUNT, side=16):
    """Images whose label is the place of a bright bar, and a second label, its brightness."""
    g = np.random.default_rng(seed)
    rows, bright = g.integers(0, 3, count), g.integers(0, 2, count)
    images = 40 * g.random((count, side, side))
    for i, row in enumerate(rows):
        images[i, 5 * row : 5 * row + 5] += 80 + 120 * bright[i]
    return images.astype(np.uint8), rows.astype(np.uint8), bright.astype(np.uint8)


def command(*args):
    return run(["codec", *map(str, args)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images, labels, a classifier of them, and a code trained with it."""
    path = tmp_path_factory.mktemp("train")
    images, rows, bright = bars()
    (path / "x-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (path / "rows-ubyte").write_bytes(idx(rows))
    np.save(path / "bright.npy", bright)
    np.savez(path / "test.npz", images=bars(1)[0], labels=bars(1)[1])
    args = ["classifier", path / "x-ubyte.gz", "--labels", path / "rows-ubyte", "--epochs", 10, "--shift", 0]
    assert command(*args, "--test", path / "test.npz", "--test-labels", path / "test.npz", "--out", path / "c.npz") == 0
    assert train(path, path / "m.npz", "--labels", path / "rows-ubyte", "--classifier", path / "c.npz") == 0
    return path


def train(path, out, *more, bits=12, epochs=2):
    return command("train", path / "x-ubyte.gz", "--bits", bits, "--epochs", epochs, "--out", out, *more)


def refused(code, capsys, out):
    error = capsys.readouterr().err
    assert code == 2
    assert error.startswith("jaxrd: ")
    assert error.count("\n") == 1, error
    assert not out.exists()
    assert not out.with_suffix(".json").exists()
    return error


def test_the_classifier(folder):
    told = json.loads((folder / "c.json").read_text())
    assert told["schema"] == "jaxrd.codec-classifier/1"
    assert told["accuracy"] > 0.9
    assert (told["measured_on"], told["classes"], told["shape"]) == ("test.npz", 3, [16, 16, 1])
    assert told["classifier"] == classifier_file.digest(classifier_file.read(folder / "c.npz"))


def test_what_training_tells(folder):
    told = json.loads((folder / "m.json").read_text())
    assert told["schema"] == "jaxrd.codec-train/1"
    assert (told["sizes"], told["rate_bits"], told["shape"]) == ([64, 64], 12.0, [16, 16])
    assert told["classifiers"] == [json.loads((folder / "c.json").read_text())["classifier"]]
    assert told["cross_entropy_weights"] == [0.01]
    assert 0 < told["ideal_bits_per_image"] < 12
    assert len(told["history"]) == 2
    assert told["mse"] < 0.01


def test_the_round_trip(folder, tmp_path, capsys):
    """Bit for bit; file bits within 3 % of the ideal ones."""
    big = tmp_path / "big.npy"
    np.save(big, bars(2, 1500)[0])
    assert command("encode", big, "--model", folder / "m.npz", "--out", tmp_path / "x.jrc") == 0
    assert command("decode", tmp_path / "x.jrc", "--model", folder / "m.npz", "--out", tmp_path / "y.npy") == 0
    told, kept = json.loads((tmp_path / "x.json").read_text()), stored.read(folder / "m.npz")
    packed = (tmp_path / "x.jrc").read_bytes()
    sent = stream.quantise(kept, bars(2, 1500)[0] / np.float32(255))
    np.testing.assert_array_equal(stream.unpack(kept, packed)[0], sent)
    found = np.load(tmp_path / "y.npy")
    assert (found.shape, found.dtype) == ((1500, 16, 16), np.uint8)
    np.testing.assert_array_equal(found, stream.reproduce(kept, sent))
    assert told["mse"] == pytest.approx(np.mean((found / 255 - bars(2, 1500)[0] / 255) ** 2), rel=1e-4)
    assert told["ideal_bits_per_image"] == pytest.approx(kept.law.bits(sent).mean())
    assert 8 * len(packed) / 1500 < 1.05 * told["ideal_bits_per_image"]  # 58 bytes of header are .31 bits of each
    assert told["payload_bits_per_image"] < 1.01 * told["ideal_bits_per_image"]
    assert (told["entropy_bits"], told["sizes"], told["decoder"]) == (None, [64, 64], "conventional")
    assert "2 symbols of 64 each" in capsys.readouterr().out


def test_an_encoder_that_keeps_what_a_classifier_sees(folder, tmp_path, capsys):
    """It costs some MSE; a decoder needs no classifier."""
    np.save(tmp_path / "x.npy", bars(3)[0])
    args = ["encode", tmp_path / "x.npy", "--model", folder / "m.npz"]
    judged = ["--classifier", folder / "c.npz", "--cross-entropy"]
    told = {}
    for name, more in {"plain": [], "light": [*judged, 1e-9], "heavy": [*judged, 1.0]}.items():
        out = tmp_path / f"{name}.jrc"
        assert command(*args, *more, "--out", out) == 0
        told[name] = json.loads(out.with_suffix(".json").read_text())
        assert command("decode", out, "--model", folder / "m.npz", "--out", tmp_path / f"{name}.npy") == 0
    assert (told["plain"]["classifiers"], told["plain"]["agreement"]) == ([], [])
    assert told["heavy"]["classifiers"] == [json.loads((folder / "c.json").read_text())["classifier"]]
    assert told["heavy"]["cross_entropy_weights"] == [1.0]
    assert told["light"]["sha256"] == told["plain"]["sha256"]
    assert told["heavy"]["mse"] > told["plain"]["mse"]
    see = classifier_file.read(folder / "c.npz")
    belief = softmax(logits(see, bars(3)[0] / np.float32(255)), 1)
    disagreement = {}
    for name in ("light", "heavy"):
        scores = logits(see, np.load(tmp_path / f"{name}.npy") / np.float32(255))
        disagreement[name] = -(belief * log_softmax(scores, 1)).sum(1).mean()
        assert told[name]["agreement"] == [(scores.argmax(1) == belief.argmax(1)).mean()]
    assert disagreement["heavy"] < disagreement["light"]
    assert f"classifier 1 decides alike on {told['heavy']['agreement'][0]:.2%}" in capsys.readouterr().out


@pytest.mark.slow
def test_every_option_counts(folder, tmp_path):
    digests = {}
    for name, more in {
        "plain": [],
        "seed": ["--seed", 1],
        "labels": ["--labels", folder / "rows-ubyte", "--classifier", folder / "c.npz"],
        "heavier": ["--labels", folder / "rows-ubyte", "--classifier", folder / "c.npz", "--cross-entropy", 0.5],
        "convolutional": ["--convolutional"],
    }.items():
        assert train(folder, tmp_path / f"{name}.npz", *more, epochs=1) == 0
        digests[name] = stored.read(tmp_path / f"{name}.npz").digest()
    assert len(set(digests.values())) == len(digests)


def test_another_decoder_reads_what_was_sent_before(folder, tmp_path, capsys):
    args = ["encode", folder / "x-ubyte.gz", "--model", folder / "m.npz", "--out", tmp_path / "x.jrc"]
    assert command(*args) == 0
    more = ["decoder", folder / "x-ubyte.gz", "--model", folder / "m.npz", "--epochs", 1, "--out", tmp_path / "n.npz"]
    assert command(*more, "--name", "sharp", "--resume", tmp_path / "run") == 0
    told = json.loads((tmp_path / "n.json").read_text())
    assert (told["decoder"], told["decoders"]) == ("sharp", ["conventional", "sharp"])
    assert told["model"] == json.loads((folder / "m.json").read_text())["model"]
    decode = ["decode", tmp_path / "x.jrc", "--model", tmp_path / "n.npz"]
    made = {}
    for name in ("conventional", "sharp"):
        assert command(*decode, "--decoder", name, "--out", tmp_path / f"{name}.npy") == 0
        made[name] = np.load(tmp_path / f"{name}.npy")
    assert (made["conventional"] != made["sharp"]).any()
    assert np.mean((made["sharp"] / 255 - bars()[0] / 255) ** 2) == pytest.approx(told["mse"], rel=0.01)
    capsys.readouterr()
    assert command(*decode, "--out", tmp_path / "y.npy") == 2
    assert "there are: conventional, sharp. Choose by --decoder." in capsys.readouterr().err
    assert command(*more, "--name", "conventional") == 2
    assert "m.npz has a decoder 'conventional' already" in capsys.readouterr().err
    labelled = [*more[:-1], tmp_path / "o.npz", "--name", "seen", "--labels", folder / "rows-ubyte"]
    assert command(*labelled, "--classifier", folder / "c.npz", "--cross-entropy", 1) == 0
    assert json.loads((tmp_path / "o.json").read_text())["history"][0]["cross_entropy"][0] > 0


def test_a_dozen_images(tmp_path):
    """Fewer than a batch, and of colours: they are one batch."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((12, 6, 5, 3)))
    args = ["train", tmp_path / "x.npy", "--bits", 3, "--epochs", 1, "--out", tmp_path / "m.npz"]
    assert command(*args) == 0
    assert command("encode", tmp_path / "x.npy", "--model", tmp_path / "m.npz", "--out", tmp_path / "x.jrc") == 0
    assert command("decode", tmp_path / "x.jrc", "--model", tmp_path / "m.npz", "--out", tmp_path / "y.npy") == 0
    assert np.load(tmp_path / "y.npy").shape == (12, 6, 5, 3)


@pytest.mark.slow
def test_a_classifier_is_trained_where_none_is_given(folder, tmp_path):
    labels = ["--labels", folder / "rows-ubyte", "--labels", folder / "bright.npy"]
    assert train(folder, tmp_path / "m.npz", *labels, "--cross-entropy", 0.01, "--cross-entropy", 0.02) == 0
    told = json.loads((tmp_path / "m.json").read_text())
    assert told["cross_entropy_weights"] == [0.01, 0.02]
    assert len(set(told["classifiers"])) == 2
    assert len(told["history"][-1]["cross_entropy"]) == 2


def test_stopped_and_resumed(folder, tmp_path, monkeypatch):
    """Ctrl-C leaves nothing but checkpoints; the same command then gives what an uninterrupted one gives."""
    from jaxrd.neural.universal import run as training

    save = training.save

    def stopped(folder, state, history):
        save(folder, state, history)
        raise KeyboardInterrupt

    runs = tmp_path / "runs"
    with monkeypatch.context() as first:
        first.setattr(training, "save", stopped)
        assert train(folder, tmp_path / "m.npz", "--resume", runs) == 130
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    assert train(folder, tmp_path / "m.npz", "--resume", runs) == 0
    assert train(folder, tmp_path / "whole.npz") == 0
    assert stored.read(tmp_path / "m.npz").digest() == stored.read(tmp_path / "whole.npz").digest()
    assert train(folder, tmp_path / "other.npz", "--resume", runs, "--seed", 3) == 2  # another run's folder


class TestRefused:
    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--bits", 0.5], "bits must be a number >= 1; got 0.5"),
            (["--classifier", "c.npz"], "each --labels needs its --classifier; got 0 and 1"),
            (["--labels", "rows-ubyte", "--cross-entropy", 0], "--cross-entropy must be positive; got 0"),
            (["--labels", "rows-ubyte", "--cross-entropy", 1, "--cross-entropy", 1], "got 1 and 2"),
            (["--labels", "x-ubyte.gz"], "holds an array of shape (256, 16, 16); 256 images have as many labels"),
            (["--labels", "rows-ubyte", "--classifier", "x-ubyte.gz"], "holds no classifier"),
            (["--labels", "rows-ubyte", "--classifier", "m.npz"], "its schema is 'jaxrd.universal/1'"),
            (["--seed", -1], "--seed must lie in"),
            (["--epochs", 0], "--epochs be at least 1"),
            (["--out", "m.pt"], "--out must be a name that ends in .npz"),
        ],
    )
    def test_options(self, folder, tmp_path, capsys, monkeypatch, more, message):
        monkeypatch.chdir(folder)
        out = tmp_path / "m.npz"
        assert message in refused(train(folder, out, *more), capsys, out)

    def test_a_classifier_of_other_images(self, folder, tmp_path, capsys):
        from flax import nnx

        from jaxrd.neural.classifier import LeNet, load

        (tmp_path / "digits.npz").write_bytes(classifier_file.to_bytes(load()))
        two = LeNet((16, 16, 1), 2, widths=(2, 2, 2), rngs=nnx.Rngs(0))
        (tmp_path / "two.npz").write_bytes(classifier_file.to_bytes(two))
        out = tmp_path / "m.npz"
        for name, message in (
            (
                "digits.npz",
                "digits.npz: images must have shape (count, 28, 28, 1) or (count, 28, 28); got (256, 16, 16)",
            ),
            ("two.npz", "two.npz: labels of 2 classes must lie in 0..1; got 2"),
        ):
            code = train(folder, out, "--labels", folder / "rows-ubyte", "--classifier", tmp_path / name)
            assert message in refused(code, capsys, out)

    def test_images_of_another_shape_than_the_models(self, folder, tmp_path, capsys):
        np.save(tmp_path / "x.npy", np.zeros((5, 28, 28), np.uint8))
        out = tmp_path / "x.jrc"
        code = command("encode", tmp_path / "x.npy", "--model", folder / "m.npz", "--out", out)
        assert "holds an array of shape (5, 28, 28); images have shape (count, 16, 16)" in refused(code, capsys, out)

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--classifier", "digits.npz"], "digits.npz: images must have shape"),
            (["--classifier", "c.npz", "--cross-entropy", -1], "--cross-entropy must be positive; got -1"),
            (["--cross-entropy", 1], "each --classifier takes one --cross-entropy; got 0 and 1"),
            (["--classifier", "m.npz"], "its schema is 'jaxrd.universal/1'"),
            (["--classifier", "c.npz", "--model", "still.npz"], "the encoder of still.npz does not search"),
        ],
    )
    def test_classifiers_of_an_encoder(self, folder, tmp_path, capsys, monkeypatch, more, message):
        from jaxrd.neural.classifier import load

        kept = stored.read(folder / "m.npz")
        kept.model.search_through(None)
        (tmp_path / "still.npz").write_bytes(stored.to_bytes(kept))
        (tmp_path / "digits.npz").write_bytes(classifier_file.to_bytes(load()))
        for name in ("m.npz", "c.npz", "x-ubyte.gz"):
            (tmp_path / name).write_bytes((folder / name).read_bytes())
        monkeypatch.chdir(tmp_path)
        out = tmp_path / "x.jrc"
        code = command("encode", "x-ubyte.gz", "--out", out, "--model", "m.npz", *more)
        assert message in refused(code, capsys, out)

    def test_a_decoder_that_is_not_there(self, folder, tmp_path, capsys):
        out = tmp_path / "x.jrc"
        code = command("encode", folder / "x-ubyte.gz", "--model", folder / "m.npz", "--decoder", "b", "--out", out)
        assert "no decoder 'b'; there are: conventional" in refused(code, capsys, out)

    def test_labels_that_are_none(self, folder, tmp_path, capsys):
        out = tmp_path / "c.npz"
        for labels, message in (
            (np.full(COUNT, -1), "has a label of -1"),
            (np.zeros(COUNT), "holds float64; labels are whole numbers"),
            (np.zeros((2, COUNT), int), "holds an array of shape (2, 256)"),
            (np.int64(3), "holds one number"),
        ):
            np.save(tmp_path / "y.npy", labels)
            code = command("classifier", folder / "x-ubyte.gz", "--labels", tmp_path / "y.npy", "--out", out)
            assert message in refused(code, capsys, out)
        code = command(
            "classifier", folder / "x-ubyte.gz", "--labels", folder / "rows-ubyte", "--test", "a", "--out", out
        )
        assert "--test and --test-labels belong together" in refused(code, capsys, out)
