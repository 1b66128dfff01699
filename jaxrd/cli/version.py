"""`jaxrd --version --verbose`: what a bug report needs, a line a fact."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib import metadata

from jaxrd._version import __version__

_NEEDED = ("jax", "jaxlib", "numpy", "scipy", "matplotlib", "constriction", "typer")
_EXTRAS = (
    "flax",
    "optax",
    "orbax-checkpoint",
    "pyarrow",
    "safetensors",
    "h5py",
    "bjontegaard",
    "hypothesis",
    "torch",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
)
_SETTINGS = (
    "JAX_PLATFORMS",
    "JAX_ENABLE_X64",
    "JAX_COMPILATION_CACHE_DIR",
    "XDG_CACHE_HOME",
    "XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
)


def facts() -> Iterator[tuple[str, str]]:
    """Names and values: versions, devices, where programs are kept, precision, settings of the environment."""
    yield "jaxrd", __version__
    yield "python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", f"{platform.platform()}, {os.cpu_count()} cores"
    for name in _NEEDED:
        yield name, _installed(name) or "not installed"
    yield "extras", ", ".join(f"{name} {found}" for name in _EXTRAS if (found := _installed(name))) or "none"
    yield "devices", _devices()
    yield "programs kept in", _kept()
    yield "float64", _precision()
    for name in _SETTINGS:
        if name in os.environ:
            yield name, os.environ[name] or "(empty)"


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> str:
    import jax

    try:
        found = jax.devices()
    except RuntimeError as error:  # a platform that was asked for does not start: the very thing to report
        return f"none: {' '.join(str(error).split())}"
    kinds = dict.fromkeys(f"{device.platform} ({device.device_kind})" for device in found)
    return f"{len(found)}: {', '.join(kinds)}"


def _kept() -> str:
    from jaxrd._kept import place

    folder = place()
    if folder is None:
        return "nowhere"
    try:
        sizes = [path.stat().st_size for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        return f"{folder} ({error.strerror})"
    return f"{folder} ({len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB)"


def _precision() -> str:
    import jax

    default = "on" if jax.config.read("jax_enable_x64") else "off"
    return f"on in the command line unless --float32; {default} in the library, where it is the caller's choice"


def report() -> str:
    """All facts as text."""
    rows = list(facts())
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)
