"""Scores in their usual forms, turned into logits: tensors, percent, rounded probabilities, one column for two."""

import re
from collections.abc import Callable
from operator import and_
from typing import Any, NamedTuple

import numpy as np

from jaxrd.errors import InputError

EXACT = 1e-3
"""Rows that sum to 1 within this are probabilities without further words."""
_ROUNDED = 1e-5
"""Sums further from 1 than this show that decimals were rounded, where there are few."""
_FEW_BITS = 2.0**-7
"""What a softmax in bfloat16 (8 bits) may be off by in its sum."""
_FEW_DECIMALS = 0.1
"""The most that rounding to a few decimals may excuse."""
_MOST_SLACK = _FEW_DECIMALS + 1e-6
_PROBABILITIES = re.compile("(y_)?prob(s|a|ability|abilities)?(?![a-z])")
LOGITS = re.compile("logits?(?![a-z])")
TINY = float(np.finfo(np.float32).tiny)


def as_array(values: Any, what: str) -> np.ndarray:
    """A numpy array of anything that holds one: tensors are detached, bfloat16 and float8 become float32.

    Two bytes that numpy calls void are bfloat16, which its files cannot name.

    Raises:
        InputError: it cannot become an array of numbers or words; one line.
    """
    if np.ma.is_masked(values):
        raise InputError(f"{what} has masked entries, whose values mean nothing: leave their rows out, or fill them.")
    try:
        array = _plain(values)
    except Exception as error:  # another library's object may raise anything
        words = " ".join(str(error).split())[:100]
        raise InputError(f"{what} cannot be read as an array ({type(error).__name__}: {words}).") from None
    if array.dtype.type is not np.void:
        return array.astype(np.float32) if array.dtype.kind == "V" else array  # ml_dtypes has names for them
    if array.dtype == np.dtype("V2"):
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    raise InputError(
        f"{what} must be numbers; got {array.dtype}, whose meaning numpy's files do not keep. Save float32 instead."
    )


def _plain(values: Any) -> np.ndarray:
    """What another library holds as numpy's array."""
    if hasattr(values, "detach"):
        return np.asarray(_dense(values))
    if hasattr(values, "to_numpy"):  # a DataFrame or a Series; its own types of missing values become NaN
        held = values.to_numpy()
        missing = held.dtype.kind == "O" and not any(isinstance(one, str) for one in held.flat)
        return values.to_numpy(dtype=float, na_value=np.nan) if missing else held
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        return np.from_dlpack(values)
    return np.asarray(values)


def _dense(tensor: Any) -> Any:
    """A torch tensor as one that numpy takes."""
    tensor = tensor.detach()
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if not str(getattr(tensor, "layout", "strided")).endswith("strided"):
        tensor = tensor.to_dense()
    if str(tensor.dtype).rpartition(".")[2].startswith(("bfloat", "float8", "float4")):
        tensor = tensor.float()
    return (tensor.cpu() if hasattr(tensor, "cpu") else tensor).numpy()


class Survey(NamedTuple):
    """What decides how scores are read, of all rows."""

    low: float
    """The least score."""
    high: float
    """The largest."""
    sums: np.ndarray
    """Of each row, shape (samples,)."""
    head: np.ndarray
    """The scores of the first few rows, float64."""
    each: Callable[[Callable[[int, np.ndarray], Any], Callable[[Any, Any], Any]], Any]
    """each(function, fold): the scores again, function(number of the first row, rows in float64), folded in order."""


def to_logits(
    survey: Survey, *, probabilities: bool | None, named: str, advice: str
) -> tuple[Callable[[np.ndarray], np.ndarray] | None, str]:
    """How rows of scores become logits, a function of some rows or None for rows that are logits, and that in words.

    A probability of zero is read as half a unit of the last decimal shared among the classes where the scores were
    rounded to a few (their sums show it), else as the smallest normal float32: a softmax that underflowed.

    Args:
        survey: of finite scores, shape (samples, classes).
        probabilities: True: they are, whatever the rows sum to; False: they are logits; None: the rows decide.
        named: what the scores are called; "logits" or "prob.." settles what the rows leave open.
        advice: ends a refusal.

    Raises:
        InputError: the rows are no probabilities, or they may be either.
    """
    low, sums = survey.low, survey.sums
    if probabilities:
        return _logs(survey, 1.0, advice)
    if probabilities is False:
        return None, "scores read as logits, as asked"
    for unit in (1.0, 100.0):
        if low >= 0 and (off := np.abs(sums / unit - 1).max()) <= _MOST_SLACK and off <= _slack(survey, unit):
            return _logs(survey, unit, advice)
    if _PROBABILITIES.match(named.lower()):
        _logs(survey, 1.0, advice)  # refuses what is negative
        row = int(np.abs(sums - 1).argmax())
        raise InputError(f"probabilities must sum to 1 in each row; row {row} sums to {sums[row]:.6g}. {advice}")
    if not LOGITS.match(named.lower()) and _doubtful(low, sums):
        row = int(np.abs(sums - 1).argmax())
        raise InputError(
            f"scores may be probabilities or logits: they lie in {low:.4g} to {survey.high:.4g} and row {row} sums to "
            f"{sums[row]:.6g}. {advice}"
        )
    return None, "scores read as logits"


