"""Which array or column holds labels, scores by class or decisions; ambiguous ones are refused by name."""

import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io.common import DECISION_KEYS, LABEL_KEYS, LABELS, SCORE_KEYS, SCORES, Columns, is_numeric, listing, numbers
from jaxrd.io.join import ROW_NAMES
from jaxrd.io.parts import together
from jaxrd.tosc.rows import Rows, is_large, pass_over

_BOOKKEEPING = {
    *(name for kin in ROW_NAMES for name in kin), "fold", "split", "epoch", "seed", "run", "batch", "step", "rank",
    "loss", "losses", "nll", "cross_entropy", "entropy", "margin", "confidence", "conf", "max_prob", "temperature",
    "correct", "is_correct", "hit", "error", "sample_weight", "sample_weights", "weight", "weights", "group", "groups",
    "url", "time", "timestamp", "date", "predicted_label", "pred_label", "pred_class", "predicted_class", "label_name",
    "class_name",
}  # fmt: skip
"""Columns that are not classes; they are left out with a note."""
_CLASS_WORDS = {
    "class", "cls", "c", "k", "prob", "probs", "probability", "proba", "p", "logit", "logits", "score", "scores",
    "output", "outputs", "out", "pred", "preds", "prediction", "predictions", "softmax", "y",
}  # fmt: skip
"""Words that mark a numbered family of columns as those of the classes."""


class Scores(NamedTuple):
    """The scores, or hard decisions, of a file."""

    values: np.ndarray | Rows | Sequence[Any]
    """Scores of shape (samples, classes) or (samples,) for the probability of one; decisions, numbers or names."""
    key: str
    """What they are called; one of `DECISION_KEYS` for decisions."""
    sources: tuple[str, ...]
    """The array, or the columns of the classes in their order."""
    words: tuple[str, ...] = ()
    """What labels may call the classes: the names of the columns, without what all begin with."""
    start: int | None = None
    """The number of the first class column, where they are numbered; the others follow."""


def label_name(
    held: Columns, path: Path, asked: str | None, *, keys: tuple[str, ...] = LABEL_KEYS, table: bool, advice: str = ""
) -> str:
    """The name of the labels: as asked, or the only one of `keys`.

    Raises:
        InputError: there is none, or there are two.
    """
    if asked is not None:
        if asked not in held:
            raise InputError(f"{path.name} has nothing named {asked!r} (--label-column); it has: {listing(held)}.")
        return asked
    names = [name for name in held if name.lower() in keys]
    if len(names) > 1:
        raise InputError(
            f"{path.name} has two columns of labels; {names[1]!r} is the second. Pass --label-column to choose."
        )
    if not names:
        what = f"column {LABELS}" if table else f"labels ({LABELS})"
        raise InputError(
            advice or f"{path.name} has no {what}; it has: {listing(held)}. Pass --label-column, or --labels FILE."
        )
    return names[0]


def scores(held: Columns, labels: Any, path: Path, asked: str | None, *, table: bool, has: str) -> Scores:
    """The scores among `held`, from which the labels have been taken away.

    In this order: what is asked for; a matrix by its name; in a table, the columns of classes; one score a sample by
    its name; decisions.

    Args:
        held: arrays or columns.
        labels: class names or numbers, which distinguish columns of classes from others.
        path: where they come from, for errors.
        asked: a name, a comma-separated list or a pattern such as `prob_*`.
        table: whether `held` may have a column per class.
        has: all that the file has, for errors.

    Raises:
        InputError: there are none, or the choice is ambiguous; one line that says why.
    """
    if asked is not None:
        names = _asked(held, asked, path)
        return _one(held, names[0], path) if len(names) == 1 else _columns(held, names, path)
    by_name = [name for key in (*SCORE_KEYS, *DECISION_KEYS) for name in held if name.lower() == key]
    matrices = [name for name in by_name if _is_matrix(held[name]) or not (table or name.lower() in DECISION_KEYS)]
    if matrices:
        if len(matrices) > 1 and matrices[0].lower() != "logits" and matrices[1].lower() in SCORE_KEYS:
            raise InputError(f"{path.name} has scores twice: {' and '.join(matrices[:2])}. Pass --scores to choose.")
        return _one(held, matrices[0], path)
    lists = [name for name in held if _is_matrix(held[name])]
    if table and lists:
        raise InputError(
            f"{path.name}: column {lists[0]!r} holds lists; scores in one are named {SCORES}, or pass --scores."
        )
    if table and (columns := _class_columns(held, labels, by_name, path)) is not None:
        return columns
    if by_name:
        return _one(held, by_name[0], path)
    raise InputError(f"{path.name} has neither scores ({SCORES}) nor predictions; it has: {has}. Pass --scores.")


