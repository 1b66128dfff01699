"""Every file of outputs that is read, and in how many ways each can be unusable."""

import csv
import json
import pickle
import sys
import types
import zipfile
from typing import Any

import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.errors import InputError
from jaxrd.io import read_outputs, read_problem

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install pyarrow")
safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed: pip install safetensors")
import pyarrow  # noqa: E402

G = np.random.default_rng(0)
V = G.dirichlet(np.full(4, 0.5), 60).astype(np.float32)
Y = np.array([G.choice(4, p=row / row.sum()) for row in V.astype(float)])
LOGITS = np.log(V + 1e-9)
FILES = [f"{i}.jpg" for i in range(60)]


def same(outputs, expected=None):
    expected = expected or tosc.from_scores(LOGITS, Y)
    np.testing.assert_array_equal(outputs.labels, expected.labels)
    np.testing.assert_array_equal(outputs.decisions, expected.decisions)
    if expected.logits is None:
        assert outputs.logits is None
    else:
        np.testing.assert_allclose(outputs.logits, expected.logits, atol=2e-2)


def read(path, **more):
    return read_outputs(path, **more)[0]


def write_parquet(path, columns):
    parquet.write_table(pyarrow.table(columns), path)
    return path


class FakeTorch(types.ModuleType):
    """What of torch the reader touches; `load` gives `held`, or raises it, and notes what was asked."""

    bfloat16 = "bfloat16"

    class Tensor:
        def __init__(self, values, dtype="float32"):
            self.values, self.dtype = np.asarray(values), dtype

        def detach(self):
            return self

        def float(self):
            return FakeTorch.Tensor(self.values.astype(np.float32))

        def numpy(self):
            if self.dtype == "bfloat16":
                raise TypeError("Got unsupported ScalarType BFloat16")
            return self.values

    def __init__(self, held):
        super().__init__("torch")
        self.held, self.asked = held, []

    def load(self, path, map_location, weights_only):
        assert map_location == "cpu"
        self.asked.append(weights_only)
        if isinstance(self.held, Exception) and weights_only:
            raise self.held
        return (
            {"logits": FakeTorch.Tensor(LOGITS), "labels": FakeTorch.Tensor(Y)}
            if isinstance(self.held, Exception)
            else self.held
        )


