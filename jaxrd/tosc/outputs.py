"""A classifier's outputs with their labels, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from jaxrd.errors import InputError
from jaxrd.readable import readable

ROW_SUM_TOLERANCE = 1e-3
MOST_CLASSES = 20_000
"""The confusion joint is classes x classes: more would take over 3 GB each."""


@readable
@dataclass(frozen=True)
class Outputs:
    """What `limits` works on. Build it with `from_scores` or `from_decisions`, which check the values.

    Args:
        labels: true classes, int, shape (samples,).
        decisions: the classifier's classes, int, shape (samples,).
        classes: their number M.
        logits: log-probabilities up to a constant a row, shape (samples, classes); None for hard decisions only.
        notes: what was assumed about the input, for people.
    """

    labels: np.ndarray
    decisions: np.ndarray
    classes: int
    logits: np.ndarray | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)

    def take(self, rows: np.ndarray) -> Outputs:
        """The same outputs restricted to some rows."""
        logits = None if self.logits is None else self.logits[rows]
        return Outputs(self.labels[rows], self.decisions[rows], self.classes, logits, self.notes)


def _classes(values: np.ndarray, what: str, samples: int | None) -> np.ndarray:
    """Integers >= 0 of shape (samples,)."""
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise InputError(f"{what} must be one class index a sample, shape (samples,); got shape {values.shape}.")
    if samples is not None and len(values) != samples:
        raise InputError(f"{what} has {len(values)} entries for {samples} samples; both must agree.")
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


def _check_labels(labels: np.ndarray, classes: int) -> None:
    if labels.max() >= classes:
        if labels.min() == 1 and labels.max() == classes:
            raise InputError(
                f"labels look 1-based: they run from 1 to {classes} for {classes} classes. Subtract 1 from them."
            )
        raise InputError(
            f"labels must lie in 0..{classes - 1}, the columns of the scores; got {labels.max()} "
            f"at sample {labels.argmax()}."
        )
    if (labels == labels[0]).all():
        raise InputError(f"all {len(labels)} labels are class {labels[0]}: at least two classes are needed.")


def from_scores(scores: np.ndarray, labels: np.ndarray, *, probabilities: bool | None = None) -> Outputs:
    """Outputs from logits or probabilities, told apart by their rows: >= 0 and summing to 1 are probabilities.

    Log-probabilities count as logits. The decision is the first largest score of a row. A probability of exactly zero
    is read as the smallest normal float32, 1.2e-38: a softmax that underflowed, not a class ruled out.

    Args:
        scores: shape (samples, classes), finite.
        labels: integers in 0..classes-1, shape (samples,).
        probabilities: True insists that the rows are pmfs; None looks at them.

    Raises:
        InputError: one line that quotes the offending value.

    >>> from_scores([[0.9, 0.1], [0.2, 0.8]], [0, 1]).notes
    ('scores read as probabilities (rows are >= 0 and sum to 1)',)
    """
    scores = np.asarray(scores)
    if scores.ndim != 2:
        raise InputError(f"scores must have shape (samples, classes); got {scores.shape}.")
    if scores.dtype.kind not in "iufb":
        raise InputError(f"scores must be numbers; got {scores.dtype}.")
    if scores.shape[0] == 0:
        raise InputError("scores is empty: there is no sample to measure.")
    if scores.shape[1] < 2:
        raise InputError(f"scores has {scores.shape[1]} column: at least two classes are needed.")
    bad = ~np.isfinite(scores)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise InputError(f"scores must be finite; got {scores[i, j]} at sample {i}, class {j}.")
    labels = _classes(labels, "labels", len(scores))
    _check_labels(labels, scores.shape[1])

    values = scores.astype(np.float64)
    sums = values.sum(1)
    off = np.abs(sums - 1)
    if probabilities is None:
        probabilities = bool((values >= 0).all() and off.max() <= ROW_SUM_TOLERANCE)
    if probabilities:
        if (values < 0).any():
            i, j = np.argwhere(values < 0)[0]
            raise InputError(
                f"probabilities must be >= 0; got {values[i, j]:g} at sample {i}, class {j}. "
                "Store logits under the key 'logits'."
            )
        if off.max() > ROW_SUM_TOLERANCE:
            i = off.argmax()
            raise InputError(
                f"probabilities must sum to 1 in each row; row {i} sums to {sums[i]:.6g}. "
                "Store logits under the key 'logits'."
            )
        note = "scores read as probabilities (rows are >= 0 and sum to 1)"
        # A probability of zero stays the least of its row: the smallest float32 stands in for it.
        logits = np.log(np.maximum(values / sums[:, None], float(np.finfo(np.float32).tiny)))
    else:
        note = "scores read as logits"
        logits = values
    return Outputs(labels, scores.argmax(1).astype(np.int64), scores.shape[1], logits, (note,))


def from_decisions(decisions: np.ndarray, labels: np.ndarray, *, classes: int | None = None) -> Outputs:
    """Outputs from hard decisions alone; curves that need soft outputs are then absent.

    Args:
        decisions: the classifier's classes, integers, shape (samples,).
        labels: true classes, integers, shape (samples,).
        classes: their number; None: one more than the largest seen.

    Raises:
        InputError: one line that quotes the offending value.
    """
    labels = _classes(labels, "labels", None)
    decisions = _classes(decisions, "predictions", len(labels))
    if labels.min() == 1 and decisions.min() == 0 and labels.max() == decisions.max() + 1:
        raise InputError(
            f"labels look 1-based: they run from 1 to {labels.max()}, the predictions from 0 to {decisions.max()}. "
            "Subtract 1 from the labels."
        )
    seen = int(max(labels.max(), decisions.max())) + 1
    count = seen if classes is None else classes
    if count < seen:
        raise InputError(f"classes is {count}, but class {seen - 1} occurs.")
    _check_labels(labels, count)
    notes = ("hard decisions only",)
    if labels.min() > 0 and decisions.min() > 0:
        notes += ("class 0 never occurs: if classes are counted from 1 that changes no curve",)
    return Outputs(labels, decisions, count, None, notes)