def _is_matrix(values: Any) -> bool:
    if isinstance(values, np.ndarray | Rows):
        return values.ndim > 1
    first = values[0] if len(values) else None
    return isinstance(first, list | np.ndarray) or (isinstance(first, str) and first.strip().startswith("["))


def _one(held: Columns, name: str, path: Path) -> Scores:
    """One array or column: a matrix of scores, one score a sample, or decisions by their name."""
    values = held[name]
    if isinstance(values, Rows):
        return Scores(values, "scores" if name.lower() in DECISION_KEYS else name, (name,))
    if name.lower() in DECISION_KEYS and _is_matrix(values):
        return Scores(numbers(held, name, path), "scores", (name,))
    if isinstance(values, np.ndarray) and values.ndim != 1:
        return Scores(values, name, (name,))
    if name.lower() in DECISION_KEYS:
        if is_numeric(values) and np.asarray(values).dtype.kind == "f" and not _whole(values):
            return Scores(np.asarray(values), "scores", (name,))  # a probability a sample
        return Scores(values, "predictions", (name,))
    return Scores(numbers(held, name, path), name, (name,))


def _whole(values: Any) -> bool:
    return bool((np.round(values) == values)[np.isfinite(values)].all())


def _asked(held: Columns, asked: str, path: Path) -> list[str]:
    """The names that `asked` gives: a name, or names and patterns between commas; a pattern's in numeric order."""
    if asked in held:
        return [asked]
    names: list[str] = []
    for part in (part.strip() for part in asked.split(",")):
        matched = [part] if part in held else [name for name in held if fnmatchcase(name, part)]
        if not matched:
            raise InputError(f"{path.name} has nothing named {part!r} (--scores); it has: {listing(held)}.")
        whole = [family for family in _families(matched, path) if len(family) == len(matched)]
        names += list(whole[0].values()) if whole else matched
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"--scores {asked!r} names {name!r} twice.")
    return names


def _families(names: list[str], path: Path) -> list[dict[int, str]]:
    """Families of two or more names that differ only in one number; each by that number, in numeric order."""
    families: dict[tuple[str, str], dict[int, str]] = {}
    for name in names:
        for match in re.finditer("[0-9]{1,9}", name):
            family = families.setdefault((name[: match.start()], name[match.end() :]), {})
            if int(match[0]) in family:
                raise InputError(
                    f"{path.name}: {family[int(match[0])]!r} and {name!r} have the same number. Pass --scores."
                )
            family[int(match[0])] = name
    return [dict(sorted(family.items())) for family in families.values() if len(family) > 1]


def _of_classes(family: dict[int, str]) -> bool:
    """Whether a numbered family has words of classes in its names, or no words: plain numbers."""
    words = re.findall("[a-z]+", next(iter(family.values())).lower())
    return not words or bool(_CLASS_WORDS & set(words))


def _class_columns(held: Columns, labels: Any, by_name: list[str], path: Path) -> Scores | None:
    """The columns of classes of a table, None if there are none.

    One family of numbered names with words of classes; else every column that is not known to be something else, if
    the labels are their names, the rows are probabilities, or there are as many as classes in the labels.

    Raises:
        InputError: the first column in doubt.
    """
    prefix, named = _named_by(held, labels)
    known = [n for n in held if n not in named and (n in by_name or _is_bookkeeping(n))]
    aside = set(known)
    rest = [name for name in held if name not in aside]
    if not rest:
        return None
    if named:
        return _beside_named(held, rest, named, prefix, path)
    families = _families(rest, path)
    of_classes = [family for family in families if _of_classes(family)]
    if len(of_classes) > 1:
        spans = " and ".join(span(list(family.values())) for family in of_classes)
        raise InputError(
            f"{path.name} has several families of columns: {spans}. Choose one with --scores, such as 'prob_*'."
        )
    if of_classes:
        chosen = of_classes[0]
        others = set(rest) - set(chosen.values())
        _refuse([n for n in rest if n in others and is_numeric(held[n])], f"beside {span(list(chosen.values()))}", path)
        return _columns(held, list(chosen.values()), path, chosen)
    whole = next((family for family in families if len(family) == len(rest)), None)
    columns = _columns(held, rest if whole is None else list(whole.values()), path, whole)
    values = columns.values
    for name in known if not _is_pmf(values) else []:
        if is_numeric(held[name]) and _is_pmf(np.column_stack([values, numbers(held, name, path)])):
            _refuse([name], "with which the rows sum to 1", path)
    if len(rest) < 2 or not (_is_pmf(values) or len(rest) in _counts(labels, len(rest))):
        _refuse(list(columns.sources), "which neither a number nor the labels make one", path)
    return columns


