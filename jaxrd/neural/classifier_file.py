"""A classifier as a file: one .npz of its sizes and parameters, with their digest."""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

from jaxrd.datasets import embedded_path
from jaxrd.neural.archive import opened, refuse_other_digest, refuse_other_schema
from jaxrd.neural.classifier import THICKNESS, LeNet, flatten, restored

SCHEMA = "jaxrd.classifier/1"


def digest(model: LeNet) -> str:
    """16 hexadecimal digits that tell classifiers apart."""
    total = hashlib.sha256(repr(_sizes(model)).encode())
    for name, values in sorted(flatten(model).items()):
        total.update(name.encode() + np.ascontiguousarray(values, "<f4").tobytes())
    return total.hexdigest()[:16]


def _sizes(model: LeNet) -> dict[str, Any]:
    return {
        "shape": list(model.shape), "classes": model.classes, "widths": list(model.widths),
        "mean": model.mean, "deviation": model.deviation,
    }  # fmt: skip


def to_bytes(model: LeNet) -> bytes:
    """The file's content: sizes, parameters by dotted name, their digest."""
    buffer = io.BytesIO()
    held: dict[str, Any] = {"schema": SCHEMA, "sizes": json.dumps(_sizes(model)), "digest": digest(model)}
    held |= flatten(model)
    np.savez_compressed(buffer, **held)
    return buffer.getvalue()


def read(path: Path) -> LeNet:
    """The classifier a file holds.

    Args:
        path: of what `to_bytes` made.

    Raises:
        ModelError: it holds no classifier, or one whose digest differs from the one stated.
        OSError: there is no such file.
    """
    with opened(path, "classifier") as held:
        refuse_other_schema(held, SCHEMA)
        model = restored(held, partial(_sized, json.loads(str(held["sizes"]))))
        named = str(held["digest"])
    refuse_other_digest(path, digest(model), named)
    return model


def _sized(sizes: dict[str, Any]) -> LeNet:
    """A classifier of these sizes.

    Raises:
        ValueError, TypeError, KeyError: they are no sizes.
    """
    (height, width, channels), widths = sizes["shape"], tuple(sizes["widths"])
    if any(type(n) is not int or n < 1 for n in (height, width, channels, sizes["classes"], *widths)):
        raise ValueError(f"sizes must be whole and positive; got {str(sizes)[:80]}")
    scale = float(sizes["mean"]), float(sizes["deviation"])
    if not (np.isfinite(scale).all() and scale[1] > 0):
        raise ValueError(f"mean and deviation must be finite; got {scale}")
    return LeNet(
        (height, width, channels), sizes["classes"], widths=widths, mean=scale[0], deviation=scale[1],
        rngs=nnx.Rngs(0),
    )  # fmt: skip


def load_thickness() -> LeNet:
    """The trained classifier of `datasets.thickness_classes` that ships with the package.

    Its accuracy and how it was trained stand in `jaxrd/data/PROVENANCE.json`.
    """
    return read(embedded_path(THICKNESS))
