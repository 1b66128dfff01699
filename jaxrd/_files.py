"""Untrusted files: only regular ones, no content larger than they can hold, one line for any error of a parser."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxrd.errors import InputError

_MOST_EXPANSION = 100
"""Content that unpacks to more than this many times the size of its file is refused, if it exceeds a stated size."""
_SMALL_TEXT = 1 << 26
"""Bytes that a gzipped file of any size may unpack to."""
SMALL = 1 << 28
"""Bytes that a compressed array in a file of any size may take, as a distortion may be mostly one number."""


def _need_regular(path: Path) -> None:
    """Refuse files that may never end: pipes, devices.

    Raises:
        InputError: the file is missing or no regular file.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if not path.is_file():
        raise InputError(f"{path} is no regular file; save its content to one.")


def read_bytes(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        InputError: it is no regular file.
        OSError: it cannot be read.
    """
    if path.exists() and not path.is_dir():  # these say what they are
        _need_regular(path)
    return path.read_bytes()


def unpacked(path: Path) -> bytes:
    """The content of a gzipped file.

    Raises:
        InputError: it is no regular file, or unpacks to more than `room`.
        OSError, EOFError, zlib.error: it cannot be read, is no gzip, or damaged.
    """
    if path.exists() and not path.is_dir():  # these say what they are
        _need_regular(path)
    most = room(path, _SMALL_TEXT)
    with gzip.open(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path.name} unpacks to more than {_MOST_EXPANSION} times its size; unpack it first.")
    return content


def room(path: Path, small: int = SMALL) -> int:
    """Bytes that the compressed content of a file may take unpacked."""
    return max(small, _MOST_EXPANSION * path.stat().st_size)


def refuse_claim(path: Path, what: str, size: int, most: int | None = None) -> None:
    """Refuse content that claims more than its file can hold, before it is allocated.

    Args:
        path: the file.
        what: the array, for the error.
        size: bytes claimed.
        most: the most bytes possible; None: `room`, for content that may be compressed.

    Raises:
        InputError: it claims more.
    """
    if size > (room(path) if most is None else most):
        raise InputError(
            f"{path.name}: {what} claims {size} bytes, more than its file can hold"
            + ("." if most is not None else f" ({_MOST_EXPANSION} times its size); save it as .npz, uncompressed.")
        )


def damaged(path: Path, kind: str, error: BaseException) -> InputError:
    """The refusal of a file that is not what it should be."""
    # The text of the error may quote the damaged bytes.
    return InputError(f"{path} cannot be read as {kind}, it may be truncated or damaged ({type(error).__name__}).")


def is_panic(error: BaseException) -> bool:
    """Whether an error, which is no Exception, is how parsers written in Rust fail."""
    return type(error).__name__ == "PanicException"


@contextmanager
def parsing(path: Path, kind: str) -> Iterator[None]:
    """Any error of a parser on the content of `path` becomes one line.

    Raises:
        InputError: the file is missing, no regular file (a pipe may never end), or not what it should be.
    """
    _need_regular(path)
    try:
        yield
    except (InputError, PermissionError):
        raise
    except Exception as error:  # the content is not trusted: a parser may raise any error on it
        raise damaged(path, kind, error) from None
    except BaseException as error:
        if not is_panic(error):
            raise
        raise damaged(path, kind, error) from None
