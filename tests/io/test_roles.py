"""What people really have: which columns are read as what, and what is refused by its name."""

import gzip
import json
import os
import sys
import zipfile

import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.errors import InputError
from jaxrd.io import read_outputs

G = np.random.default_rng(7)
N, K = 60, 4
Y = np.arange(N) % K
Z = G.normal(size=(N, K)) * 1.2
Z[np.arange(N), Y] += 1.6
P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
CLASSES = {f"class_{k}": P[:, k] for k in range(K)}
NAMES = np.array(["cat", "dog", "owl", "pig"])
ANIMALS = {name: P[:, k] for k, name in enumerate(NAMES)}
FILES = np.array([f"{i:03}.jpg" for i in range(N)])
GOOD = tosc.from_scores(P, Y)


@pytest.fixture(params=["pyarrow", "alone"])
def either(request, monkeypatch):
    """With pyarrow's reader, and without."""
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)


@pytest.fixture
def table(tmp_path):
    def write(columns, name="x.csv", separator=","):
        lines = [separator.join(columns)]
        lines += [separator.join(str(cell) for cell in row) for row in zip(*columns.values(), strict=True)]
        text = "\n".join(lines) + "\n"
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def same(path, expected=GOOD, **options):
    found = read_outputs(path, **options)[0]
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.decisions, expected.decisions)
    if expected.logits is None:
        assert found.logits is None
    else:
        np.testing.assert_allclose(found.logits, expected.logits, atol=1e-12)
    return "; ".join(found.notes)


def refused(path, *words, **options):
    with pytest.raises(InputError) as error:
        read_outputs(path, **options)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.usefixtures("either")
class TestColumns:
    @pytest.mark.parametrize(
        "name",
        ["Unnamed: 0", "", "idx", "index", "id", "image_id", "fold", "loss", "confidence", "pred", "prediction",
         "weight"],
    )  # fmt: skip
    @pytest.mark.parametrize("first", [True, False])
    def test_bookkeeping_is_no_class(self, table, name, first):
        extra = {name: np.arange(N) % 3}
        columns = extra | CLASSES | {"label": Y} if first else CLASSES | {"label": Y} | extra
        notes = same(table(columns))
        assert "classes from class_0, class_1, class_2, class_3, labels from label" in notes
        assert f"not used: {name!r}" in notes

    @pytest.mark.parametrize("pattern", ["prediction_{}", "c{}", "prob_{}", "{}", "class {}", "{}_score", "m50_prob{}"])
    def test_numbers_in_names_give_the_order(self, table, pattern):
        q = G.dirichlet(np.ones(12), N)
        order = sorted(range(12), key=str)
        y = np.arange(N) % 12
        notes = same(
            table({pattern.format(k): q[:, k] for k in order} | {"label": y}),
            tosc.from_scores(q, y),
        )
        assert f"{pattern.format(0)} .. {pattern.format(11)} (12)" in notes

    def test_what_is_in_doubt_is_refused_by_name(self, table):
        refused(table(CLASSES | {"difficulty": Z[:, 0], "label": Y}), "'difficulty'", "--scores")
        logits = {name: Z[:, k] for k, name in enumerate(NAMES)}
        refused(table(logits | {"difficulty": Z[:, 0], "label": Y}), "'cat'", "--scores")
        refused(table({"age": Z[:, 0], "label": Y}), "'age'", "--scores")
        refused(table({f"feature_{k}": Z[:, 0] for k in range(7)} | {"label": Y}), "'feature_0'", "--scores")
        both = {f"logit_{k}": Z[:, k] for k in range(K)} | {f"prob_{k}": P[:, k] for k in range(K)} | {"label": Y}
        refused(table(both), "several families of columns: logit_0, logit_1", "--scores")
        del both["prob_2"]
        refused(table(both), "prob_0, prob_1, prob_3 lack number 2", scores="prob_*")
        refused(table(CLASSES | {"class_01": Z[:, 0], "label": Y}), "'class_1' and 'class_01' have the same number")
        refused(table(CLASSES | {"label": Y, "target": Y}), "two columns of labels; 'target'", "--label-column")

    def test_columns_without_numbers(self, table):
        assert "cat, dog, owl, pig" in same(table({"id": np.arange(N)} | ANIMALS | {"label": Y}))
        logits = {name: Z[:, k] for k, name in enumerate(NAMES)}
        same(table(logits | {"label": Y}), tosc.from_scores(Z, Y))

    def test_a_class_named_as_bookkeeping_is(self, table):
        """`id` completes the rows, or is what a label says."""
        columns = {"ego": P[:, 0], "id": P[:, 1], "superego": P[:, 2] + P[:, 3]}
        y = np.arange(N) % 3
        refused(table(columns | {"label": y}), "'id'", "with which the rows sum to 1", "--scores")
        expected = tosc.from_scores(np.stack(list(columns.values()), 1), y)
        same(table(columns | {"label": y}), expected, scores="ego,id,superego")
        same(table(columns | {"label": np.array(list(columns))[y]}), expected)

    def test_options_choose(self, table):
        path = table({"x": Z[:, 0], "truth": Y, "label": Y[::-1]} | CLASSES)
        notes = same(path, scores="class_*", label_column="truth")
        assert "not used: 'label', 'x'" in notes
        refused(path, "nothing named 'klass_*' (--scores)", scores="klass_*", label_column="truth")
        refused(path, "nothing named 'foo' (--label-column)", label_column="foo")
        refused(path, "names 'class_1' twice", scores="class_*,class_1", label_column="truth")
        swapped = tosc.from_scores(P[:, [1, 0, 2, 3]], Y)
        same(path, swapped, scores="class_1,class_0,class_2,class_3", label_column="truth")

    def test_decisions(self, table):
        expected = tosc.from_decisions(P.argmax(1), Y)
        notes = same(table({"file": FILES, "pred": P.argmax(1), "label": Y}), expected)
        assert "predictions from pred, labels from label; not used: 'file'" in notes
        same(table({"pred": NAMES[P.argmax(1)], "label": NAMES[Y]}), expected)
        refused(table({"pred": P.argmax(1), "label": NAMES[Y]}), "both be numbers or both names")


