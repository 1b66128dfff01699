"""An argument of a wrong shape, or words for numbers, give an answer or one line: no error of JAX or of numpy."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd import (
    InputError,
    Problem,
    blahut_arimoto,
    closed_form,
    distortion_at,
    lower_convex_envelope,
    rate_at,
    rdc,
    solve,
    sweep,
    tosc,
)  # fmt: skip

PROBLEM = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
LABELS = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
LOSS = rdc.cross_entropies(LABELS, LABELS)
V, Y, JOINT = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]), np.array([0, 1, 1]), np.array([[0.4, 0.1], [0.1, 0.4]])
AWARE = tosc.model_aware_problem(V)
T = np.linspace(0, 1, 5)
GAUSS = {"variance": 1.0, "correlation": 0.7, "label_entropy": 1.42}
TWO = {"distortion": np.array([0.3, 0.2]), "classification": np.array([0.8, 0.9])}

CALLS: dict[str, tuple[Callable, dict[str, Any]]] = {
    "solve": (solve, {"problem": PROBLEM, "slope": 2.0}),
    "blahut_arimoto": (blahut_arimoto, {"problem": PROBLEM, "slope": 2.0}),
    "sweep": (sweep, {"problem": PROBLEM, "slopes": np.array([1.0, 2.0])}),
    "rate_at": (rate_at, {"problem": PROBLEM, "distortion": 0.2}),
    "distortion_at": (distortion_at, {"problem": PROBLEM, "rate": 0.2}),
    "envelope": (lower_convex_envelope, {"distortion": np.array([0, 1.0]), "rate": np.array([1.0, 0])}),
    "model_aware_problem": (tosc.model_aware_problem, {"posterior": V}),
    "label_distortion": (tosc.label_distortion, {"problem": AWARE, "solution": solve(AWARE, 2.0), "labels": Y}),
    "confusion_joint": (tosc.confusion_joint, {"labels": Y, "decisions": Y, "classes": 2}),
    "sparse_joint": (tosc.sparse_joint, {"labels": Y, "decisions": Y, "classes": 2}),
    "S&C": (tosc.sample_and_communicate, {"log_posterior": np.log(V), "labels": Y, "inverse_temperature": 1.0}),
    "fit_temperature": (tosc.fit_temperature, {"logits": np.log(V), "labels": Y}),
    "reliability": (tosc.reliability, {"log_posterior": np.log(V), "labels": Y}),
    "log_posterior": (tosc.log_posterior, {"logits": np.log(V), "temperature": 1.0}),
    "TS": (tosc.time_sharing, {"joint": JOINT, "distortion": 0.3}),
    "E&C": (tosc.estimate_and_compress, {"joint": JOINT, "estimate_distortion": 0.2}),
    "C&E": (tosc.compress_and_estimate, {"joint": JOINT, "distortion": 1 - np.eye(2), "slope": 2.0}),
    "indirect_problem": (tosc.indirect_problem, {"joint": JOINT}),
    "from_scores": (tosc.from_scores, {"scores": V, "labels": Y}),
    "from_decisions": (tosc.from_decisions, {"decisions": Y, "labels": Y}),
    "smallest_rate": (
        tosc.smallest_rate,
        {"parameters": T, "distortion": 1 - T, "rate": T, "evaluate": lambda t: (1 - t, t), "target": 0.3},
    ),
    "cross_entropies": (rdc.cross_entropies, {"labels": LABELS, "classifier": LABELS}),
    "fixed": (rdc.fixed_classifier_rate, {
        "problem": PROBLEM, "cross_entropy": LOSS, "distortion": 0.3, "classification": 0.8,
    }),
    "lifted": (rdc.lifted_rate, {"problem": PROBLEM, "labels": LABELS, "distortion": 0.3, "classification": 0.6}),
    "lifted_sweep": (rdc.lifted_sweep, {
        "problem": PROBLEM, "labels": LABELS, "distortion_slopes": np.array([2.0]),
        "classification_slopes": np.array([1.0]),
    }),
    "perceptual": (rdc.perceptual_rate, {"problem": PROBLEM, "distortion": 0.3, "perception": 0.1}),
    "perceptual fixed": (rdc.perceptual_fixed_classifier_rate, {
        "problem": PROBLEM, "cross_entropy": LOSS, "distortion": 0.3, "perception": 0.2, "classification": 0.8,
    }),
    "universal fixed": (rdc.universal_fixed_classifier_rate, {"problem": PROBLEM, "cross_entropy": LOSS, **TWO}),
    "universal lifted": (rdc.universal_lifted_rate, {"problem": PROBLEM, "labels": LABELS, **TWO}),
    "least_distortion": (rdc.least_distortion, {
        "problem": PROBLEM, "labels": LABELS, "classification": 0.6, "rate": 0.2,
    }),
    "bottleneck": (rdc.bottleneck_rate, {
        "source": np.array([0.5, 0.3, 0.2]), "labels": LABELS, "classification": 0.6,
    }),
    "surface": (rdc.surface, {
        "problem": PROBLEM, "labels": LABELS, "distortions": np.array([0.3]), "classifications": np.array([0.6]),
    }),
    "gaussian, universal": (rdc.gaussian.universal_rate, {
        "distortion": np.array([0.9, 0.5]), "classification": np.array([1.35, 1.42]), **GAUSS,
    }),
    "gaussian": (rdc.gaussian.rate, {"distortion": np.array([0.9, 0.5]), "classification": np.ones(2), **GAUSS}),
    "closed form": (closed_form.gaussian.rate, {"variance": np.ones(2), "distortion": np.full(2, 0.3)}),
}  # fmt: skip
WRONG: list[Any] = [
    None,
    "abc",
    np.zeros(0),
    np.ones(5) / 5,
    np.ones((2, 2)) / 4,
    np.ones((4, 3)) / 3,
    np.ones((2, 3, 2)) / 2,
]


@pytest.mark.parametrize("name", CALLS)
def test_one_line_or_an_answer(name):
    function, given = CALLS[name]
    for argument in set(given) - {"problem", "solution", "evaluate"}:
        for value in WRONG:
            try:
                function(**given | {argument: value})
            except InputError as error:
                lines = str(error).splitlines()
                assert len(lines) == 1, (argument, value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tosc.label_distortion(AWARE, solve(AWARE, 2.0), [1]), r"labels must have shape \(3,\); got \(1,\)"),
        (
            lambda: tosc.smallest_rate(T, T[:4], T, lambda t: (t, t), 0.3),
            r"one shape \(k,\); got \(5,\), \(4,\)",
        ),
        (lambda: rdc.gaussian.universal_rate(0.9, 1.4, **GAUSS), r"shape \(\.\.\., pairs\), not none; got \(\)"),
        (lambda: rdc.gaussian.rate(jnp.ones(2), jnp.ones(3), **GAUSS), r"broadcast together; got \(2,\), \(3,\)"),
        (lambda: tosc.log_posterior(np.log(V), [1.0, 2.0]), r"temperature must be one number; got shape \(2,\)"),
        (lambda: tosc.confusion_joint(Y, Y, np.ones((2, 2))), r"classes must be an integer >= 1; got shape \(2, 2\)"),
        (lambda: sweep(PROBLEM, "1"), "slopes must be real numbers; got <U1"),
    ],
)
def test_what_the_line_says(call, message):
    with pytest.raises(InputError, match=message):
        call()
