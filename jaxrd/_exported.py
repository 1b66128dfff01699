"""Programs that are traced once for all processes: their StableHLO lies beside the compiled programs that are kept."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jaxlib

from jaxrd import _kept
from jaxrd._version import __version__

_lock = threading.Lock()
_loaded: dict[str, Any] = {}


def exported(function: Callable[..., Any], result: Callable[..., Any], *arguments: Any, **static: Any) -> Any:
    """function(*arguments, **static); the StableHLO that an earlier process made serves in place of tracing it.

    Tracing takes as long as loading the compiled program. The file is named by all that the trace depends on: the
    sources of jaxrd, the versions of JAX, the shapes and types, the static arguments.

    Args:
        function: jitted, of a module of jaxrd.
        result: makes its result from the leaves.
        arguments: pytrees of arrays with known values.
        static: its static arguments by name: numbers, or functions of a module of jaxrd.
    """
    folder = _kept.kept_in()
    leaves, tree = jax.tree.flatten(arguments)
    lasting = all(_lasting(value) for value in (function, *static.values()))
    if folder is None or not lasting or not all(map(_on_one_device, leaves)):
        return function(*arguments, **static)
    key = _key(function, leaves, tree, static)
    with _lock:
        call = _loaded.get(key)
        if call is None:
            program = _program(folder / f"{key}-stablehlo", function, leaves, tree, static)
            call = _loaded[key] = jax.jit(program, compiler_options=_options())
    try:
        return result(*call(*leaves))
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        _loaded[key] = jax.jit(call.__wrapped__)  # pyright: ignore  # a newer XLA has given it up
        return result(*_loaded[key](*leaves))


def _options() -> dict[str, bool]:
    """On a CPU, XLA's older generator of fused operations: it compiles faster, and small programs run as fast.

    Where XLA_FLAGS chooses one, that choice stands.
    """
    name = "xla_cpu_use_fusion_emitters"
    if jax.default_backend() != "cpu" or name in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {name: False}


def _lasting(value: Any) -> bool:
    """Whether a name stands for it in another process."""
    if not callable(value):
        return isinstance(value, int | str | bool)
    module, name = getattr(value, "__module__", ""), getattr(value, "__qualname__", "")
    return module.startswith("jaxrd.") and getattr(sys.modules.get(module), name, None) is value


def _on_one_device(leaf: Any) -> bool:
    """Whether it lies on one device of the default kind: the exported program is made for that."""
    if jax.config.jax_default_device is not None:  # pyright: ignore
        return False
    devices = leaf.devices() if isinstance(leaf, jax.Array) else ()
    return len(devices) <= 1 and all(device.platform == jax.default_backend() for device in devices)


def _key(function: Callable, leaves: list, tree: Any, static: dict[str, Any]) -> str:
    of_leaves = [(jax.numpy.shape(a), str(jax.dtypes.result_type(a))) for a in leaves]
    named = {k: f"{v.__module__}.{v.__qualname__}" if callable(v) else repr(v) for k, v in static.items()}
    about = function.__module__, function.__qualname__, of_leaves, str(tree), sorted(named.items()), _surroundings()
    options = jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision  # pyright: ignore
    return hashlib.sha256(repr((*about, options)).encode()).hexdigest()


@cache
def _surroundings() -> tuple:
    """What else a trace depends on."""
    package = Path(__file__).parent
    sources = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        sources.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    versions = __version__, jax.__version__, jaxlib.__version__
    return sources.hexdigest(), versions, jax.default_backend(), os.environ.get("XLA_FLAGS")


def _program(path: Path, function: Callable, leaves: list, tree: Any, static: dict[str, Any]) -> Callable[..., Any]:
    from jax import export

    with suppress(Exception):  # missing, or damaged in any way
        return export.deserialize(bytearray(path.read_bytes())).call

    def flat(*leaves: Any) -> list:
        return jax.tree.leaves(function(*jax.tree.unflatten(tree, leaves), **static))

    made = export.export(jax.jit(flat))(*leaves)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        part.write_bytes(made.serialize())
        part.replace(path)
    return made.call