@pytest.fixture
def torch(monkeypatch, tmp_path):
    def build(held):
        module = FakeTorch(held)
        monkeypatch.setitem(sys.modules, "torch", module)
        (tmp_path / "x.pt").write_bytes(b"PK")
        return module, tmp_path / "x.pt"

    return build


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_of_any_compression(tmp_path, method):
    """One bit flipped at 100 places: the same arrays, or one line. Each library of compression has its own errors."""
    path = tmp_path / "x.npz"
    np.savez(path, logits=LOGITS, labels=Y)
    members = {name: zipfile.ZipFile(path).read(name) for name in ("logits.npy", "labels.npy")}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    whole = path.read_bytes()
    same(read(path))

    def is_refused(content):
        path.write_bytes(content)
        try:
            same(read(path))
        except InputError as error:
            return "\n" not in str(error)
        return False

    flipped = [(at // 8, 1 << at % 8) for at in G.integers(0, 8 * len(whole), 100)]
    assert sum(is_refused(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]) for at, bit in flipped) > 80


def is_same_or_refused(path, **more):
    """Refused in one line."""
    try:
        same(read(path, **more))
    except InputError as error:
        return len(str(error).splitlines()) == 1
    return True


def test_one_bit_of_a_numpy_header(tmp_path):
    """The same numbers, or one line: numpy itself reads a shape that lost rows or classes."""
    np.save(tmp_path / "y.npy", Y)
    path = tmp_path / "x.npy"
    np.save(path, LOGITS.astype("<f8"))
    whole = path.read_bytes()
    for at in range(128 * 8):
        path.write_bytes(whole[: at // 8] + bytes([whole[at // 8] ^ 1 << at % 8]) + whole[at // 8 + 1 :])
        assert is_same_or_refused(path, labels=tmp_path / "y.npy")
    path.write_bytes(whole.replace(b"(60, 4)", b"(60, 3)"))
    with pytest.raises(InputError, match="claims 1440 bytes, but 1920 follow"):
        read(path, labels=tmp_path / "y.npy")


class TestParquet:
    def test_a_column_per_class(self, tmp_path):
        columns = {f"class {k}": LOGITS[:, k] for k in range(4)} | {"label": Y, "id": FILES}
        same(read(write_parquet(tmp_path / "x.parquet", columns)))

    def test_a_column_of_lists(self, tmp_path):
        columns = {"probs": list(V), "targets": Y}
        same(read(write_parquet(tmp_path / "x.parquet", columns)), tosc.from_scores(V, Y))

    def test_in_several_row_groups(self, tmp_path):
        table = pyarrow.table({"logits": list(LOGITS), "labels": Y})
        parquet.write_table(table, tmp_path / "x.parquet", row_group_size=7)
        same(read(tmp_path / "x.parquet"))

    def test_decisions(self, tmp_path):
        columns = {"prediction": LOGITS.argmax(1), "label": Y}
        same(read(write_parquet(tmp_path / "x.parquet", columns)), tosc.from_decisions(LOGITS.argmax(1), Y))

    def test_labels_elsewhere(self, tmp_path):
        scores = write_parquet(tmp_path / "x.parquet", {"logits": list(LOGITS)})
        labels = write_parquet(tmp_path / "y.parquet", {"file": FILES, "label": Y})
        same(read(scores, labels=labels))

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"a": [1.0, 2.0], "b": [0.0, 1.0]}, "has no column labels|targets|y; it has: a, b"),
            ({"a": ["x", "y"], "label": [0, 1]}, "column 'a', row 0: 'x' is no number"),
            (
                {"logits": [[1.0, 2.0], [3.0]], "label": [0, 1]},
                "column 'logits': row 1 has 1 entries where the first has 2",
            ),
            ({"logits": [[1.0, 2.0], None], "label": [0, 1]}, "column 'logits', row 1: 'None' is no number"),
            ({"foo": [[1.0, 2.0], [3.0, 1.0]], "label": [0, 1]}, "column 'foo' holds lists; scores in one are named"),
            ({"a": [1.0, None], "b": [1.0, 2.0], "label": [0, 1]}, "scores must be finite; got nan at sample 1"),
            ({"a": [1.0, 1.0], "b": [1.0, 2.0], "label": [0, None]}, "labels must be integers; got nan"),
            ({"a": [], "label": []}, "is empty: it has no row"),
        ],
    )
    def test_bad_tables(self, tmp_path, columns, message):
        with pytest.raises(InputError) as error:
            read(write_parquet(tmp_path / "x.parquet", columns))
        assert message in str(error.value)

    @pytest.mark.parametrize("cut", [0, 4, 200, -4])
    def test_truncated(self, tmp_path, cut):
        path = write_parquet(tmp_path / "x.parquet", {"logits": list(LOGITS), "label": Y})
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(InputError, match="cannot be read as parquet, it may be truncated"):
            read(path)


class TestSafetensors:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, "bfloat16"])
    def test_dtypes(self, tmp_path, dtype):
        import ml_dtypes

        kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
        values = LOGITS.astype(kind)
        safetensors.save_file({"logits": values, "labels": Y, "other": np.zeros(3)}, tmp_path / "x.safetensors")
        same(read(tmp_path / "x.safetensors"), tosc.from_scores(values.astype(np.float64), Y))

    def test_labels_elsewhere(self, tmp_path):
        safetensors.save_file({"probs": V}, tmp_path / "x.safetensors")
        safetensors.save_file({"targets": Y}, tmp_path / "y.safetensors")
        same(read(tmp_path / "x.safetensors", labels=tmp_path / "y.safetensors"), tosc.from_scores(V, Y))

    def test_wrong_names(self, tmp_path):
        safetensors.save_file({"foo": V, "labels": Y}, tmp_path / "x.safetensors")
        with pytest.raises(InputError, match="nor predictions; it has: foo, labels"):
            read(tmp_path / "x.safetensors")
        safetensors.save_file({"logits": V}, tmp_path / "x.safetensors")
        with pytest.raises(InputError, match=r"has no labels \(labels\|targets\|y\); it has: logits"):
            read(tmp_path / "x.safetensors")

    @pytest.mark.parametrize("cut", [0, 5, 60, -8])
    def test_truncated(self, tmp_path, cut):
        safetensors.save_file({"logits": V, "labels": Y}, tmp_path / "x.safetensors")
        whole = (tmp_path / "x.safetensors").read_bytes()
        (tmp_path / "x.safetensors").write_bytes(whole[:cut])
        with pytest.raises(InputError, match="cannot be read as safetensors, it may be truncated"):
            read(tmp_path / "x.safetensors")