@pytest.mark.usefixtures("either")
class TestLabels:
    def test_names(self, table):
        assert "alphabetical order: cat, dog, owl, pig" in same(table(CLASSES | {"label": NAMES[Y]}))
        mixed = {name: ANIMALS[name] for name in ("pig", "cat", "owl", "dog")}
        number = np.array([1, 3, 2, 0])
        expected = tosc.from_scores(np.stack(list(mixed.values()), 1), number[Y])
        same(table(mixed | {"label": NAMES[Y]}), expected)
        same(table({f"p_{name}": v for name, v in mixed.items()} | {"label": NAMES[Y], "age": Z[:, 0]}), expected)

    def test_names_that_do_not_fit(self, table):
        three = np.where(Y == 3, 0, Y)
        refused(table(CLASSES | {"label": NAMES[three]}), "'cat' is no number", "3 (cat, dog, owl) for 4 classes")
        damaged = Y.astype(object)
        damaged[7] = "x"
        refused(table(CLASSES | {"label": damaged}), "column 'label', line 9: 'x' is no number")

    def test_counted_from_one(self, table):
        refused(table(CLASSES | {"label": Y + 1}), "look 1-based", "--first-label 1")
        same(table(CLASSES | {"label": Y + 1}), first_label=1)
        # the last class absent: as many labels lie in range
        last = np.where(Y == 3, 2, Y)
        refused(table(CLASSES | {"label": last + 1}), "look 1-based: none is 0", "--first-label 1")
        same(table(CLASSES | {"label": last + 1}), tosc.from_scores(P, last), first_label=1)
        # class 0 absent: said, not refused
        first = np.where(Y == 0, 1, Y)
        notes = same(table(CLASSES | {"label": first}), tosc.from_scores(P, first))
        assert "no label is 0: taken for an absent class" in notes
        assert "no label is 0" not in same(table(CLASSES | {"label": first}), tosc.from_scores(P, first), first_label=0)
        refused(table(CLASSES | {"label": Y}), "labels must be >= 1, the first class; got 0", first_label=1)
        pred = {"pred": P.argmax(1), "label": last + 1}
        refused(table(pred), "look 1-based")
        same(table(pred), tosc.from_decisions(P.argmax(1), last), first_label=1)

    def test_columns_counted_from_one(self, table):
        columns = {f"class_{k + 1}": P[:, k] for k in range(K)}
        assert "label 1 is class_1" in same(table(columns | {"label": Y + 1}))
        assert "label 0 is class_1" in same(table(columns | {"label": Y}))

    @pytest.mark.parametrize("cell", ["1_0", "１", "0x1", "1,0", "+-1", ""])
    def test_what_is_no_number(self, table, cell):
        columns = CLASSES | {"class_2": np.array([f'"{cell}"', *P[1:, 2]], object)}
        refused(table(columns | {"label": Y}), f"column 'class_2', line 2: {cell!r} is no number")

    def test_no_header(self, tmp_path):
        np.savetxt(tmp_path / "x.csv", np.c_[P, Y], delimiter=",")
        refused(tmp_path / "x.csv", "x.csv has no header")
        np.savetxt(tmp_path / "x.csv", np.c_[P.argmax(1), Y][1:], delimiter=",", fmt="%d")
        refused(tmp_path / "x.csv", "x.csv has no")

    def test_a_column_twice(self, tmp_path):
        (tmp_path / "x.csv").write_text("a,b,a,label\n1,2,3,0\n")
        refused(tmp_path / "x.csv", "names a column twice: 'a'")


