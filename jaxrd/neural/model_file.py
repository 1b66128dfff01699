"""A trained code as a file: one .npz of parameters by dotted name, which knows its own digest."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxrd.errors import ModelError
from jaxrd.neural.codec import Model
from jaxrd.neural.train import Code, initial

PARTS = ("encoder", "decoder")


def _named(parameters: dict[str, Any]) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path({part: parameters[part] for part in PARTS})
    return {".".join(str(k.key) for k in path): np.asarray(leaf) for path, leaf in leaves}


def to_bytes(model: Model) -> bytes:
    """The file's content: encoder, decoder, what they agree on, the frequencies of their messages; no critic."""
    buffer = io.BytesIO()
    rest: dict[str, Any] = {"code": json.dumps(vars(model.code)), "frequencies": np.asarray(model.frequencies)}
    rest |= {"digest": model.digest().hex()} | _named(model.parameters)
    np.savez_compressed(buffer, **rest)
    return buffer.getvalue()


def read(path: Path) -> Model:
    """The model a file holds.

    Args:
        path: of what `to_bytes` made.

    Raises:
        ModelError: it holds no model, or what it holds has not the digest it names.
        OSError: there is no such file.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
        code = Code(**json.loads(str(held["code"])))
        like = jax.eval_shape(lambda: {part: initial(code, 0).parameters[part] for part in PARTS})
        parameters = jax.tree_util.tree_map_with_path(
            lambda way, leaf: held[".".join(str(k.key) for k in way)].reshape(leaf.shape), like
        )
        model = Model(code, parameters, held["frequencies"])
        named = str(held["digest"])
    except (
        KeyError, TypeError, ValueError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ModelError(f"{path} holds no model of a code: {error}") from error
    if model.digest().hex() != named:
        raise ModelError(f"{path} is damaged: its parameters have digest {model.digest().hex()}, not {named}.")
    return model
