"""A trained network in an .npz: read though it is not trusted, and refused in one line."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from jaxrd._files import read_bytes, refuse_claim
from jaxrd.errors import ModelError


@contextmanager
def opened(path: Path, kind: str) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of a file by name; any error of a reader on them, until the block ends, becomes one line.

    Args:
        path: of an .npz.
        kind: what the file should hold, for the error.

    Raises:
        ModelError: it holds no such thing.
        OSError: there is no such file.
    """
    content = io.BytesIO(read_bytes(path))
    try:
        with zipfile.ZipFile(content) as archive:
            refuse_claim(path, f"the {kind}", sum(part.file_size for part in archive.infolist()))
        with np.load(content, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
        yield held
    except Exception as error:  # the content is not trusted: a parser may raise any error on it
        words = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} holds no {kind}: {words or type(error).__name__}") from error


def refuse_other_schema(held: dict[str, np.ndarray], schema: str) -> None:
    """Refuse a file of another kind, or of another version.

    Raises:
        ValueError, KeyError: its schema is another, or there is none.
    """
    if (found := str(held["schema"])) != schema:
        raise ValueError(f"its schema is {found[:40]!r}, not {schema!r}")


def refuse_other_digest(path: Path, found: str, stated: str) -> None:
    """Refuse parameters that are not those that were written.

    Raises:
        ModelError: their digest is not the one that the file states.
    """
    if found != stated:
        raise ModelError(f"{path} is damaged: its parameters have digest {found}, not {stated}.")
