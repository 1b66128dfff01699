"""MNIST and sets of its shape: where they are looked for, what is refused, the download (of files the tests make)."""

import gzip
import hashlib
import sys

import numpy as np
import pytest
from shared import idx

from jaxrd import datasets

pooch = pytest.importorskip("pooch", reason="needs jaxrd[neural]")


def files(seed=0, train=5, test=3):
    """The four files, unpacked, by name."""
    g = np.random.default_rng(seed)
    return {
        f"{prefix}-{kind}-ubyte": idx(array)
        for prefix, n in (("train", train), ("t10k", test))
        for kind, array in (("images-idx3", g.integers(0, 256, (n, 28, 28))), ("labels-idx1", g.integers(0, 10, n)))
    }


def write(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host of synthetic files in place of MNIST's, and what was asked of it."""
    contents, asked = files(), []

    class Host:
        def __call__(self, url, file, owner):
            asked.append(url)
            name = url.removeprefix(datasets.MNIST_URL + "/").removesuffix(".gz")
            if contents[name] is None:
                raise ConnectionError("no route")
            with open(file, "wb") as out:
                out.write(gzip.compress(contents[name]))

    monkeypatch.setattr(pooch, "HTTPDownloader", Host)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(datasets, "MNIST", {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()})
    return contents, asked


class TestFolders:
    @pytest.mark.parametrize("inner", ["", "mnist"])
    def test_the_four_files_or_a_folder_of_them(self, tmp_path, monkeypatch, inner):
        write(tmp_path / "fashion" / inner, files())
        train, test = datasets.mnist(tmp_path / "fashion")
        assert train.images.shape == (5, 28, 28)
        assert (test.labels.dtype, test.labels.shape) == (np.int32, (3,))
        monkeypatch.setenv("JAXRD_DATA", str(tmp_path / "fashion"))
        np.testing.assert_array_equal(datasets.mnist()[0].images, train.images)

    def test_what_does_not_fit_is_refused(self, tmp_path):
        for name, array, message in (
            ("train-labels-idx1-ubyte", np.zeros(4), r"train has images \(5, 28, 28\) and labels \(4,\) up to 0"),
            ("train-labels-idx1-ubyte", np.zeros(0), r"labels \(0,\)\."),
            ("train-labels-idx1-ubyte", np.array(3), r"labels \(\) up to 3"),
            ("t10k-labels-idx1-ubyte", np.array([1, 10, 2]), r"t10k .* up to 10"),
            ("t10k-images-idx3-ubyte", np.zeros((3, 32, 32)), r"t10k has images \(3, 32, 32\)"),
        ):
            with pytest.raises(ValueError, match=message):
                datasets.mnist(write(tmp_path, files() | {name: idx(array)}))

    @pytest.mark.parametrize("keep", [0, 9, 40, -4])
    def test_a_damaged_archive(self, tmp_path, keep):
        whole = gzip.compress(idx(np.arange(50)))
        (tmp_path / "x.gz").write_bytes(whole[:keep])
        with pytest.raises(ValueError, match=r"x\.gz (cannot be unpacked|is no IDX)"):
            datasets.read_idx(tmp_path / "x.gz")

    def test_a_header_cut_short(self, tmp_path):
        (tmp_path / "x").write_bytes(idx(np.zeros((2, 3)))[:7])
        with pytest.raises(ValueError, match="7 bytes where its header alone has 12"):
            datasets.read_idx(tmp_path / "x")


class TestDownload:
    def test_fetched_once(self, host):
        contents, asked = host
        folder = datasets.download_mnist()
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == contents
        assert len(asked) == 4
        assert datasets.download_mnist() == folder
        assert len(asked) == 4
        assert len(datasets.mnist(folder)[0].labels) == 5

    def test_a_damaged_copy_is_fetched_again(self, host):
        contents, asked = host
        folder = datasets.download_mnist()
        (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
        datasets.download_mnist()
        assert len(asked) == 5
        assert (folder / "t10k-labels-idx1-ubyte").read_bytes() == contents["t10k-labels-idx1-ubyte"]

    def test_other_content_is_refused_and_not_kept(self, host, tmp_path):
        host[0]["t10k-images-idx3-ubyte"] += b"!"
        with pytest.raises(FileNotFoundError, match=r"t10k-images-idx3-ubyte\.gz is not what it should be"):
            datasets.download_mnist()
        assert sorted(p.name for p in (tmp_path / "cache" / "jaxrd" / "mnist").iterdir()) == [
            "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
        ]  # fmt: skip

    def test_offline(self, host, tmp_path):
        host[0]["train-images-idx3-ubyte"] = None
        with pytest.raises(FileNotFoundError, match=r"train-images.* cannot be fetched .*\(ConnectionError\)"):
            datasets.download_mnist()
        assert not list((tmp_path / "cache" / "jaxrd" / "mnist").iterdir())

    def test_without_a_home(self, monkeypatch):
        for error in (RuntimeError("Could not determine home directory."), KeyError("getpwuid(): uid not found: 7")):

            def nowhere(name, error=error):
                raise error

            monkeypatch.setattr(pooch, "os_cache", nowhere)
            with pytest.raises(FileNotFoundError, match="no home directory to keep it in: set HOME or XDG_CACHE_HOME"):
                datasets.download_mnist()

    def test_without_pooch(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pooch", None)
        with pytest.raises(FileNotFoundError, match=r"pooch, .* pip install pooch"):
            datasets.download_mnist()

    def test_mnist_is_told_from_sets_of_its_shape(self, tmp_path, data):
        assert datasets.is_mnist(datasets.mnist(data)[1])
        assert not datasets.is_mnist(datasets.mnist(write(tmp_path, files()))[1])

    def test_the_files_of_mnist_are_those(self, data):
        for name, expected in datasets.MNIST.items():
            raw = gzip.decompress((data / "mnist" / f"{name}.gz").read_bytes())
            assert hashlib.sha256(raw).hexdigest() == expected
