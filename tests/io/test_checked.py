"""What was written is read, or nothing."""

import numpy as np
import pytest

from jaxrd.errors import InputError
from jaxrd.io.checked import checked, digest, read_checked

ARRAYS = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.float32(2.5),
    "c": np.array([np.inf, np.nan]),
    "e": np.zeros((0, 2)),
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "x.npz").write_bytes(checked(ARRAYS))
    return tmp_path / "x.npz"


def test_what_was_written_is_read(path):
    found = read_checked(path)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_the_digest_sees_names_types_and_shapes():
    one = np.arange(6.0)
    others = [{"b": one}, {"a": one.reshape(2, 3)}, {"a": one.view(np.int64)}, {"a": -one}, {"a": one, "b": one}, {}]
    assert len({digest(arrays) for arrays in ({"a": one}, *others)}) == 7


def test_a_cut_file_is_refused(path):
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_checked(path)


def test_a_wrong_byte_is_refused_or_changes_nothing(path):
    content = path.read_bytes()
    refused = 0
    places = range(0, len(content), 7)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        try:
            assert digest(read_checked(path)) == digest(ARRAYS)
        except InputError:
            refused += 1
    assert refused > len(places) / 2


@pytest.mark.parametrize(
    "arrays", [{"a": np.zeros(2)}, {"a": np.zeros(2), "digest": 3}, {"digest": np.array("0" * 64)}]
)
def test_other_files_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=r"x\.npz is not what was written"):
        read_checked(tmp_path / "x.npz")
    with pytest.raises(InputError, match="does not exist"):
        read_checked(tmp_path / "y.npz")