class TestTorch:
    def test_weights_only(self, torch):
        tensor = FakeTorch.Tensor
        module, path = torch({"logits": tensor(LOGITS), "labels": tensor(Y), "epoch": 3})
        same(read(path))
        assert module.asked == [True]

    def test_one_tensor_with_labels(self, torch, tmp_path):
        _, path = torch(FakeTorch.Tensor(LOGITS.astype(np.float32), dtype="bfloat16"))
        np.savetxt(tmp_path / "y.txt", Y, fmt="%d")
        same(read(path, labels=tmp_path / "y.txt"))

    def test_more_than_tensors_needs_the_flag(self, torch):
        module, path = torch(pickle.UnpicklingError("Weights only load failed"))
        with pytest.raises(InputError, match=r"x.pt is no PyTorch file of tensors alone; .* pass --unsafe-pickle"):
            read(path)
        same(read(path, unsafe_pickle=True))
        assert module.asked == [True, False]

    @pytest.mark.parametrize("error", [RuntimeError("PytorchStreamReader failed"), EOFError(), ValueError("x")])
    def test_damaged(self, torch, error):
        _, path = torch(error)
        with pytest.raises(InputError, match="cannot be read as a PyTorch file, it may be truncated"):
            read(path)

    def test_checksums(self, torch):
        """torch does not look at them: one flipped bit of a weight would be read."""
        _, path = torch({"logits": FakeTorch.Tensor(LOGITS), "labels": FakeTorch.Tensor(Y)})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data/0", LOGITS.tobytes())
        same(read(path))
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
        with pytest.raises(InputError, match="is damaged: the checksum of its part 'archive/data/0' is wrong"):
            read(path)

    def test_more_elements_than_the_file_can_hold(self, torch):
        tensor = FakeTorch.Tensor(LOGITS)
        tensor.numel = lambda: 10**10
        _, path = torch({"logits": tensor, "labels": FakeTorch.Tensor(Y)})
        with pytest.raises(InputError, match="logits claims 10000000000 elements, more than its file can hold"):
            read(path)

    @pytest.mark.parametrize(
        ("fields", "kept"),
        [
            ({"dtype": "torch.float8_e4m3fn"}, True),
            ({"is_quantized": True}, True),
            ({"layout": "torch.sparse_coo"}, True),
            ({"device": "meta"}, False),
            ({"layout": "torch.jagged"}, False),
        ],
        ids=["float8", "quantised", "sparse", "meta", "ragged"],
    )
    def test_other_tensors(self, torch, fields, kept):
        """Those that hold an array give it; one of no data and one of ragged rows are refused in one line."""

        class Other(FakeTorch.Tensor):
            """`numpy` fails, as torch's does, until the tensor is turned into one of a kind that numpy has."""

            def __init__(self, values, **fields):
                super().__init__(values)
                self.__dict__ |= fields

            def plain(self):
                if not kept:
                    raise NotImplementedError("Cannot copy out of this tensor;\nno data!")
                return FakeTorch.Tensor(self.values)

            float = dequantize = to_dense = plain

            def cpu(self):
                return self.plain()

            def numpy(self):
                raise TypeError("Got unsupported ScalarType")

        _, path = torch({"logits": Other(LOGITS, **fields), "labels": FakeTorch.Tensor(Y)})
        if kept:
            same(read(path))
        else:
            with pytest.raises(
                InputError, match=r"^x.pt: logits cannot be read as an array \(NotImplementedError.*\.$"
            ):
                read(path)

    def test_something_else(self, torch):
        _, path = torch([1, 2])
        with pytest.raises(InputError, match="holds a list; a tensor or a dict of tensors was expected"):
            read(path)


