"""A classifier's outputs with their labels, checked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import add
from typing import Any, NamedTuple

import numpy as np

from jaxrd._eager import refuse_unless_whole
from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.tosc.frames import classes_of, numbered_by
from jaxrd.tosc.labels import FIRST_LABEL, MOST_CLASSES, check_labels, class_indices, counted_from_zero, doubtful_base
from jaxrd.tosc.rows import Rows, is_large, pass_over
from jaxrd.tosc.scores import Survey, as_array, numbered, to_logits, two_classes
from jaxrd.tosc.weights import as_prior, shares, shares_among, shares_under

Progress = Callable[[str, int, int], None] | None

_ADVICE = "Pass --logits or --probabilities (probabilities=False or True) to say which they are."


@readable
@dataclass(frozen=True)
class Outputs:
    """What `limits` works on. Build it with `from_scores` or `from_decisions`, which check the values.

    Args:
        labels: true classes, int, shape (samples,).
        decisions: the classifier's classes, int, shape (samples,).
        classes: their number M.
        logits: log-probabilities, nats, up to a constant a row, shape (samples, classes); None for hard decisions only.
            More than 32 million are `Rows`: blocks of rows, made when they are used.
        notes: what was assumed about the input, for people.
        weights: of the samples, with sum 1, shape (samples,); None: equal.
        names: of the classes; None: they have none but their numbers.
        prior: probabilities of the classes that the weights keep to, known beforehand, shape (classes,); None: those
            of the samples.

    Reference: [A] eq. (7), whose logits these are.

    >>> from_scores([[2.0, -1.0], [0.5, 3.0], [4.0, 1.0]], [0, 1, 1]).decisions.tolist()
    [0, 1, 0]
    """

    labels: np.ndarray
    decisions: np.ndarray
    classes: int
    logits: np.ndarray | Rows | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    weights: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    prior: np.ndarray | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each class: its number where it has no other."""
        return tuple(map(str, range(self.classes))) if self.names is None else self.names

    def take(self, rows: np.ndarray) -> Outputs:
        """The same outputs restricted to some rows; a known prior is then that of the labels that remain."""
        logits = self.logits.take(rows) if isinstance(self.logits, Rows) else self.logits
        logits = logits[rows] if isinstance(logits, np.ndarray) else logits
        labels, weights = self.labels[rows], None if self.weights is None else self.weights[rows]
        if weights is not None:
            known = self.prior
            weights = weights / weights.sum() if known is None else shares_among(known, labels, weights, self.classes)
        return replace(self, labels=labels, decisions=self.decisions[rows], logits=logits, weights=weights)

    def weighed(self, weights: Any) -> Outputs:
        """The same outputs, whose samples count as much as their weights, >= 0, shape (samples,), over their sum.

        Raises:
            InputError: another shape, or a weight that is negative or not finite.
        """
        return replace(self, weights=shares(weights, len(self.labels)), prior=None)

    def with_prior(self, prior: Any) -> Outputs:
        """The same outputs, weighed so that labels occur with the probabilities of another population.

        A sample of label y counts pi_y / p_y times as much, p_y the share of its label. What the classifier says of
        a sample stays: the population differs in its labels alone.

        Args:
            prior: pi, a pmf, shape (classes,), or "uniform" over all classes.

        Raises:
            InputError: no pmf, another shape, or a class of positive probability without a sample.
        """
        weights = shares_under(prior, self.labels, self.weights, self.classes)
        return replace(self, weights=weights, prior=as_prior(prior, self.classes))


