"""Labels and decisions as numbers of classes, checked, and counted from 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxrd.errors import InputError
from jaxrd.tosc.scores import as_array

FIRST_LABEL = "pass --first-label 1 (first_label=1), or 0 if they are not"
MOST_CLASSES = 20_000
"""The confusion joint is classes x classes: more would take over 3 GB each."""


def class_indices(values: Any, what: str, samples: int | None, hint: str = "") -> np.ndarray:
    """Integers >= 0 of shape (samples,).

    Args:
        values: to be read.
        what: their name in an error.
        samples: how many there must be; None: any number.
        hint: added to the error that there is another number.

    Raises:
        InputError: they are none, or another number of them.
    """
    values = as_array(values, what)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        hint = " If they are one-hot, take their argmax along axis 1." if values.ndim == 2 else ""
        raise InputError(f"{what} must be one class index a sample, shape (samples,); got shape {values.shape}.{hint}")
    if samples is not None and len(values) != samples:
        raise InputError(f"{what} has {len(values)} entries for {samples} samples; both must agree.{hint}")
    if values.size == 0:
        raise InputError(f"{what} is empty: there is no sample to measure.")
    if values.dtype.kind not in "iufb":
        raise InputError(f"{what} must be integers; got {str(values.flat[0])!r} ({values.dtype}).")
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values) | (values != np.round(values))
        if bad.any():
            raise InputError(f"{what} must be integers; got {values[bad][0]} at sample {bad.argmax()}.")
    if (values < 0).any():
        raise InputError(f"{what} must be >= 0; got {values.min():g} at sample {values.argmin()}.")
    if values.max() >= MOST_CLASSES:
        raise InputError(f"{what} must be below {MOST_CLASSES}; got {values.max():g} at sample {values.argmax()}.")
    return values.astype(np.int64)


def check_labels(labels: np.ndarray, classes: int) -> None:
    """Refuse labels that are no classes, or all the same.

    Raises:
        InputError: they are; it says so where they seem to be counted from 1.
    """
    if labels.max() >= classes:
        if labels.min() == 1 and labels.max() == classes:
            raise InputError(
                f"labels look 1-based: they run from 1 to {classes} for {classes} classes. "
                f"Subtract 1 from them, or {FIRST_LABEL}."
            )
        raise InputError(
            f"labels must lie in 0..{classes - 1}, the columns of the scores; got {labels.max()} "
            f"at sample {labels.argmax()}."
        )
    if (labels == labels[0]).all():
        raise InputError(f"all {len(labels)} labels are class {labels[0]}: at least two classes are needed.")


def counted_from_zero(labels: np.ndarray, first_label: int | None, classes: int | None) -> np.ndarray:
    """Labels as they are, or less the number of the first class.

    Raises:
        InputError: one lies below the first class, or beyond the last.
    """
    if not first_label:
        return labels
    if labels.min() < first_label:
        raise InputError(f"labels must be >= {first_label}, the first class; got {labels.min()}.")
    if classes is not None and labels.max() >= classes + first_label:
        raise InputError(
            f"labels must lie in {first_label}..{classes + first_label - 1} for {classes} classes; got {labels.max()} "
            f"at sample {labels.argmax()}."
        )
    return labels - first_label


def doubtful_base(labels: np.ndarray, decisions: np.ndarray, first_label: int | None) -> tuple[str, ...]:
    """A note where no label is class 0: it may be absent, or labels may be counted from 1.

    Raises:
        InputError: counted from 1 they agree with the decisions, beyond chance, more than as they are.
    """
    if first_label is not None or labels.min() == 0:
        return ()
    as_are, shifted = int((labels == decisions).sum()), int((labels - 1 == decisions).sum())
    how = f"{as_are} of {len(labels)} agree with the decisions as they are, {shifted} with 1 subtracted"
    if shifted > as_are + 2 * np.sqrt(shifted + as_are):
        raise InputError(f"labels look 1-based: none is 0, and {how}. Subtract 1 from them, or {FIRST_LABEL}.")
    return (f"no label is 0: taken for an absent class, not for labels counted from 1 ({how})",)