class TestMatchedByName:
    @pytest.mark.parametrize(("one", "other"), [("filename", "filename"), ("id", "image_id"), ("Unnamed: 0", "index")])
    def test_rows(self, table, one, other):
        order = G.permutation(N)
        names = FILES if one == "filename" else np.arange(N) * 3
        scores = table({one: names} | CLASSES, "scores.csv")
        labels = table({other: [*names[order], names[0]], "label": [*Y[order], Y[0]]}, "labels.csv")
        assert f"rows matched by column {one!r}" in same(scores, labels=labels)

    def test_sets_that_differ(self, table):
        scores = table({"filename": FILES} | CLASSES, "scores.csv")
        labels = table({"filename": FILES[1:], "label": Y[1:]}, "labels.csv")
        refused(scores, "1 of 60 rows of scores.csv have no label in labels.csv", "'000.jpg'", labels=labels)
        twice = table({"filename": [*FILES, FILES[3]], "label": [*Y, 0]}, "labels.csv")
        refused(scores, "'003.jpg' has two different labels", labels=twice)
        more = table({"filename": [*FILES, "new.jpg"], "label": [*Y, 0]}, "labels.csv")
        assert "1 labels belong to no row" in same(scores, labels=more)

    def test_timms(self, table):
        order = G.permutation(N)
        scores = table({"filename": FILES} | {f"prob_{k}": P[:, k] for k in range(K)}, "scores.csv")
        labels = table({"filename": FILES[order], "label": Y[order]}, "labels.csv")
        assert "rows matched by column 'filename'" in same(scores, labels=labels)


