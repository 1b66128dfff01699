"""Write the files of a run together: all or none, never over what the run reads, and with a list to check them by."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from jaxrd.errors import InputError
from jaxrd.io.write import to_json

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None

_LISTED = "files"
"""The key of a document under which it lists the files beside it: SHA-256 by name."""
_PREFIX = ".jaxrd-"
_PATIENCE = 10.0
"""Seconds to wait for another run that is writing to the folder: it only renames."""


def check_target(
    folder: Path, names: Iterable[str], reads: Iterable[Path | None] = (), *, document: str | None = None
) -> None:
    """Fail before the work rather than after it; what is created for the test is removed again.

    Args:
        folder: where files are to be written.
        names: of these files.
        reads: the files that are read, or folders of `.npy`; None is none.
        document: name of the json; an existing one must be written by a verb of jaxrd.

    Raises:
        InputError: a file to be written is one that is read, under any name, or a json that is not jaxrd's; the folder
            is a file.
        OSError: the folder cannot be created or written, or has a folder where a file is to be.
    """
    held = [part for path in reads if path is not None for part in ([*path.glob("*.npy")] if path.is_dir() else [path])]
    for name in (*names, *([] if document is None else [document])):
        target = folder / name
        for path in held:
            with suppress(FileNotFoundError, NotADirectoryError):
                if target.samefile(path):
                    raise InputError(f"{target} would replace {path}, which is read; pass another --out.")
        if name == document and target.is_file() and not _is_ours(target):
            raise InputError(f"{target} is there and is no result of jaxrd's; move it, or pass another --out.")
        _refuse_folder(target)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; results are written to a folder: pass another --out.")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_PREFIX):
            pass
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return b'"schema": "jaxrd.' in file.read(200)


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; a file is to be written there", str(path))


@contextmanager
def undisturbed(then: Callable[..., Any] | None = None) -> Iterator[None]:
    """Ctrl-C waits for the block to end (signals reach the main thread alone).

    Args:
        then: the handler once the block has succeeded; None: the handler before it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pending.append(number))
    after = before
    try:
        yield
        after = then or before
    finally:
        signal.signal(signal.SIGINT, after)
        if pending and after is not signal.SIG_IGN:
            signal.raise_signal(signal.SIGINT)


def save_all(
    folder: Path, files: Iterable[tuple[str, bytes]], document: tuple[str, Mapping[str, Any]] | None = None
) -> list[Path]:
    """Write every file under a temporary name, then rename them: a failure before the end leaves none of them.

    A document is renamed last, after the old one was removed: as long as it is there, `differing` tells whether the
    files beside it are those it was written with. A run that is killed leaves no document.

    Args:
        folder: made where it is not there.
        files: names and contents.
        document: name and content of a json; the SHA-256 of `files` are added to it.

    Returns:
        What was written, the document first.

    Raises:
        InputError: another run is writing to the folder.
        OSError: the folder cannot be written.
    """
    files = list(files)
    if document is not None:
        listed = {name: hashlib.sha256(content).hexdigest() for name, content in files}
        files.append((document[0], to_json({**document[1], _LISTED: listed})))
    with undisturbed():
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            _flush(path.parent)
        for name, _ in files:
            _refuse_folder(folder / name)
        with _alone(folder), tempfile.TemporaryDirectory(dir=folder, prefix=_PREFIX) as staging:
            for name, content in files:
                with (Path(staging) / name).open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            _exchange(Path(staging), folder, [name for name, _ in files])
    written = [folder / name for name, _ in files]
    return written if document is None else [written[-1], *written[:-1]]


def differing(document: Path) -> list[str]:
    """Names of the files beside a document that are missing or not those it was written with.

    Raises:
        InputError: it is no document that lists its files.
        OSError: it cannot be read.
    """
    try:
        listed = json.loads(document.read_bytes())[_LISTED].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{document} lists no files; it was written by another version or is damaged.") from None
    beside = {name: document.parent / name for name, _ in listed}
    return [
        name
        for name, sha256 in listed
        if not beside[name].is_file() or hashlib.sha256(beside[name].read_bytes()).hexdigest() != sha256
    ]


def _exchange(staging: Path, folder: Path, names: list[str]) -> None:
    """Rename the staged files into the folder, the last of them last; a failure puts back what was there."""
    if len(names) == 1:
        os.replace(staging / names[0], folder / names[0])
        return _flush(folder)
    old = staging / "old"
    old.mkdir()
    aside: list[str] = []
    placed: list[str] = []
    try:
        for name in reversed(names):  # the document first
            if os.path.lexists(folder / name):
                os.replace(folder / name, old / name)
                aside.append(name)
                if name == names[-1]:
                    _flush(folder)
        for name in names:
            if name == names[-1]:
                _flush(folder)
            os.replace(staging / name, folder / name)
            placed.append(name)
    except BaseException:
        for name in placed:
            (folder / name).unlink()
        for name in aside:
            os.replace(old / name, folder / name)
        raise
    _flush(folder)


def _flush(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs from writing to the folder; remove the temporary files of killed runs.

    Raises:
        InputError: another one is writing, and does not end.
    """
    handle = os.open(folder, os.O_RDONLY) if fcntl is not None else -1
    try:
        if fcntl is not None and _locked(fcntl, handle, folder):
            for left in folder.glob(f"{_PREFIX}*"):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _locked(fcntl: Any, handle: int, folder: Path) -> bool:
    """Whether the folder is locked; some file systems have no locks."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                raise InputError(f"another run is writing to {folder}; wait for it, or pass another --out.") from None
            time.sleep(0.02)
        except OSError:
            return False
