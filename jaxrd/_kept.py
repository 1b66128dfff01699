"""A cache of compiled programs, with a digest of each: XLA may crash when it loads a damaged one."""

import atexit
import hashlib
import os
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import jax

_DIGEST = ".sha256"
_NEVER = 1e9
"""Seconds, longer than any compilation takes."""
_MOST = 200 << 20
"""Bytes of entries; a new size of a file adds some 1.5 MiB."""


_folder: Path | None = None


def kept_in() -> Path | None:
    """The folder of this process's programs; None where none are kept, or where JAX chose the folder."""
    return _folder


def place() -> Path | None:
    """Where the command line keeps its programs, whether the folder is there or not; None: nowhere."""
    if (chosen := os.environ.get("JAX_COMPILATION_CACHE_DIR")) is not None:
        return Path(chosen) if chosen else None
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxrd"
    except RuntimeError:  # neither HOME nor an entry in the table of users
        return None


def cache() -> Path | None:
    """Keep compiled programs for the next process, as the command line does: same shapes then start in seconds.

    Call it before anything is compiled. They lie in $XDG_CACHE_HOME/jaxrd (~/.cache/jaxrd), at most 200 MiB, each with
    a digest; damaged ones are removed at the next call. Where $JAX_COMPILATION_CACHE_DIR is set nothing is changed.

    Returns:
        The folder; None where there is none. A warning says why new programs cannot be kept.

    >>> import jaxrd
    >>> jaxrd.cache() is None  # there is a folder
    False
    """
    folder, failure = keep()
    if failure:
        warnings.warn(failure, stacklevel=2)
    return folder


def keep() -> tuple[Path | None, str]:
    """`cache`, with why new programs are not kept, in one sentence; "" where they are."""
    folder = place()
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return folder, ""
    if folder is None:
        return None, "what is compiled is not kept: there is no home directory. Set XDG_CACHE_HOME."
    shortest, failure = 0.0, ""  # to load a small program takes less than to compile it
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        _discard(folder)
        atexit.register(_record, folder)
    except OSError as error:
        failure = f"what is compiled is not kept: {folder}: {error.strerror}."
        if not folder.is_dir() or any(not _is_whole(entry) for entry in _entries(folder)):
            return None, failure
        shortest = _NEVER
    # If the disk fills up, JAX warns at every program.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", shortest)
    global _folder
    _folder = folder
    return folder, failure


def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and path.suffix != _DIGEST]


def _digest(entry: Path) -> str:
    return hashlib.sha256(entry.read_bytes()).hexdigest()


def _beside(entry: Path) -> Path:
    return entry.with_name(entry.name + _DIGEST)


def _is_whole(entry: Path) -> bool:
    try:
        return _beside(entry).read_bytes() == _digest(entry).encode()
    except OSError:
        return False


def _age_and_size(entry: Path) -> tuple[float, int, Path]:
    """When it was written, and its bytes; nothing of an entry that another run has just removed."""
    try:
        found = entry.stat()
    except FileNotFoundError:
        return 0.0, 0, entry
    return found.st_mtime, found.st_size, entry


def _discard(folder: Path) -> None:
    """Remove entries that do not match their digest, or have none (their run did not end), and the oldest beyond what
    is kept in all: JAX removes no entry.
    """
    held = 0
    for _, size, entry in sorted((_age_and_size(entry) for entry in _entries(folder)), reverse=True):
        held += size
        if held > _MOST or not _is_whole(entry):
            _beside(entry).unlink(missing_ok=True)
            entry.unlink(missing_ok=True)


def _record(folder: Path) -> None:
    """Write the digests of new entries."""
    with suppress(OSError):
        for entry in _entries(folder):
            if not _beside(entry).exists():
                _beside(entry).write_text(_digest(entry))