class TestMissingPackages:
    @pytest.mark.parametrize(
        ("name", "module"),
        [
            ("x.parquet", "pyarrow"),
            ("x.safetensors", "safetensors"),
            ("x.pt", "torch"),
            ("x.h5", "h5py"),
        ],
    )
    def test_one_line_says_what_to_install(self, tmp_path, monkeypatch, name, module):
        for loaded in [key for key in sys.modules if key.split(".")[0] == module]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, module, None)
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError) as error:
            read(tmp_path / name)
        assert str(error.value).endswith(f"needs {module}, which is not installed: pip install {module}")


class TestPickles:
    def test_only_behind_the_flag(self, tmp_path):
        (tmp_path / "x.pkl").write_bytes(pickle.dumps({"logits": LOGITS, "labels": Y.tolist()}))
        with pytest.raises(InputError, match=r"x.pkl is a pickle, .* pass --unsafe-pickle if you trust"):
            read(tmp_path / "x.pkl")
        same(read(tmp_path / "x.pkl", unsafe_pickle=True))

    def test_boxed_by_numpy(self, tmp_path):
        np.save(tmp_path / "x.npy", {"logits": LOGITS, "labels": Y}, allow_pickle=True)
        with pytest.raises(InputError, match=r"x.npy holds a pickle, .* pass --unsafe-pickle"):
            read(tmp_path / "x.npy")
        same(read(tmp_path / "x.npy", unsafe_pickle=True))

    def test_nothing_runs_without_the_flag(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "gone off"), "w"))

        for name in ("x.pkl", "x.npz", "x.npy"):
            (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
            with pytest.raises(InputError):
                read(tmp_path / name)
        assert not (tmp_path / "gone off").exists()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "cannot be read as a pickle"),
            (pickle.dumps({"logits": LOGITS})[:100], "cannot be read as a pickle"),
            (pickle.dumps([1, 2]), "holds a list"),
            (b"cnowhere\nThing\n.", "cannot be read as a pickle, it may be truncated or damaged (ModuleNotFoundError)"),
        ],
    )
    def test_bad(self, tmp_path, content, message):
        (tmp_path / "x.pkl").write_bytes(content)
        with pytest.raises(InputError) as error:
            read(tmp_path / "x.pkl", unsafe_pickle=True)
        assert message in str(error.value)

    def test_the_command_has_the_flag(self, tmp_path, capsys):
        from jaxrd.cli.app import run

        (tmp_path / "x.pkl").write_bytes(pickle.dumps({"predictions": LOGITS.argmax(1), "labels": Y}))
        args = ["limits", str(tmp_path / "x.pkl"), "--no-plot", "--slopes", "3", "--out", str(tmp_path / "o")]
        assert run(args) == 2
        assert "--unsafe-pickle" in capsys.readouterr().err
        assert run([*args, "--unsafe-pickle"]) == 0
        assert (tmp_path / "o" / "limits.json").exists()


def timm_table(k, *, index, label=True, kind="prob", separate=False, order=True):
    """Columns as timm's inference.py writes them: the best k outputs, k = 0 all of them by class."""
    outputs = V if kind == "prob" else LOGITS
    columns = {"filename": FILES}
    if k:
        best = np.argsort(-outputs, 1)[:, :k]
        outputs = np.take_along_axis(outputs, best, 1)
        parts = ([("index", best)] if index else []) + ([("label", best.astype(str))] if label else [])
    else:
        parts = []
    for name, values in [*parts, (kind, outputs)]:
        if separate and values.shape[1] > 1:
            columns |= {f"{name}_{j}": values[:, j] for j in range(values.shape[1])}
        else:
            columns[name] = values[:, 0] if values.shape[1] == 1 else list(values)
    return columns


def timm_csv(path, columns):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))  # numpy rows print as pandas lets them print
    return path


def timm_json(path, columns):
    plain = {name: [v.tolist() if hasattr(v, "tolist") else v for v in values] for name, values in columns.items()}
    rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
    path.write_text(json.dumps({row.pop("filename"): row for row in rows}))
    return path


