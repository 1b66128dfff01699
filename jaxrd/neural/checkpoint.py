"""Checkpoints of a training state: written whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxrd.errors import InputError
from jaxrd.neural.train import State


def finished(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first: orbax writes elsewhere and renames."""
    return sorted(p for p in folder.glob("epoch-*") if p.name[6:].isdigit())


def _bare(state: State) -> dict[str, Any]:
    return state._replace(key=jax.random.key_data(state.key))._asdict()


def save(folder: Path, state: State, history: list[dict[str, Any]]) -> None:
    """Add a checkpoint named by the epochs in `history`, then remove older ones.

    Args:
        folder: of one run.
        state: of training.
        history: a row per epoch so far.
    """
    target = folder.absolute() / f"epoch-{len(history):05d}"
    with ocp.PyTreeCheckpointer() as checkpointer:
        # The history is part of the checkpoint, so that both are there or neither.
        checkpointer.save(target, {"state": _bare(state), "history": json.dumps(history)})
    for old in finished(folder)[:-1]:
        shutil.rmtree(old)


def latest(folder: Path, like: State) -> tuple[State, list[dict[str, Any]]] | None:
    """The newest finished checkpoint in the folder as (state, history), or None.

    Args:
        folder: of one run.
        like: a state of the same structure.

    Raises:
        InputError: the checkpoint is damaged.
    """
    paths = finished(folder)
    if not paths:
        return None
    item = {"state": _bare(like), "history": ""}
    # As plain arrays, so that a resumed run uses the programs that the first one compiled.
    plain = {
        "state": jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item["state"]),
        "history": ocp.RestoreArgs(restore_type=str),
    }
    try:
        with ocp.PyTreeCheckpointer() as checkpointer:
            raw = checkpointer.restore(paths[-1].absolute(), item=item, restore_args=plain)
        state = State(**raw["state"])
        return state._replace(key=jax.random.wrap_key_data(state.key)), json.loads(raw["history"])
    except Exception as error:  # orbax and its readers may raise any error on damaged files
        raise InputError(
            f"{paths[-1]} is damaged ({type(error).__name__}); delete it and the run begins from what it was given."
        ) from error
