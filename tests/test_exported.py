"""Programs traced by an earlier process: the same numbers, no trace, and another one where anything changed."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import _exported, _kept, _points
from jaxrd._exported import exported
from jaxrd.information import normalised
from jaxrd.solution import Solution

SCRIPT = """
import json, sys
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
import jaxrd
if "kept" in sys.argv:
    jaxrd.cache()
traced = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **more: traced.append(more.get("fun_name")) if event.endswith("jaxpr_trace_duration") else None
)
p = np.random.default_rng(0).dirichlet(np.ones(9))
problem = jaxrd.Problem(p, 1 - np.random.default_rng(1).dirichlet(np.ones(5), 9))
curve = jaxrd.sweep(problem, [2.0, 5.0, np.inf])
point = jaxrd.rate_at(problem, 0.6)
leaves = [np.asarray(a).tolist() for a in jax.tree.leaves((curve, point))]
print(json.dumps({"traced": traced, "leaves": leaves}))
"""


def run(folder, *words):
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment |= {"XDG_CACHE_HOME": str(folder), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_second_process_traces_nothing_and_finds_the_same(tmp_path):
    plain, first, second = run(tmp_path), run(tmp_path, "kept"), run(tmp_path, "kept")
    assert plain["leaves"] == first["leaves"] == second["leaves"]
    assert "in_turn" in plain["traced"]
    assert set(second["traced"]) == {"call"}
    (program,) = (tmp_path / "jaxrd").glob("*-stablehlo")
    program.write_bytes(program.read_bytes()[:100])
    assert run(tmp_path, "kept")["leaves"] == plain["leaves"]  # and the damaged one is made anew
    assert set(run(tmp_path, "kept")["traced"]) == {"call"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(_kept, "_folder", tmp_path)
    monkeypatch.setattr(_exported, "_loaded", {})
    return tmp_path


def of(weights):
    return exported(normalised, lambda leaf: leaf, weights)


def test_an_option_that_xla_does_not_know_is_left_out(folder, monkeypatch):
    """As of an older or newer XLA; the next call does not try it again."""
    monkeypatch.setattr(_exported, "_options", lambda: {"xla_cpu_no_such_option": False})
    np.testing.assert_array_equal(of(np.array([1.0, 3.0])), [0.25, 0.75])
    np.testing.assert_array_equal(of(np.array([1.0, 1.0])), [0.5, 0.5])


@pytest.mark.parametrize("flags", ["", "--xla_cpu_use_fusion_emitters=true"])
def test_the_older_generator_compiles_unless_told(folder, monkeypatch, flags):
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert _exported._options() == ({} if flags else {"xla_cpu_use_fusion_emitters": False})


def test_what_the_trace_depends_on_names_the_file(folder, monkeypatch):
    def files():
        return len(list(folder.glob("*-stablehlo")))

    np.testing.assert_array_equal(of(np.array([1.0, 3.0])), [0.25, 0.75])
    np.testing.assert_array_equal(of(np.array([1.0, 1.0])), [0.5, 0.5])
    assert files() == 1
    of(np.ones(3))  # a shape
    assert files() == 2
    of(np.ones(3, np.float32))  # a type
    assert files() == 3
    with jax.enable_x64(not jax.config.jax_enable_x64):  # pyright: ignore
        of(np.ones(3, np.float32))
    assert files() == 4
    with jax.default_matmul_precision("highest"):
        of(np.ones(3))
    assert files() == 5
    monkeypatch.setattr(_exported, "_surroundings", lambda: ("another version",))
    of(np.ones(3))
    assert files() == 6


def test_sources_and_versions_are_surroundings(monkeypatch):
    _exported._surroundings.cache_clear()
    before = _exported._surroundings()
    monkeypatch.setattr(_exported, "__version__", "0.0")
    _exported._surroundings.cache_clear()
    assert _exported._surroundings() != before
    _exported._surroundings.cache_clear()


def test_functions_without_a_lasting_name_are_traced(folder):
    def one(problem, slope, *, tol):
        zero = jnp.zeros_like(slope)
        return Solution(slope, zero, zero, jnp.ones(2), zero, jnp.int32(0), jnp.int32(0))

    slopes = np.ones(4)
    found = exported(_points.in_turn, Solution, None, slopes, 4, 1e-9, solver=one)
    assert found.slope.shape == (4,)
    assert not list(folder.iterdir())


def test_where_the_arrays_lie_is_left_to_jax(folder):
    device = jax.devices()[0]
    np.testing.assert_array_equal(of(jax.device_put(np.array([1.0, 3.0]), device)), [0.25, 0.75])
    assert len(list(folder.iterdir())) == 1
    with jax.default_device(device):  # it may be of another kind than the default
        np.testing.assert_array_equal(of(np.ones(5)), np.full(5, 0.2))
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_written_to(folder, monkeypatch):
    monkeypatch.setattr(_kept, "_folder", folder / "missing")
    np.testing.assert_array_equal(of(np.array([1.0, 3.0])), [0.25, 0.75])