def _is_bookkeeping(name: str) -> bool:
    return name.lower() in _BOOKKEEPING or name.lower().startswith("unnamed:")


def _counts(labels: Any, default: int) -> tuple[int, ...]:
    """Numbers of classes that labels imply, counted from 0 or from 1; the default where the labels will be refused."""
    if not is_numeric(labels) or not len(labels) or not np.isfinite(labels).all():
        return (default,)
    return (int(np.max(labels)) + 1, *((int(np.max(labels)),) if np.min(labels) >= 1 else ()))


def _named_by(held: Columns, labels: Any) -> tuple[str, list[str]]:
    """The prefix of the column names before the label, and the columns that labels name; empty unless all labels do."""
    if is_numeric(labels):
        return "", []
    words = {str(label) for label in labels}
    first = next(iter(words), "")
    for prefix in ("", *sorted({name.removesuffix(first) for name in held if name.endswith(first)})):
        if {prefix + word for word in words} <= set(held):
            return prefix, [name for name in held if name.removeprefix(prefix) in words and name.startswith(prefix)]
    return "", []


def _beside_named(held: Columns, rest: list[str], named: list[str], prefix: str, path: Path) -> Scores:
    """The columns that labels name, and those that may be classes without samples."""
    chosen = set(named)
    others = [n for n in rest if n not in chosen and is_numeric(held[n])]
    if prefix:
        alike = {n for n in others if n.startswith(prefix)}
    else:
        alike = set(others) if others and _is_pmf(_columns(held, named + others, path).values) else set()
    chosen |= alike
    names = [name for name in rest if name in chosen]
    columns = _columns(held, names, path)
    if not _is_pmf(columns.values):
        _refuse([name for name in others if name not in chosen], "which no label names", path)
    return columns._replace(words=tuple(name.removeprefix(prefix) for name in names), start=None)


def _refuse(names: list[str], what: str, path: Path) -> None:
    if names:
        raise InputError(
            f"{path.name}: it is doubtful whether column {names[0]!r} is a class, {what}. Name the columns of the "
            "classes with --scores: a list, or a pattern such as 'prob_*'."
        )


def _columns(held: Columns, names: list[str], path: Path, family: dict[int, str] | None = None) -> Scores:
    if family is None:
        family = next((f for f in _families(names, path) if list(f.values()) == names), None)
    start = None
    if family is not None:
        start = min(family)
        missing = next((k for k in range(start, start + len(family)) if k not in family), None)
        if missing is not None or start > 1:
            raise InputError(
                f"{path.name}: the classes {span(names)} lack number {0 if start > 1 else missing}. Name the columns "
                "with --scores, in the order of the classes."
            )
    values = [numbers(held, name, path) for name in names]
    lists = [name for name, column in zip(names, values, strict=True) if column.ndim > 1]
    if lists:
        raise InputError(f"{path.name}: column {lists[0]!r} holds lists; a column of a class holds numbers.")
    return Scores(together(values), "scores" if family is None else names[0], tuple(names), tuple(names), start)


def _is_pmf(values: Any) -> bool:
    """Whether rows are probabilities, or logarithms of such."""
    values = values if isinstance(values, Rows) else Rows([values]) if is_large(values) else np.asarray(values)
    low = pass_over(values, lambda _, part: part.min(), min)
    high = pass_over(values, lambda _, part: part.max(), max)
    if low < 0 < high:
        return False
    with np.errstate(over="ignore"):
        off = pass_over(values, lambda _, part: np.abs((part if low >= 0 else np.exp(part)).sum(1) - 1).max(), max)
    return bool(off <= 0.05)


def span(names: Sequence[str]) -> str:
    """Names in a row, cut short."""
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} .. {names[-1]} ({len(names)})"
