"""A sweep goes on where it was killed, and uses nothing that another run or a damaged disk left."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import Problem, _resume, sweep
from jaxrd._resume import NAME, claim, fingerprint, kept, kept_sweep
from jaxrd.errors import InputError

G = np.random.default_rng(0)
GIVEN = Problem(G.dirichlet(np.ones(5)), G.gamma(0.5, size=(5, 4)))
PROBLEM = jax.tree.map(jnp.asarray, GIVEN)
GRID = np.geomspace(0.1, 30, 75)
OPTIONS = {"slopes": "75 from 0.1 to 30", "tolerance": 1e-9, "dtype": "float64"}


def claimed(folder, problem=GIVEN, **other):
    return claim(folder, fingerprint(problem, **(OPTIONS | other)))


@pytest.fixture
def solved(monkeypatch):
    """The slopes of every call of the solver."""
    calls = []

    def counted(problem, slopes, **options):
        calls.append(np.asarray(slopes))
        return sweep(problem, slopes, **options)

    monkeypatch.setattr(_resume, "sweep", counted)
    return calls


def assert_same(found, expected):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


def numpy_of(solution):
    return jax.device_get(solution)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_bits_as_without_a_folder(tmp_path, solved, dtype):
    problem = jax.tree.map(lambda a: a.astype(dtype), PROBLEM)
    expected = numpy_of(sweep(problem, GRID))
    seen = []
    place = claimed(tmp_path, dtype=dtype)
    assert_same(kept_sweep(place, problem, GRID, progress=lambda *at: seen.append(at)), expected)
    assert [len(slopes) for slopes in solved] == [32, 32, 11]
    assert seen[-1] == (75, 75)
    assert seen == sorted(seen)
    assert_same(kept_sweep(claimed(tmp_path, dtype=dtype), problem, GRID), expected)
    assert len(solved) == 3


@pytest.mark.parametrize("after", [1, 2])
def test_at_most_one_batch_is_lost(tmp_path, solved, after):
    def stop(done, total):
        if done > 32 * after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept_sweep(claimed(tmp_path), PROBLEM, GRID, progress=stop)
    assert len(list(tmp_path.glob("slopes-*.npz"))) == after
    solved.clear()
    assert_same(kept_sweep(claimed(tmp_path), PROBLEM, GRID), numpy_of(sweep(PROBLEM, GRID)))
    assert [slopes[0] for slopes in solved] == GRID[32 * after :: 32].tolist()


def test_a_batch_holds_no_more_slopes_than_fit_at_once(tmp_path, solved, monkeypatch):
    monkeypatch.setattr(_resume, "lanes", lambda problem: 3)
    kept_sweep(claimed(tmp_path), PROBLEM, GRID[:7])
    assert [len(slopes) for slopes in solved] == [3, 3, 1]


OTHERS = {
    "problem": {"problem": Problem(GIVEN.source, GIVEN.distortion + np.eye(5, 4) * 1e-15)},
    "slopes": {"slopes": "76 from 0.1 to 30"},
    "tolerance": {"tolerance": 1e-8},
    "dtype": {"dtype": "float32"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_run_is_refused(tmp_path, name):
    claimed(tmp_path)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(InputError, match="holds another run") as error:
        claimed(tmp_path, **OTHERS[name])
    differing = {
        other for other in (*OTHERS, "jaxrd", "jax", "device", "mesh") if f"its {other} is" in str(error.value)
    }
    assert differing == {name}
    assert "\n" not in str(error.value)
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize("name", ["jaxrd", "jax", "device", "mesh"])
def test_another_version_is_refused(tmp_path, name):
    run = fingerprint(GIVEN, **OPTIONS)
    claim(tmp_path, run)
    with pytest.raises(
        InputError, match=f"holds another run: its {name} is {run[name].replace('(', '.').split('.')[0]}"
    ):
        claim(tmp_path, run | {name: "0.0.1"})


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is damaged; delete it"), (b"[1]", "is no description of a sweep"), (b'{"mine": 1}', "is no description")],
)
def test_a_damaged_description_is_refused(tmp_path, content, message):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=message):
        claimed(tmp_path)
    assert (tmp_path / NAME).read_bytes() == content


def test_batches_outlive_the_description(tmp_path, solved):
    kept_sweep(claimed(tmp_path), PROBLEM, GRID)
    (tmp_path / NAME).unlink()
    solved.clear()
    kept_sweep(claimed(tmp_path), PROBLEM, GRID)
    assert not solved


def test_a_cut_or_damaged_batch_is_computed_again(tmp_path, solved):
    expected = kept_sweep(claimed(tmp_path), PROBLEM, GRID)
    bits = np.asarray(expected.rate)[-1].tobytes()
    (path,) = [path for path in tmp_path.glob("slopes-*.npz") if bits in path.read_bytes()]
    damages = (lambda b: b[:-40], lambda b: b"", lambda b: b.replace(bits, bits[::-1]))
    for damage in damages:
        good = path.read_bytes()
        path.write_bytes(damage(good))
        assert path.read_bytes() != good
        solved.clear()
        assert_same(kept_sweep(claimed(tmp_path), PROBLEM, GRID), expected)
        assert len(solved) == 1
        assert path.read_bytes() == good
    # An .npz whose numbers were changed with care, but for the digest.
    with np.load(path) as held:
        named = dict(held)
    np.savez(path, **(named | {"rate": named["rate"] + 1}))
    assert_same(kept_sweep(claimed(tmp_path), PROBLEM, GRID), expected)


def test_no_batch_of_another_run_is_used_whatever_its_name(tmp_path, solved):
    """Two runs may meet in a new folder, and files may be copied."""
    other = Problem(GIVEN.source, GIVEN.distortion * 2)
    kept_sweep(claimed(tmp_path / "b", other), jax.tree.map(jnp.asarray, other), GRID)
    (tmp_path / "a").mkdir()
    expected = kept_sweep(claimed(tmp_path / "c"), PROBLEM, GRID)
    names = sorted(path.name for path in (tmp_path / "c").glob("*.npz"))
    foreign = sorted((tmp_path / "b").glob("*.npz"))
    assert not set(names) & {path.name for path in foreign}
    for name, path in zip(names, foreign, strict=True):
        shutil.copy(path, tmp_path / "a" / name)
    solved.clear()
    assert_same(kept_sweep(claimed(tmp_path / "a"), PROBLEM, GRID), expected)
    assert len(solved) == 3
    # Nor one of the same run under the name of another batch.
    shutil.copy(tmp_path / "c" / names[0], tmp_path / "c" / names[1])
    solved.clear()
    assert_same(kept_sweep(claimed(tmp_path / "c"), PROBLEM, GRID), expected)
    assert len(solved) == 1


def test_kinds_and_keys_are_apart(tmp_path):
    place = claimed(tmp_path)
    points = [jax.tree.map(lambda a, k=k: a + 0 * k, sweep(PROBLEM, [1.0 + k])) for k in range(3)]
    asked = [("slopes", [1.0]), ("at", [1.0]), ("at", [2.0])]
    for (kind, key), point in zip(asked, points, strict=True):
        kept(place, kind, np.array(key), lambda point=point: point)
    for (kind, key), point in zip(asked, points, strict=True):
        assert_same(kept(place, kind, np.array(key), lambda: pytest.fail("it is kept")), numpy_of(point))


def test_the_description_is_read_by_people(tmp_path):
    claimed(tmp_path)
    held = json.loads((tmp_path / NAME).read_text())
    assert held["schema"] == "jaxrd.resume/1"
    assert held["slopes"] == OPTIONS["slopes"]
    assert set(held) == {"schema", "problem", "slopes", "tolerance", "dtype", "jaxrd", "jax", "device", "mesh"}