def timm_split(path, columns):
    plain = {name: [v.tolist() if hasattr(v, "tolist") else v for v in values] for name, values in columns.items()}
    path.write_text(json.dumps({"columns": list(plain), "data": list(zip(*plain.values(), strict=True))}))
    return path


def timm_parquet(path, columns):
    return write_parquet(path, {name: list(values) for name, values in columns.items()})


WRITERS = [(timm_csv, "x.csv"), (timm_json, "x.json"), (timm_split, "x.json"), (timm_parquet, "x.parquet")]


@pytest.mark.parametrize(("write", "name"), WRITERS)
@pytest.mark.parametrize("separate", [False, True])
class TestTimm:
    @pytest.fixture
    def labels(self, tmp_path):
        np.save(tmp_path / "labels.npy", Y)
        return tmp_path / "labels.npy"

    @pytest.mark.parametrize("kind", ["prob", "logit"])
    def test_every_class_in_order(self, tmp_path, labels, write, name, separate, kind):
        path = write(tmp_path / name, timm_table(0, index=False, kind=kind, separate=separate))
        same(read(path, labels=labels), tosc.from_scores(V if kind == "prob" else LOGITS, Y))

    def test_every_class_best_first(self, tmp_path, labels, write, name, separate):
        path = write(tmp_path / name, timm_table(4, index=True, separate=separate))
        same(read(path, labels=labels), tosc.from_scores(V, Y))

    @pytest.mark.parametrize("k", [1, 2])
    def test_the_best_few(self, tmp_path, labels, write, name, separate, k):
        path = write(tmp_path / name, timm_table(k, index=True, separate=separate))
        found = read(path, labels=labels)
        same(found, tosc.from_decisions(LOGITS.argmax(1), Y))
        assert (k == 2) == ("timm's best 2 classes: only the first is used" in found.notes)

    @pytest.mark.parametrize("label", [False, True])
    @pytest.mark.parametrize("k", [1, 2, 4])
    def test_the_best_without_their_classes(self, tmp_path, labels, write, name, separate, label, k):
        path = write(tmp_path / name, timm_table(k, index=False, label=label, separate=separate))
        with pytest.raises(InputError, match=f"has timm's best {k} outputs without their classes. .* --topk 0"):
            read(path, labels=labels)

    def test_its_label_is_no_truth(self, tmp_path, labels, write, name, separate):
        columns = timm_table(2, index=True, separate=separate)
        with pytest.raises(InputError, match=r"holds no true classes \(its 'label' is the predicted one"):
            read(write(tmp_path / name, columns))
        same(read(write(tmp_path / name, columns | {"target": Y})), tosc.from_decisions(LOGITS.argmax(1), Y))


def test_a_table_of_ones_own_with_file_names_is_not_timms(tmp_path):
    columns = {"filename": FILES, "index": np.arange(60)} | {f"c{k}": LOGITS[:, k] for k in range(4)} | {"label": Y}
    same(read(timm_csv(tmp_path / "x.csv", columns)))
    columns = {"filename": FILES} | {f"prob_{k}": V[:, k] for k in range(4)} | {"label": Y}
    same(read(timm_csv(tmp_path / "x.csv", columns)), tosc.from_scores(V, Y))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as json"),
        ('{"a": [1,', "cannot be read as json"),
        ("[1, 2]", "is no table"),
        ('{"a": {"index": 1}, "b": {"prob": 2}}', "is no table"),
        ('{"columns": ["a", "b"], "data": [[1]]}', "every row of data must have the 2 entries"),
        ('{"columns": ["a", "label"], "data": []}', "is empty: it has no row"),
        ('{"label": {"0": 1, "1": 0}, "p_0": {"0": 0.1, "1": 0.9}}', "is a table by columns, {column: {row: value}}"),
        ('{"p_0": {"0": 0.1, "1": 0.9, "2": 0.5}, "p_1": {"0": 0.9, "1": 0.1, "2": 0.5}}', "orient='records'"),
        ('{"name": "JPEG", "results": {"bpp": [1], "psnr": [2]}}', "is no table"),
    ],
)
def test_bad_json(tmp_path, text, message):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as error:
        read(tmp_path / "x.json")
    assert message in str(error.value)