def two_classes(values: np.ndarray, *, probabilities: bool | None, named: str, advice: str) -> tuple[np.ndarray, str]:
    """Logits of two classes from one score a sample, shape (samples,): P(class 1), or its log-odds.

    Raises:
        InputError: the scores are no probabilities, and nothing says that they are logits.
    """
    if probabilities is False or (probabilities is None and LOGITS.match(named.lower())):
        return np.stack([np.zeros_like(values), values], 1), "one score a sample, read as the log-odds of class 1"
    outside = (values < 0) | (values > 1)
    if outside.any():
        row = int(outside.argmax())
        raise InputError(
            f"one score a sample must be the probability of class 1, in [0, 1]; got {values[row]:g} at sample {row}. "
            f"{advice}"
        )
    logits = np.log(np.maximum(np.stack([1 - values, values], 1), TINY))
    return logits, "one score a sample, read as the probability of class 1"


def _doubtful(low: float, sums: np.ndarray) -> bool:
    """Whether rows could be meant as probabilities though they do not sum to 1, nor to 100."""
    if low < 0:
        return bool(np.abs(sums - 1).max() <= _FEW_BITS)
    return bool(sums.mean() <= 1.5 or abs(np.median(sums) / 100 - 1) <= _FEW_DECIMALS / 2)


def _decimals(survey: Survey, unit: float) -> int | None:
    """To how many decimals the scores over `unit` were rounded; None: to more than four."""

    def whole(part: np.ndarray, power: float) -> bool:
        return bool(np.abs(part * power - np.rint(part * power)).max() <= 1e-7 * power)

    # Most fail on the first rows: all rows are checked only if these pass.
    near = (d for d in range(1, 5) if whole(survey.head / unit, 10.0**d))
    return next((d for d in near if survey.each(lambda _, part, d=d: whole(part / unit, 10.0**d), and_)), None)


def _slack(survey: Survey, unit: float) -> float:
    """How far from 1 the rows may sum by rounding alone."""
    digits, classes = _decimals(survey, unit), survey.head.shape[1]
    rounding = 0 if digits is None else min(_FEW_DECIMALS, classes / 2 * 10.0**-digits)
    return max(_FEW_BITS, rounding) + 1e-6


def _negative(first: int, part: np.ndarray) -> tuple[float, int, int] | None:
    """The first score below zero, its sample and its class."""
    bad = np.argwhere(part < 0)
    return (float(part[tuple(bad[0])]), first + int(bad[0][0]), int(bad[0][1])) if len(bad) else None


def _logs(survey: Survey, unit: float, advice: str) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """ln of the rows divided by their sums; the unit is 100 for percent."""
    if survey.low < 0:
        value, i, j = survey.each(_negative, lambda one, other: one or other)
        raise InputError(f"probabilities must be >= 0; got {value:g} at sample {i}, class {j}. {advice}")
    sums = survey.sums / unit
    if (sums <= 0).any():
        raise InputError(f"probabilities must not be all zero; row {int((sums <= 0).argmax())} is. {advice}")
    off, digits = np.abs(sums - 1).max(), _decimals(survey, unit)
    if off > EXACT:
        kind = "percent" if unit == 100 else "probabilities"
        rounded = f" of {digits} decimals" if digits is not None and unit == 1 else ""
        note = f"scores read as {kind}{rounded}: rows sum to {sums.min():.4g} to {sums.max():.4g}, renormalised"
    elif unit == 100:
        note = "scores read as percent (rows are >= 0 and sum to 100)"
    else:
        note = "scores read as probabilities (rows are >= 0 and sum to 1)"
    zero = TINY if digits is None or off <= _ROUNDED else 0.5 * 10.0**-digits / survey.head.shape[1]

    def made(rows: np.ndarray) -> np.ndarray:
        values = rows.astype(np.float64)
        return np.log(np.maximum(values / unit / (values.sum(1) / unit)[:, None], zero))

    return made, note


def numbered(first_label: int | None, classes: int) -> tuple[str, ...] | None:
    """The numbers that the user gives the classes, where they do not begin with 0.

    >>> numbered(1, 3), numbered(None, 3)
    (('1', '2', '3'), None)
    """
    return tuple(str(first_label + k) for k in range(classes)) if first_label else None
