"""All that decides the result of a training run, kept in its folder: another run is refused there, not continued."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._files import read_bytes
from jaxrd.errors import InputError
from jaxrd.neural.checkpoint import finished
from jaxrd.neural.train import Objective, State

NAME = "run.json"
_VERSION = 1
"""Version of the training step: increased when the same input gives another result."""
_ASKED = 8
"""Number of images whose logits identify the classifier, a function without a name."""
_AGREEMENT = 1e-2
"""How far its logits may differ, relative to the largest, as some devices multiply in fewer bits."""


def digest(tree: Any) -> str:
    """SHA-256 of the leaves of a pytree, with their names, types and shapes."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def described(objective: Objective, legs: Sequence[Any], state: State) -> dict[str, Any]:
    """All that decides the result of `run.train`, by name: digests, and the classifier's logits on a few images.

    `over`, which says how members are trained together, is left out: it only changes rounding.
    """
    return {
        "version": _VERSION,
        "code": repr(objective.code),
        "legs": repr(tuple(legs)),
        "state": digest(state._replace(key=jax.random.key_data(state.key))._asdict()),
        "images": digest(objective.images),
        "labels": digest(objective.labels),
        "weights": digest(jax.tree.map(np.float32, objective.weights._asdict())),
        "logits": np.asarray(objective.logits(jnp.asarray(objective.images[:_ASKED])), float).tolist(),
    }


def claim(folder: Path, run: dict[str, Any]) -> None:
    """Assign the folder to a run, or check that it is this run's already.

    Args:
        folder: made where it is not there.
        run: of `described`.

    Raises:
        InputError: it holds another run, or checkpoints of which nothing is known.
    """
    path = folder / NAME
    try:
        held = json.loads(read_bytes(path))
        if not isinstance(held, dict):
            raise ValueError(f"it holds a {type(held).__name__}")
    except FileNotFoundError:
        held = None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged, so {folder} cannot be continued: {error}. Pass another.") from None
    if held is None:
        if finished(folder):
            raise InputError(f"{folder} holds checkpoints of a run that {NAME} does not describe. Pass another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{NAME}.part")
        temporary.write_text(json.dumps(run))
        os.replace(temporary, path)
        return
    differ = [name for name, value in run.items() if not _same(name, held.get(name), value)]
    if differ:
        raise InputError(
            f"{folder} holds another run: it differs in {', '.join(differ)}. Pass another folder, or delete this one."
        )


def _same(name: str, held: Any, value: Any) -> bool:
    if name != "logits" or held is None:
        return held == value
    try:
        one, other = np.asarray(held, float), np.asarray(value, float)
    except (ValueError, TypeError, OverflowError):  # the numbers are not trusted
        return False
    if one.shape != other.shape or not one.size:
        return one.shape == other.shape
    return bool(np.abs(one - other).max() <= _AGREEMENT * max(1, np.abs(other).max()))
