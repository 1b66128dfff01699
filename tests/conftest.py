"""Float64 and deterministic hypothesis for every test; real data only where $JAXRD_DATA says it lies."""

import json
import os
import tempfile
from pathlib import Path

import jax
import pytest
from hypothesis import HealthCheck, settings

jax.config.update("jax_enable_x64", True)
# A third of the time to compile, the same results up to rounding; `make optimised` compiles as a user's programs are.
# An option that jaxlib does not know ends the process.
if jax.__version_info__ < (0, 12):
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0 "
        "--xla_cpu_parallel_codegen_split_count=1",
    )
# What was compiled is kept, here and for every subprocess: most of the suite's time is XLA compiling the same programs.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent.parent / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
# The command line keeps what it compiles: not in the home of whoever runs the tests. Workers and subprocesses share it.
if "XDG_CACHE_HOME" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="jaxrd-tests-")
    os.environ["XDG_CACHE_HOME"] = _cache.name
settings.register_profile(
    "jaxrd", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("jaxrd")


@pytest.fixture(autouse=True)
def _no_compilation_cache(monkeypatch):
    """Verbs run inside the tests' process keep nothing: JAX's cache, once on, stays on for every later test, and its
    files of a process that has compiled for minutes were seen to crash it. Subprocesses keep theirs.
    """
    monkeypatch.setattr("jaxrd.cli.app.keep_compilations", lambda: None)
    monkeypatch.setattr("jaxrd._kept._folder", None)


@pytest.fixture(autouse=True)
def _x64():
    """The command line switches x64 as it likes; the next test wants it on."""
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.fixture(autouse=True)
def _files_keep_their_schema(monkeypatch):
    """Every JSON that is saved inside the tests' process is what its schema says, and has no key that it does not."""
    from shared_schemas import refuse_unless_valid

    from jaxrd.io import save

    exchange = save._exchange

    def checked(staging, folder, names):
        for name in (name for name in names if name.endswith(".json")):
            refuse_unless_valid(json.loads((staging / name).read_bytes()))
        exchange(staging, folder, names)

    monkeypatch.setattr(save, "_exchange", checked)


@pytest.fixture(scope="session")
def reference() -> dict:
    """Values computed independently of this project."""
    return json.loads((Path(__file__).parent / "reference.json").read_text())


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; tests that need it are skipped where there is none."""
    folder = os.environ.get("JAXRD_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("JAXRD_DATA does not name a folder: tests on real classifier outputs are left out")
    return Path(folder)


@pytest.fixture(autouse=True, scope="module")
def _room_for_compilations():
    """Forget what was compiled before its memory maps, a handful each, reach what Linux allows a process (65 530 by
    default): XLA crashes there. A module keeps what it compiled.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 25_000:
        jax.clear_caches()