class TestOthersNames:
    @pytest.mark.parametrize(
        ("scores", "labels"),
        [("predictions", "ground_truth"), ("y_prob", "y_true"), ("probs", "label"), ("logits", "target"),
         ("predictions", "label_ids")],
    )  # fmt: skip
    def test_arrays(self, tmp_path, scores, labels):
        np.savez(tmp_path / "x.npz", **{scores: P, labels: Y, "loss": Z[:, 0]})
        notes = same(tmp_path / "x.npz")
        assert f"scores from {scores}, labels from {labels}; not used: 'loss'" in notes

    def test_arrays_by_option(self, tmp_path):
        np.savez(tmp_path / "x.npz", mine=P, logits=Z[::-1], truth=Y)
        same(tmp_path / "x.npz", scores="mine", label_column="truth")
        np.savez(tmp_path / "x.npz", scores=P, outputs=Z, labels=Y)
        refused(tmp_path / "x.npz", "has scores twice: scores and outputs", "--scores")

    def test_bfloat16(self, tmp_path):
        import ml_dtypes

        values = P.astype(ml_dtypes.bfloat16)
        np.savez(tmp_path / "x.npz", probs=values, labels=Y)  # numpy writes two bytes without a name
        assert "renormalised" in same(tmp_path / "x.npz", tosc.from_scores(values, Y))
        np.savez(tmp_path / "x.npz", logits=Z.astype(ml_dtypes.float8_e4m3fn), labels=Y)
        refused(tmp_path / "x.npz", "whose meaning numpy's files do not keep")

    def test_names_as_array(self, tmp_path):
        np.savez(tmp_path / "x.npz", probs=P, labels=NAMES[Y])
        assert "alphabetical order" in same(tmp_path / "x.npz")

    def test_names_with_numbers_out_of_order(self, tmp_path):
        many, labels = np.eye(11)[np.arange(11)], np.array([f"c{k}" for k in range(11)])
        np.savez(tmp_path / "x.npz", probs=many, labels=labels)
        refused(tmp_path / "x.npz", "alphabetical order (c0, c1, c10, c2, ", "is not that of their numbers")
        np.savez(tmp_path / "x.npz", probs=P, labels=np.array(["c1", "c2", "c3", "c4"])[Y])
        assert "alphabetical order: c1, c2, c3, c4" in same(tmp_path / "x.npz")

    def test_matlab(self, tmp_path):
        import scipy.io

        scipy.io.savemat(tmp_path / "x.mat", {"scores": P, "labels": Y + 1.0})  # a matrix of one row
        refused(tmp_path / "x.mat", "look 1-based")
        same(tmp_path / "x.mat", first_label=1)
        (tmp_path / "x.mat").write_bytes((tmp_path / "x.mat").read_bytes()[:300])
        refused(tmp_path / "x.mat", "cannot be read as a MATLAB file")

    def test_hdf5(self, tmp_path):
        h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install h5py")
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["logits"], file["labels"], file["test/probs"] = Z, Y, P
        same(tmp_path / "x.h5", tosc.from_scores(Z, Y))
        same(tmp_path / "x.h5", scores="test/probs")
        (tmp_path / "x.h5").write_bytes((tmp_path / "x.h5").read_bytes()[:300])
        refused(tmp_path / "x.h5", "cannot be read as HDF5")


