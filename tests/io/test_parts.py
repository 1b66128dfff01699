"""Outputs in several files, and tables too large for memory: what one small file gives."""

import numpy as np
import pytest

from jaxrd import tosc
from jaxrd.errors import InputError
from jaxrd.io import arrays, read_outputs
from jaxrd.io.parts import together
from jaxrd.tosc import rows
from jaxrd.tosc.rows import Rows

G = np.random.default_rng(0)
Y = G.integers(0, 4, 500)
Z = (G.standard_normal((500, 4)) + 2 * np.eye(4)[Y]).astype(np.float32)
CUTS = (130, 131, 390)


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 0)
    monkeypatch.setattr(rows, "_NUMBERS", 400)
    monkeypatch.setattr(arrays, "MAPPED", 0)


def parts(folder, array, name, cuts=CUTS, start=0):
    for k, part in enumerate(np.split(array, cuts), start):
        np.save(folder / f"{name}_{k:03d}.npy", part)


def same(outputs, path=None):
    expected = tosc.from_scores(Z, Y, named="logits")
    np.testing.assert_array_equal(np.asarray(outputs.logits), np.asarray(expected.logits))
    np.testing.assert_array_equal(outputs.labels, expected.labels)
    np.testing.assert_array_equal(outputs.decisions, expected.decisions)


class TestFolder:
    @pytest.mark.parametrize("start", [0, 1])
    @pytest.mark.parametrize("split_labels", [True, False])
    def test_parts(self, tmp_path, start, split_labels, request):
        parts(tmp_path, Z, "logits", start=start)
        if split_labels:
            parts(tmp_path, Y, "labels", start=start)
        else:
            np.save(tmp_path / "labels.npy", Y)
        outputs, held = read_outputs(tmp_path)
        assert isinstance(outputs.logits, np.ndarray)
        same(outputs)
        request.getfixturevalue("large")
        outputs, mapped = read_outputs(tmp_path)
        assert isinstance(outputs.logits, Rows)
        assert len(outputs.logits.parts) == 4
        assert all(isinstance(part, np.memmap) for part in outputs.logits.parts)
        same(outputs)
        assert held == mapped

    def test_more_than_ten(self, tmp_path):
        for k, (z, y) in enumerate(zip(np.split(Z, 20), np.split(Y, 20), strict=True)):
            np.save(tmp_path / f"logits-{k}-of-20.npy", z)
            np.save(tmp_path / f"labels-{k}-of-20.npy", y)
        same(read_outputs(tmp_path)[0])

    def test_a_whole_array_goes_before_parts(self, tmp_path):
        np.save(tmp_path / "logits.npy", Z)
        np.save(tmp_path / "labels.npy", Y)
        parts(tmp_path, -Z, "outputs")
        outputs, _ = read_outputs(tmp_path)
        same(outputs)
        assert any("not used: 'outputs_000'" in note for note in outputs.notes)

    def test_refused(self, tmp_path):
        parts(tmp_path, Z, "logits")
        parts(tmp_path, Y, "labels", (120, 131, 390))
        with pytest.raises(InputError, match=r"labels_000.npy has 120 rows, logits_000.npy 130|logits_000.npy has 130"):
            read_outputs(tmp_path)
        parts(tmp_path, Y, "labels")
        np.save(tmp_path / "logits_2.npy", Z[:3])
        with pytest.raises(InputError, match=r"the same part of logits"):
            read_outputs(tmp_path)
        (tmp_path / "logits_2.npy").unlink()
        np.save(tmp_path / "logits_002.npy", Z[131:390].astype(np.float16))
        with pytest.raises(
            InputError, match=r"logits_002.npy holds float16 of shape \(259, 4\), logits_000.npy float32"
        ):
            read_outputs(tmp_path)
        (tmp_path / "logits_002.npy").unlink()
        with pytest.raises(InputError, match=r"part 2 of logits is missing: the next is logits_003.npy"):
            read_outputs(tmp_path)
        (tmp_path / "logits_003.npy").unlink()
        with pytest.raises(InputError, match=r"2 parts"):
            read_outputs(tmp_path)