def from_scores(
    scores: Any,
    labels: Any,
    *,
    probabilities: bool | None = None,
    first_label: int | None = None,
    named: str = "scores",
    progress: Progress = None,
    shared: bool = False,
) -> Outputs:
    """Outputs from logits or probabilities, distinguished by their rows: >= 0 and summing to 1 are probabilities.

    Rows that rounding (to few decimals, to bfloat16) keeps from summing to 1 are renormalised, and a note says so;
    percent sum to 100. Rows in [0, 1] that rounding does not explain are refused: they may be either. Log-probabilities
    count as logits. One score a sample is the probability of class 1 of two. The decision is the first largest score
    of a row. A probability of exactly zero is read as the smallest normal float32, 1.2e-38, a softmax that underflowed;
    among rounded ones as less than half a unit of the last decimal. More than 32 million scores are not copied, so that
    an array mapped from a file stays there: blocks of its rows are read, and made logits, when they are used.

    Args:
        scores: shape (samples, classes), or (samples,) for two classes; finite. Any array, tensors, lists; the columns
            of a DataFrame are the classes: their names, or their numbers in order.
        labels: integers in 0..classes-1, shape (samples,); names of classes where the columns of `scores` have them.
        probabilities: True renormalises rows >= 0 whatever they sum to; False takes logits; None looks at the rows.
        first_label: the number that labels give the first class; None: 0, unless that is in doubt.
        named: what the scores are called where they come from: "logits" or "prob.." settles what the rows leave open.
        progress: called as progress("reading", done, total) between blocks of rows, where there are several.
        shared: whether all processes of a `jax.distributed` run make this call together: each then reads its own part
            of more than 32 million scores.

    Raises:
        InputError: one line that quotes the offending value.

    Reference: [A] eq. (7), whose logits these are.

    >>> from_scores([[0.9, 0.1], [0.2, 0.8]], [0, 1]).notes
    ('scores read as probabilities (rows are >= 0 and sum to 1)',)
    """
    known = classes_of(scores)
    first_label = known.first if first_label is None and known.first else first_label
    labels = numbered_by(labels, known.names)
    scores = _held_or_not(scores)
    if shared and isinstance(scores, Rows):
        scores = scores.shared_out()
    survey, decisions = _surveyed(scores, progress)
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    hint = f" The scores, {scores.shape}, need a row a sample: are they transposed?" if len(scores) < classes else ""
    labels = class_indices(labels, "labels", len(scores), hint)
    labels = counted_from_zero(labels, first_label, classes)
    check_labels(labels, classes)

    if isinstance(scores, np.ndarray) and scores.ndim == 1:
        values = scores.astype(np.float64)
        logits, note = two_classes(values, probabilities=probabilities, named=named, advice=_ADVICE)
        decisions = logits.argmax(1).astype(np.int64)
    else:
        made, note = to_logits(survey, probabilities=probabilities, named=named, advice=_ADVICE)
        if isinstance(scores, Rows):
            logits = scores.read_as(made)
        else:
            logits = scores.astype(np.float64) if made is None else made(scores)
    notes = (note, *doubtful_base(labels, decisions, first_label))
    return Outputs(labels, decisions, classes, logits, notes, names=known.names or numbered(first_label, classes))


def _held_or_not(scores: Any) -> np.ndarray | Rows:
    """Scores as one array, or, if they are many, as blocks that are read when they are used.

    Raises:
        InputError: they are no numbers, or not of such a shape.
    """
    if not isinstance(scores, Rows):
        if not is_large(scores):
            scores = as_array(scores, "scores")
        if scores.ndim == 2 and scores.shape[1] == 1:
            scores = scores[:, 0]
        if is_large(scores) and scores.dtype.kind in "iufbV":
            scores = Rows([scores])
    if scores.ndim not in (1, 2):
        raise InputError(f"scores must have shape (samples, classes); got {scores.shape}.")
    if scores.dtype.kind not in "iufb":
        raise InputError(f"scores must be numbers; got {scores.dtype}.")
    if scores.shape[0] == 0:
        raise InputError("scores is empty: there is no sample to measure.")
    if scores.ndim == 2 and scores.shape[1] > MOST_CLASSES:
        raise InputError(f"scores have {scores.shape[1]} classes; {MOST_CLASSES} can be handled.")
    if scores.ndim == 2 and scores.shape[1] < 2:
        raise InputError(f"scores has {scores.shape[1]} columns: at least two classes are needed.")
    return scores


