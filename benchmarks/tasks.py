"""Two tasks of 100 actions each on 10 000 samples: 10^4 letters, in how much memory, and is the certificate valid?

    JAXRD_DATA=... python benchmarks/tasks.py [--at 0.55,0.6] [--out benchmarks/results/tasks.json]

Two classifiers on the same images: the logits of CIFAR-100's VGG19-BN, twice with Gaussian noise (deviation 3, seed 0).
The product matrix would take 0.75 GiB in float64, and a solver several of them; `peak_gib` is the most memory of the
process that solves, imports of JAX and the tasks alone included, and `imports_gib` its memory before. `bound_nats` is
the dual bound recomputed here in numpy, over all letters, a hundred of them at a time, from the slopes and the letters
in use; `valid` says whether the bound reported is no higher. Rates in bits.
"""

import argparse
import json
import os
import resource
from pathlib import Path

import jax
import numpy as np

from jaxrd import Problem, rate_at
from jaxrd.tosc import losses
from jaxrd.tosc.posterior import log_softmax
from jaxrd.tosc.tasks.point import Point, Task, point_at, task_of

RESULTS = Path(__file__).parent / "results" / "tasks.json"
TEMPERATURE, NOISE, SEED = 2.1564, 3.0, 0
BIT = np.log(2)


def peak() -> float:
    """GiB that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def two_classifiers(path: Path) -> tuple[np.ndarray, list[Task]]:
    """The weights of the samples, and the two tasks."""
    with np.load(path) as held:
        logits, labels = held["logits"].astype(np.float64), held["labels"]
    noisy = logits + NOISE * np.random.default_rng(SEED).normal(size=(2, *logits.shape))
    source, loss = np.full(len(labels), 1 / len(labels)), losses.zero_one(logits.shape[1])
    return source, [task_of(loss, np.exp(log_softmax(z, TEMPERATURE)), labels, source) for z in noisy]


def bound(source: np.ndarray, tasks: list[Task], limits: np.ndarray, point: Point) -> float:
    """p . v - ln max_a sum_x p_x e^(v_x - sum_t s_t d_t(x, a_t)) - s . D, v = -ln z, without the solver's code."""
    assert point.known is not None
    best, (one, other) = point.known.optimum, (np.asarray(task.problem.distortion) for task in tasks)
    first, second = point.slopes[0] * one, point.slopes[1] * other
    shift = first.min(1) + second.min(1)
    a, b = np.divmod(best.letters, second.shape[1])
    z = np.zeros(len(source))
    for part in np.array_split(np.arange(len(a)), -(-len(a) // 1000)):
        z += np.exp(shift[:, None] - first[:, a[part]] - second[:, b[part]]) @ best.weights[part]
    largest = 0.0
    for part in np.array_split(np.arange(first.shape[1] * second.shape[1]), 100):
        a, b = np.divmod(part, second.shape[1])
        c = (source / z) @ np.exp(shift[:, None] - first[:, a] - second[:, b])
        largest = max(largest, float(c.max()))
    return float(source @ (shift - np.log(z)) - np.log(largest) - point.slopes @ limits)


def measured(limits: np.ndarray, path: Path) -> dict[str, object]:
    """One pair of limits, solved and checked."""
    source, tasks = two_classifiers(path)
    before = peak()
    alone = [
        jax.device_get(rate_at(Problem(source, task.problem.distortion), d))
        for task, d in zip(tasks, limits, strict=True)
    ]
    point = point_at(source, tasks, limits, alone, 1e-9, None)
    after = peak()
    own = max([bound(source, tasks, limits, point), *(float(a.rate - a.gap) for a in alone)])
    assert point.known is not None
    rates = [float(a.rate) / BIT for a in alone]
    return {
        "samples": len(source), "letters": int(np.prod([t.excess.shape[1] for t in tasks])), "limits": limits.tolist(),
        "joint_bits": point.rate / BIT, "alone_bits": rates, "saving_bits": sum(rates) - point.rate / BIT,
        "gap_nats": point.rate - point.lower, "status": point.status.name, "slopes": point.slopes.tolist(),
        "letters_in_use": int((point.known.optimum.weights > 1e-8).sum()), "newton_steps": point.known.optimum.steps,
        "lower_nats": point.lower, "bound_nats": own, "valid": bool(point.lower <= own + 1e-12),
        "imports_gib": round(before, 3), "peak_gib": round(after, 3),
    }  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", default="0.55,0.6")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    path = Path(os.environ["JAXRD_DATA"]) / "classifiers" / "cifar100_vgg19_bn_logits.npz"
    row = measured(np.array([float(d) for d in options.at.split(",")]), path)
    options.out.write_text(json.dumps(row, indent=1) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