class TestParquet:
    def write(self, path, columns, **more):
        pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table(columns), path, **more)

    def columns(self, some=slice(None)):
        return {f"logit_{k}": Z[some, k] for k in range(4)} | {"label": Y[some], "file": [str(i) for i in Y[some]]}

    def test_row_groups(self, tmp_path, request):
        path = tmp_path / "some.parquet"
        self.write(path, self.columns(), row_group_size=90)
        held, _ = read_outputs(path)
        same(held)
        request.getfixturevalue("large")
        outputs, _ = read_outputs(path)
        assert isinstance(outputs.logits, Rows)
        assert outputs.logits.parts[0].dtype == np.float32  # mapped, not widened
        same(outputs)
        assert outputs.notes == held.notes

    def test_classes_among_other_columns(self, tmp_path, large):
        columns = self.columns()
        mixed = {"loss": Z[:, 0], "logit_1": columns["logit_1"], "margin": Z[:, 1], **columns}
        self.write(tmp_path / "some.parquet", mixed)
        outputs, _ = read_outputs(tmp_path / "some.parquet")
        assert isinstance(outputs.logits, Rows)
        assert outputs.logits.columns is not None
        same(outputs)

    def test_lists(self, tmp_path, request):
        path = tmp_path / "some.parquet"
        self.write(path, {"logits": list(Z), "label": Y}, row_group_size=90)
        same(read_outputs(path)[0])
        request.getfixturevalue("large")
        outputs, _ = read_outputs(path)
        assert isinstance(outputs.logits, Rows)
        same(outputs)

    def test_lists_of_other_lengths(self, tmp_path, large):
        self.write(tmp_path / "some.parquet", {"logits": [[1.0, 2.0], [1.0]], "label": [0, 1]})
        with pytest.raises(InputError, match="column 'logits': its lists have not all the same length"):
            read_outputs(tmp_path / "some.parquet")

    @pytest.mark.parametrize("many", [True, False])
    def test_a_folder(self, tmp_path, many, request):
        if many:
            request.getfixturevalue("large")
        for k, some in enumerate(np.split(np.arange(500), 20)):
            self.write(tmp_path / f"part-{k}.parquet", self.columns(some))
        outputs, _ = read_outputs(tmp_path)
        assert isinstance(outputs.logits, Rows) == many
        same(outputs)

    def test_a_folder_of_other_tables(self, tmp_path):
        self.write(tmp_path / "a.parquet", self.columns())
        self.write(tmp_path / "b.parquet", {"logit_0": Z[:, 0], "label": Y})
        with pytest.raises(InputError, match=r"b.parquet has other columns than a.parquet"):
            read_outputs(tmp_path)

    def test_no_room(self, tmp_path, large, monkeypatch):
        self.write(tmp_path / "some.parquet", self.columns())

        class Full:
            def write(self, _):
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
        with pytest.raises(InputError, match=r"no room \(No space left on device\). Set TMPDIR"):
            read_outputs(tmp_path / "some.parquet")


def test_columns_of_a_matrix_are_not_copied(monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 0)
    matrix = np.arange(60.0).reshape(10, 6)
    assert np.shares_memory(together([matrix[:, k] for k in range(6)]), matrix)
    some = together([matrix[:, k] for k in (5, 0, 3)])
    assert np.shares_memory(some.parts[0], matrix)
    np.testing.assert_array_equal(np.asarray(some), matrix[:, [5, 0, 3]])
    apart = [matrix[:, 0].copy(), matrix[:, 1], matrix[:, 2].astype(np.float32)]
    np.testing.assert_array_equal(together(apart), matrix[:, :3])
    np.testing.assert_array_equal(together([c.copy() for c in matrix.T]), matrix)
    np.testing.assert_array_equal(
        together([matrix[:4, 0], matrix[4:8, 0]]), np.stack([matrix[:4, 0], matrix[4:8, 0]], 1)
    )
