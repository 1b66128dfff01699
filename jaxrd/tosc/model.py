"""A model's outputs from the model itself: it is called on batches, and its scores are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.tosc.outputs import Outputs, Progress, from_scores
from jaxrd.tosc.rows import LARGE, Rows
from jaxrd.tosc.scores import as_array


def from_model(
    predict: Callable[[Any], Any],
    batches: Iterable[tuple[Any, Any]],
    *,
    probabilities: bool | None = None,
    first_label: int | None = None,
    progress: Progress = None,
) -> Outputs:
    """The outputs of a model on batches: y -> s(x), for `tosc.limits`; inputs are dropped once they were scored.

    Scores are kept in the precision in which the model gives them, and each is held once: more than 32 million stay
    in the parts that the batches made, and become logits a block at a time when they are used. Tensors of PyTorch (they
    are detached, and copied to the host), of JAX, and whatever DLPack or numpy can read are taken as they come.

    Args:
        predict: inputs of a batch -> scores, shape (samples, classes), or (samples,) for two classes: logits or
            probabilities, as in `tosc.from_scores`.
        batches: pairs (inputs, labels); labels are integers, shape (samples,).
        probabilities: True: scores are probabilities; False: logits; None: their rows decide.
        first_label: the number that labels give the first class; None: 0, unless that is in doubt.
        progress: called as progress("scoring", done, done) after each batch.

    Raises:
        InputError: one line that quotes the offending value, and the number of its batch.

    Reference: [A] eq. (7), whose logits these are.

    >>> batches = [(np.array([[2.0, 0.0], [0.0, 1.0]]), [0, 1]), (np.array([[0.5, 3.0]]), [1])]
    >>> from_model(lambda x: 2 * x, batches).decisions.tolist()
    [0, 1, 1]
    """
    parts: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for number, batch in enumerate(batches):
        inputs, truth = _pair(batch, number)
        # Copied: a model may write its next scores to the same memory.
        scores = np.array(as_array(predict(inputs), f"the scores of batch {number}"))
        truth = np.array(as_array(truth, f"the labels of batch {number}"))
        _refuse_unless_alike(scores, truth, parts, number)
        parts.append(scores)
        labels.append(truth)
        if progress is not None:
            progress("scoring", number + 1, number + 1)
    if not parts:
        raise InputError("there is no batch: batches must give at least one pair (inputs, labels).")
    known = np.concatenate(labels)
    many = parts[0].ndim == 2 and sum(part.size for part in parts) > LARGE and parts[0].shape[1] > 1
    held = Rows(parts) if many else np.concatenate(parts)
    if not many:
        parts.clear()
    return from_scores(held, known, probabilities=probabilities, first_label=first_label, progress=progress)


def _pair(batch: Any, number: int) -> tuple[Any, Any]:
    """Inputs and labels of a batch.

    Raises:
        InputError: it is no pair.
    """
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return batch[0], batch[1]
    got = type(batch).__name__
    if isinstance(batch, Mapping):
        got += f" with {', '.join(map(str, batch.keys()))}"
    elif isinstance(batch, tuple | list):
        got += f" of {len(batch)}"
    raise InputError(
        f"batch {number} must be a pair (inputs, labels); got a {got}. Make pairs of it, such as "
        "((batch['image'], batch['label']) for batch in loader)."
    )


def _refuse_unless_alike(scores: np.ndarray, labels: np.ndarray, before: list[np.ndarray], number: int) -> None:
    """Refuse a batch whose arrays do not fit together, or not those before it.

    Raises:
        InputError: they do not.
    """
    if scores.ndim == 0 or labels.shape[:1] != scores.shape[:1]:
        raise InputError(
            f"batch {number} has scores of shape {scores.shape} and labels of shape {labels.shape}; both must have an "
            "entry a sample."
        )
    if before and scores.shape[1:] != before[0].shape[1:]:
        raise InputError(
            f"batch {number} has scores of shape {scores.shape}, those before it (samples, "
            f"{', '.join(map(str, before[0].shape[1:]))}): a model has the same classes in every batch."
        )