def test_json_by_named_rows_and_with_its_schema(tmp_path):
    table = [{"p_0": 0.1, "p_1": 0.9, "label": 1}, {"p_0": 0.7, "p_1": 0.3, "label": 0}]
    for held in (dict(zip("ab", table, strict=True)), {"schema": {"fields": []}, "data": table}):
        (tmp_path / "x.json").write_text(json.dumps(held))
        np.testing.assert_array_equal(read(tmp_path / "x.json").labels, [1, 0])


@pytest.mark.parametrize("first", ["", "sep=;\r\n", "\ufeff", "\ufeffsep=;\r\n"])
@pytest.mark.parametrize("arrow", [True, False])
def test_semicolons_as_excel_writes_them(tmp_path, monkeypatch, first, arrow):
    if not arrow:
        monkeypatch.setattr("jaxrd.io.delimited._arrow", lambda *_: None)
    path = tmp_path / "x.csv"
    path.write_bytes((first + "prob_0;prob_1;label\r\n0.9;0.1;0\r\n0.2;0.8;1\r\n").encode())
    found = read(path)
    np.testing.assert_allclose(np.exp(found.logits), [[0.9, 0.1], [0.2, 0.8]])
    np.testing.assert_array_equal(found.labels, [0, 1])
    path.write_text(path.read_text(encoding="utf-8-sig").replace(".", ","))
    with pytest.raises(InputError, match=r"column 'prob_0': '0,9' has a decimal comma. Save the numbers with points\."):
        read(path)


def test_tabs_in_a_csv_and_commas_in_a_quoted_name(tmp_path):
    (tmp_path / "x.csv").write_text("prob_0\tprob_1\tlabel\n0.9\t0.1\t0\n0.2\t0.8\t1\n")
    assert read(tmp_path / "x.csv").classes == 2
    (tmp_path / "x.csv").write_text('"cat, wild;tame","dog",label\n0.9,0.1,0\n0.2,0.8,1\n')
    assert read(tmp_path / "x.csv").classes == 2


def test_what_lies_beside_is_named(tmp_path):
    beside: Any = {"errors": np.ones(2), "cost": np.ones(2)}
    np.savez(tmp_path / "x.npz", scores=[[0.9, 0.1], [0.2, 0.8]], labels=[0, 1], **beside)
    assert any("not used: 'cost', 'errors'" in note for note in read(tmp_path / "x.npz").notes)
    np.savez(tmp_path / "y.npz", labels=[0, 1], **beside)
    np.save(tmp_path / "s.npy", [[0.9, 0.1], [0.2, 0.8]])
    notes = read(tmp_path / "s.npy", labels=tmp_path / "y.npz").notes
    assert "y.npz: not used: 'cost', 'errors'" in notes
    (tmp_path / "folder").mkdir()
    for name, array in {"scores": [[0.9, 0.1], [0.2, 0.8]], "targets": [0, 1], "errors": [1, 2]}.items():
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    assert any("not used: 'errors'" in note for note in read(tmp_path / "folder").notes)
    np.savez(tmp_path / "p.npz", source=[0.5, 0.5], distortion=1 - np.eye(2), **beside)
    with pytest.warns(UserWarning, match=r"p.npz: not used: 'cost', 'errors'"):
        read_problem(tmp_path / "p.npz")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("y.txt", "1 two 3", "column 'label', row 1: 'two' is no number"),
        ("y.csv", "file,class\na,1\n", "has no column labels|targets|y; it has: class, file"),
        ("y.csv", "file,label\na,cat\n", "column 'label', line 2: 'cat' is no number"),
        ("y.json", "{}", "is no table"),
    ],
)
def test_bad_labels(tmp_path, name, text, message):
    np.save(tmp_path / "scores.npy", LOGITS)
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        read(tmp_path / "scores.npy", labels=tmp_path / name)
    assert message in str(error.value)


def test_an_archive_that_one_bit_made_encrypted(tmp_path):
    np.savez(tmp_path / "x.npz", logits=LOGITS, labels=Y)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] ^= 1  # the flags of its first entry
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.npz cannot be read as a numpy file"):
        read(tmp_path / "x.npz")