class _Block(NamedTuple):
    """Of some rows; no sums and no decisions of one score a sample."""

    low: float
    high: float
    sums: np.ndarray = np.zeros(0)
    decisions: np.ndarray = np.zeros(0, np.int64)


def _surveyed(scores: np.ndarray | Rows, progress: Progress) -> tuple[Survey, np.ndarray]:
    """What decides how the scores are read, and the decisions: all that is finite, in one pass.

    Raises:
        InputError: the first score that is not finite.
    """

    def one(first: int, part: np.ndarray) -> list[_Block]:
        _refuse_unless_finite(part, first)
        values = part.astype(np.float64, copy=False)
        low, high = float(values.min()), float(values.max())
        return [_Block(low, high, values.sum(1), part.argmax(1)) if values.ndim > 1 else _Block(low, high)]

    count = len(scores.ends()) if isinstance(scores, Rows) else 1
    tick = None if progress is None else lambda done: progress("reading", done, count)
    lows, highs, sums, decisions = zip(*pass_over(scores, one, add, tick), strict=True)

    def each(function: Callable[[int, np.ndarray], Any], fold: Callable[[Any, Any], Any]) -> Any:
        return pass_over(scores, lambda first, part: function(first, part.astype(np.float64, copy=False)), fold)

    head = scores[:9].astype(np.float64, copy=False)
    return Survey(min(lows), max(highs), np.concatenate(sums), head, each), np.concatenate(decisions)


def _refuse_unless_finite(scores: np.ndarray, first: int) -> None:
    """Refuse rows with a score that is not finite; `first` is the number of the first row."""
    bad = ~np.isfinite(scores)
    if bad.any():
        i, *j = np.argwhere(bad)[0]
        where = f"sample {first + i}" + (f", class {j[0]}" if j else "")
        advice = (
            " Write a class that is ruled out as a large negative logit, such as -1e4." if scores[i, *j] < 0 else ""
        )
        raise InputError(f"scores must be finite; got {scores[i, *j]} at {where}.{advice}")


def from_decisions(
    decisions: Any, labels: Any, *, classes: int | None = None, first_label: int | None = None
) -> Outputs:
    """Outputs from hard decisions alone; curves that need soft outputs are then absent.

    Args:
        decisions: the classifier's classes, integers, shape (samples,).
        labels: true classes, integers, shape (samples,).
        classes: their number; None: one more than the largest seen.
        first_label: the number that labels give the first class, and decisions too if none lies below it.

    Raises:
        InputError: one line that quotes the offending value.

    Reference: [A] section III-A (the estimate and its confusion matrix).

    >>> found = from_decisions([0, 1, 2, 1], [0, 1, 1, 1])
    >>> found.classes, found.notes
    (3, ('hard decisions only',))
    """
    labels = class_indices(labels, "labels", None)
    decisions = class_indices(decisions, "predictions", len(labels))
    if first_label is None and labels.min() == 1 and decisions.min() == 0 and labels.max() == decisions.max() + 1:
        raise InputError(
            f"labels look 1-based: they run from 1 to {labels.max()}, the predictions from 0 to {decisions.max()}. "
            f"Subtract 1 from the labels, or {FIRST_LABEL}."
        )
    labels = counted_from_zero(labels, first_label, None)
    if first_label and decisions.min() >= first_label:
        decisions = decisions - first_label
    if classes is not None:
        refuse_unless_whole("classes", classes, 2)
    seen = int(max(labels.max(), decisions.max())) + 1
    count = seen if classes is None else classes
    if count < seen:
        raise InputError(f"classes is {count}, but class {seen - 1} occurs.")
    check_labels(labels, count)
    notes: tuple[str, ...] = ("hard decisions only",)
    if labels.min() > 0 and decisions.min() > 0:
        notes += ("class 0 never occurs: if classes are counted from 1 that changes no curve",)
    else:
        notes += doubtful_base(labels, decisions, first_label)
    return Outputs(labels, decisions, count, None, notes, names=numbered(first_label, count))
