"""A trained code as a file: one .npz of parameters by dotted name, with their digest."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxrd.neural.archive import opened, refuse_other_digest
from jaxrd.neural.codec import Model
from jaxrd.neural.train import Code, initial

_PARTS = ("encoder", "decoder")


def _named(parameters: dict[str, Any]) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_leaves_with_path({part: parameters[part] for part in _PARTS})
    return {".".join(str(k.key) for k in path): np.asarray(leaf) for path, leaf in leaves}


def to_bytes(model: Model) -> bytes:
    """The file's content: encoder, decoder, their shared code, the frequencies of their messages; no critic."""
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
        ModelError: it holds no model, or a model whose digest differs from the one stated.
        OSError: there is no such file.
    """
    with opened(path, "model of a code") as held:
        code = _code(json.loads(str(held["code"])), held["frequencies"])
        like = jax.eval_shape(lambda: {part: initial(code, 0).parameters[part] for part in _PARTS})
        parameters = jax.tree_util.tree_map_with_path(
            lambda keys, leaf: held[".".join(str(k.key) for k in keys)].reshape(leaf.shape), like
        )
        model = Model(code, parameters, held["frequencies"])
        named = str(held["digest"])
    refuse_other_digest(path, model.digest().hex(), named)
    return model


def _code(held: dict[str, Any], frequencies: np.ndarray) -> Code:
    """The code, if it has as many messages as there are frequencies; this is checked before networks are made of it.

    Raises:
        ValueError, TypeError: it has not, or they are no counts.
    """
    code = Code(**held)
    if any(type(number) is not int for number in (code.dimensions, code.levels)):
        raise ValueError(f"dimensions and levels must be whole; got {code.dimensions} and {code.levels}.")
    if frequencies.ndim != 1 or frequencies.dtype.kind not in "iuf" or not (frequencies >= 0).all():
        raise ValueError("frequencies must be counts >= 0.")
    count = len(frequencies)
    if code.dimensions > count.bit_length() or code.levels**code.dimensions != count:
        raise ValueError(f"{code.levels}^{code.dimensions} messages cannot have {count} frequencies.")
    if not np.isfinite(frequencies.sum(dtype=float) + code.dither + code.sharpness):
        raise ValueError("dither, sharpness and frequencies must be finite.")
    return code
