"""Is the label a function of the input? What a classifier's outputs can say of H(Y|X)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from jaxrd._readable import readable
from jaxrd.errors import InputError
from jaxrd.tosc.calibration.temperature import fit_temperature
from jaxrd.tosc.estimate import Estimate, central, empirical_bernstein, error_limits, risk_of
from jaxrd.tosc.identifiability.annotations import Annotations, annotation_entropy
from jaxrd.tosc.identifiability.fano import greatest_entropy, least_entropy
from jaxrd.tosc.outputs import Outputs
from jaxrd.tosc.split import halves


@readable
@dataclass(frozen=True)
class LabelUncertainty:
    """What samples say of H(Y|X), each number by what it is; nats.

    If inputs never repeat, no number of labels proves H(Y|X) > 0: the label may be a function of the input. So a
    classifier gives only beliefs and upper bounds; `annotations` alone has a lower limit.

    Args:
        samples: how many gave the numbers; those that fitted the temperature are apart.
        temperature: of the posterior V in all but `believed`.
        error: P(decision != label), as counted.
        believed: mean entropy of the posterior as it came: the model's own belief.
        calibrated: E H(V), plug-in, mean entropy of the posterior at the temperature. If V is calibrated this is
            H(Y|V), and then an upper bound on H(Y|X), met where V is sufficient for Y; if not, a belief still.
        miscalibration: E[-ln V_Y - H(V)]: 0 for a calibrated V; an interval without 0 shows that `calibrated` is off.
        cross_entropy: E[-ln V_Y] = H(Y|X) + E KL(P(.|X) || V): in expectation an upper bound, whatever the model.
        cross_entropy_limit: upper limit of H(Y|X), rigorous: empirical Bernstein on V mixed with 1/N of the uniform
            law, whose code lengths are bounded.
        fano_limit: upper limit of H(Y|X), rigorous: Fano's inequality at Clopper and Pearson's limit of the error.
            It and `cross_entropy_limit` hold together with the confidence asked for.
        lower_if_best: what H(Y|X) would be at least *if* no decision erred less than this one: a hypothesis.
        annotations: from repeated labels, where they were passed.
    """

    samples: int
    temperature: float
    error: float
    believed: Estimate
    calibrated: Estimate
    miscalibration: Estimate
    cross_entropy: Estimate
    cross_entropy_limit: float
    fano_limit: float
    lower_if_best: float
    annotations: Annotations | None = None

    @property
    def upper_limit(self) -> float:
        """The lower of the two rigorous upper limits of H(Y|X)."""
        return min(self.cross_entropy_limit, self.fano_limit)


def _log_posterior(logits: np.ndarray, temperature: float) -> np.ndarray:
    """As `calibration.log_posterior`, in float64 whatever JAX's precision."""
    z = np.asarray(logits, np.float64) / temperature
    return z - logsumexp(z, axis=1, keepdims=True)


def label_uncertainty(
    outputs: Outputs,
    *,
    temperature: float | None = None,
    counts: np.ndarray | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> LabelUncertainty:
    """Estimates of H(Y|X), and the limits that hold: H(Y|X) <= H(Y|V) <= E[-ln V_Y], H(Y|X) <= h(e) + e ln(M-1).

    Intervals assume independent samples that did not train the model. Without `temperature`, one half of the samples
    fits one and the other half gives the numbers, as in `limits`.

    Args:
        outputs: labels with logits, from `from_scores` or `jaxrd.io.read_outputs`.
        temperature: fixes it (1: as is), and then no sample is set aside.
        counts: how often annotators chose each class for each sample, shape (samples, classes); None: no such counts.
        confidence: of every interval and limit, in (0, 1).
        seed: of the permutation.

    Raises:
        InputError: hard decisions only, fewer than 4 samples (2 at a fixed temperature), a confidence outside (0, 1),
            a temperature that is not positive, or counts that are no counts.

    Reference: [A], section II-B and the appendix on identifiability.

    >>> from jaxrd.tosc import from_scores
    >>> coin = from_scores(np.full((100, 2), 0.5), np.arange(100) % 2)
    >>> found = label_uncertainty(coin, temperature=1)
    >>> round(found.cross_entropy.value, 4), round(found.upper_limit, 4)  # ln 2, and no limit lies above it here
    (0.6931, 0.6931)
    """
    if outputs.logits is None:
        raise InputError("hard decisions only: H(Y|X) is estimated from scores.")
    risk = risk_of(confidence)
    if temperature is not None and not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature must be a positive number; got {temperature:g}.")
    annotations = None
    if counts is not None:
        annotations = annotation_entropy(counts, confidence=confidence)
        if np.shape(counts) != np.shape(outputs.logits):
            raise InputError(f"counts must have shape {np.shape(outputs.logits)}; got {np.shape(counts)}.")
    total = len(outputs.labels)
    if total < (2 if temperature else 4):
        raise InputError(f"{total} samples are too few for an interval; at least 2 a half are needed.")
    if temperature is None:
        fit, outputs, _ = halves(outputs, seed)
        assert fit.logits is not None
        temperature = float(fit_temperature(np.asarray(fit.logits), fit.labels))
    assert outputs.logits is not None

    logits = np.asarray(outputs.logits)
    n, classes = logits.shape
    as_is, log_v = _log_posterior(logits, 1.0), _log_posterior(logits, temperature)
    length = -log_v[np.arange(n), outputs.labels]
    entropy = -(np.exp(log_v) * log_v).sum(1)
    bounded = -np.logaddexp(np.log1p(-1 / n) - length, -np.log(n * classes))
    wrong = int((outputs.decisions != outputs.labels).sum())
    fewest, most = error_limits(wrong, n, risk / 2)
    limit = bounded.mean() + empirical_bernstein(bounded, np.log(n * classes), risk / 2)
    return LabelUncertainty(
        samples=n,
        temperature=temperature,
        error=wrong / n,
        believed=central(-(np.exp(as_is) * as_is).sum(1), risk),
        calibrated=central(entropy, risk),
        miscalibration=central(length - entropy, risk),
        cross_entropy=central(length, risk),
        cross_entropy_limit=float(min(limit, np.log(classes))),
        fano_limit=float(greatest_entropy(most, classes)),
        lower_if_best=float(least_entropy(fewest, classes)),
        annotations=annotations,
    )