class TestOtherTables:
    @pytest.mark.parametrize("name", ["x.tsv", "x.csv.gz", "x.tsv.gz"])
    @pytest.mark.usefixtures("either")
    def test_text(self, table, name):
        same(table(CLASSES | {"label": Y}, name, "\t" if "tsv" in name else ","))

    def test_gzip_cut_short(self, table):
        path = table(CLASSES | {"label": Y}, "x.csv.gz")
        path.write_bytes(path.read_bytes()[:-20])
        refused(path, "cannot be read as csv")

    def test_json(self, tmp_path):
        columns = CLASSES | {"label": Y}
        rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
        (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        same(tmp_path / "x.jsonl")
        (tmp_path / "x.json").write_text(json.dumps(rows))
        same(tmp_path / "x.json")

    @pytest.mark.parametrize(
        "text",
        [
            '{"columns": ["a", "b", "a", "label"], "data": [[1, 2, 3, 0], [1, 2, 3, 1]]}',
            '{"r": {"a": 1, "b": 2, "a": 3, "label": 0}, "s": {"a": 1, "b": 2, "label": 1}}',
            '{"r": {"a": 1, "b": 2, "label": 0}, "s": {"a": 1, "b": 2, "label": 1}, "r": {"a": 1, "b": 2, "label": 1}}',
        ],
    )
    def test_json_with_a_name_twice(self, tmp_path, text):
        (tmp_path / "x.json").write_text(text)
        refused(tmp_path / "x.json", "twice")


HOSTILE = {
    "nested.json": b"[" * 100_000,
    "digits.json": b'[{"a": 1' + b"0" * 5000 + b', "label": 0}]',
    "large.json": b'[{"a": 1' + b"0" * 400 + b', "b": 1, "label": 0}]',
    "objects.json": b'[{"a": {}, "b": null, "label": 0}]',
    "columns.json": b'{"columns": [[], {}], "data": [[1, 2]]}',
    "lists.jsonl": b'{"probs": [1, 2], "label": 1}\n{"probs": [1, [2]], "label": 0}',
    "nul.csv": b"\0,\1\n\0,1\n",
    "quote.csv": b'"a\n',
    "wide.csv": b",".join(b"c%d" % k for k in range(20_001)) + b",label\n" + (b"1," * 20_001 + b"0\n") * 2,
    "doubled.csv": b",".join(b"c%d" % (k % 99_999) for k in range(100_000)) + b",label\n1\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(HOSTILE[name])
    refused(tmp_path / name)


def npy(descr, shape):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(64)


@pytest.mark.parametrize(
    "shape", ["(1000000000000,)", "(True, True)", "(10, -1)", "(2**70,)", "(1e3,)", "()", "(0, 4)", "(1,) * 40"]
)
@pytest.mark.parametrize("descr", ["<f8", "|V2000000000", "<U500000000", "|O", "<M8[s]", "<c16"])
def test_hostile_headers_are_one_line(tmp_path, shape, descr):
    (tmp_path / "x.npy").write_bytes(npy(descr, shape))
    np.save(tmp_path / "y.npy", Y)
    refused(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    refused(tmp_path / "y.npy", labels=tmp_path / "x.npy")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("logits.npy", npy(descr, shape))
        archive.writestr("labels.npy", npy(descr, shape))
    refused(tmp_path / "x.npz")


def test_members_that_are_no_arrays(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("logits", b"hello")
        archive.writestr("labels.npy", npy("<i8", "(8,)"))
    refused(tmp_path / "x.npz")


def test_a_pipe_and_a_gzip_bomb(tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    refused(tmp_path / "x.csv", "is no regular file")
    (tmp_path / "y.csv.gz").write_bytes(gzip.compress(b"0" * (1 << 27), 1))
    refused(tmp_path / "y.csv.gz", "unpacks to more than 100 times its size")


@pytest.mark.parametrize(
    "command", [["limits", "x.npz"], ["encode", "x.npz", "--slope", "1"],
                ["reproduce", "tosc-fig4", "x.npz", "--pixels", "9"]]
)  # fmt: skip
def test_the_commands_pass_the_options_on(monkeypatch, command, capsys):

    from jaxrd.cli.app import run

    asked = []

    def stop(path, labels, **options):
        asked.append(options | {"labels": str(labels)})
        raise InputError("enough")

    monkeypatch.setattr("jaxrd.io.read_outputs", stop)
    options = ["--labels", "y.csv", "--scores", "p_*", "--label-column", "truth", "--first-label", "1", "--logits"]
    for more in (options, ["--probabilities"]):
        assert run([*command, *more]) == 2
        assert capsys.readouterr().err == "jaxrd: enough\n"
    first = {"labels": "y.csv", "scores": "p_*", "label_column": "truth", "first_label": 1, "probabilities": False}
    tick = asked[0].pop("progress")
    assert callable(tick) == (command[0] == "limits")
    assert asked[0] == first | {"unsafe_pickle": False, "weights": None, "shared": False}
    assert asked[1]["probabilities"] is True
    assert asked[1]["first_label"] is None
