"""H(Y|X) from labels that repeat: several annotators of an input, or an input that occurs several times."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.tosc.estimate import Estimate, central, empirical_bernstein, risk_of


@readable
class Annotations(NamedTuple):
    """The entropy of an annotation given its input, H(A|X), nats; H(Y|X) where the label is such an annotation."""

    samples: int
    """Inputs that were annotated."""
    plug_in: Estimate
    """Mean entropy of the annotators' frequencies: in expectation a lower bound (concavity)."""
    estimate: Estimate
    """The same with Miller and Madow's correction: nearly unbiased for many annotators an input, no bound."""
    lower_limit: float
    """Rigorous: H(A|X) is at least this, with the confidence asked for; 0 claims nothing."""


def _entropies(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entropy of each row's frequencies, and Miller and Madow's correction, (classes seen - 1) / 2n."""
    c = counts.astype(np.float64)
    n = c.sum(1)
    entropy = (xlogy(n, n) - xlogy(c, c).sum(1)) / n
    return np.maximum(entropy, 0), ((c > 0).sum(1) - 1) / (2 * n)


def annotation_entropy(counts: ArrayLike, *, confidence: float = 0.95) -> Annotations:
    """The mean over inputs of H(A|X=x), from how often each class was chosen; a positive lower limit is a finding.

    mean_i [ H(c_i / n_i) + (classes seen_i - 1) / 2 n_i ]. Assumes inputs drawn independently, annotators
    independent given the input, and their number n_i fixed beforehand.

    Args:
        counts: c, integers >= 0, shape (samples, classes), at least one in each row (CIFAR-10H: 10 000 x 10).
        confidence: of the intervals and the limit, in (0, 1).

    Raises:
        InputError: counts are no counts, there are fewer than two samples, no input has two annotations, or the
            confidence lies outside (0, 1).

    Reference: G. Miller, Note on the bias of information estimates, 1955; J. Peterson et al., Human uncertainty makes
    classification more robust, ICCV 2019 (CIFAR-10H).

    >>> found = annotation_entropy(np.full((500, 2), 25))
    >>> round(found.plug_in.value, 4), round(found.estimate.value, 4)  # ln 2, and 1/100 more
    (0.6931, 0.7031)
    """
    risk, c = risk_of(confidence), np.asarray(counts)
    if c.ndim != 2 or c.shape[0] < 2 or c.shape[1] < 2:
        raise InputError(f"counts must have shape (samples, classes), at least 2 of each; got {c.shape}.")
    if c.dtype.kind not in "iuf" or not (np.isfinite(c).all() and (c >= 0).all() and (c == np.round(c)).all()):
        raise InputError("counts must be integers >= 0: how often annotators chose each class; pass no frequencies.")
    n = c.sum(1)
    if n.min() < 1:
        raise InputError(f"every sample needs an annotation; sample {n.argmin()} has none. Leave it out.")
    if n.max() < 2:
        raise InputError("every sample has one annotation: labels that do not repeat say nothing of H(Y|X).")
    entropy, correction = _entropies(c)
    span = np.log(min(c.shape[1], n.max()))
    limit = entropy.mean() - empirical_bernstein(entropy, span, risk)
    return Annotations(len(c), central(entropy, risk), central(entropy + correction, risk), float(max(limit, 0)))


@readable
class RepeatedInputs(NamedTuple):
    """H(Y|X) from inputs that occur several times among the samples, nats."""

    inputs: int
    """How many different ones there are."""
    plug_in: float
    """H(Y|X) of the samples' own law: in expectation a lower bound (concavity); 0 where no input repeats."""
    estimate: float
    """The same with Miller and Madow's correction: no bound, and as low where inputs hardly repeat."""
    lower_limit: float
    """Rigorous: H(Y|X) is at least this, with the confidence asked for; 0 claims nothing."""
    accuracy: float
    """Of each input's most frequent label among the samples: in expectation above what any decision achieves."""
    accuracy_limit: float
    """Rigorous, with the same confidence: no decision, at any rate, is right more often; 1 claims nothing."""


def repeated_inputs(
    inputs: Sequence[Hashable], labels: ArrayLike, classes: int, *, confidence: float = 0.95
) -> RepeatedInputs:
    """A lower limit of H(Y|X) that needs no model, from inputs that occur with different labels.

    H_N = sum_x (n_x / N) H(labels of x), and H(Y|X) >= H_N - (1 + ln N) sqrt(ln(1/risk) / 2N) [McDiarmid: another
    sample changes H_N by (1 + ln N) / N at most]; P(right) <= sum_x (n_x / N) max_y P_N(y|x) + sqrt(ln(1/risk) / 2N).
    They are useful where X takes few values, as after coarse quantisation.

    Args:
        inputs: x, anything hashable (an image's bytes), one a sample; samples independent.
        labels: y, int in 0..classes-1, shape (samples,).
        classes: M.
        confidence: of either limit, in (0, 1).

    Raises:
        InputError: as many inputs as labels are needed, and one at least; a label outside 0..classes-1; a
            confidence outside (0, 1).

    >>> found = repeated_inputs([0, 1] * 20_000, [0, 1, 1, 1] * 10_000, 2)  # x = 0: a fair coin; x = 1: always 1
    >>> round(found.plug_in, 4), found.lower_limit > 0.2
    (0.3466, True)
    """
    risk, y = risk_of(confidence), np.asarray(labels)
    if len(inputs) != len(y) or len(y) == 0:
        raise InputError(f"one input a label is needed, and one at least; got {len(inputs)} for {len(y)}.")
    if y.dtype.kind not in "iub" or y.min() < 0 or y.max() >= classes:
        raise InputError(f"labels must be integers in 0..{classes - 1}; got {y.min()} to {y.max()}.")
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(x, len(numbers)) for x in inputs])
    counts = np.bincount(index * classes + y, minlength=len(numbers) * classes).reshape(-1, classes)
    n, (entropy, correction) = counts.sum(1), _entropies(counts)
    total = len(y)
    plug_in = float(n @ entropy / total)
    accuracy = float(counts.max(1).sum() / total)
    slack = float(np.sqrt(np.log(1 / risk) / (2 * total)))
    return RepeatedInputs(
        inputs=len(numbers),
        plug_in=plug_in,
        estimate=plug_in + float(n @ correction / total),
        lower_limit=max(plug_in - (1 + float(np.log(total))) * slack, 0.0),
        accuracy=accuracy,
        accuracy_limit=min(accuracy + slack, 1.0),
    )
