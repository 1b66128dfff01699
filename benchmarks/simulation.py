"""How many bits does a simulated channel really take? Streams of 10 000 decisions at several block lengths.

    python benchmarks/simulation.py [--most-candidates 7e8] [--out FOLDER]   # runs, writes simulation.json and .png
    python benchmarks/simulation.py --plot [--out FOLDER]                    # draws the .png from the .json anew

Every stream is decoded before it counts. Blocks grow until the search is expected to look at more candidates than
allowed. The embedded example always; CIFAR-100 (VGG19-BN logits) where JAXRD_DATA is set. About 5 minutes on one core.
"""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxrd import optimal_channel, solve
from jaxrd.coding import decode, encode, expected_candidates, index_entropy, payload_bound, quantised_law
from jaxrd.datasets import example_path
from jaxrd.information import NATS_PER_BIT, entropy, mutual_information
from jaxrd.io import read_outputs, save_all, to_json
from jaxrd.plots import png
from jaxrd.tosc import Outputs, log_posterior, model_aware_problem

RESULTS = Path(__file__).parent / "results"
CIFAR = "classifiers/cifar100_vgg19_bn_logits.npz"
LONGEST = 8


def model_aware(outputs: Outputs, temperature: float, slope: float) -> np.ndarray:
    problem = model_aware_problem(np.exp(log_posterior(outputs.logits, temperature)))
    return np.asarray(optimal_channel(problem, solve(problem, slope)))


def sampled(outputs: Outputs, temperature: float) -> np.ndarray:
    return np.exp(log_posterior(outputs.logits, temperature))


def cases() -> dict[str, tuple[Callable[[], Path], Callable[[Outputs], np.ndarray]]]:
    """Where the outputs lie and which channel is simulated, by title."""
    found: dict[str, Any] = {}
    # Temperatures as they are fitted to all samples: 1.24 and 2.16.
    for title, channel in {
        "TMRD, slope 6": lambda o: model_aware(o, 1.24, 6.0),
        "TMRD, slope 2.5": lambda o: model_aware(o, 1.24, 2.5),
        "S&C, T = 1": lambda o: sampled(o, 1.0),
    }.items():
        found[f"mnist-noisy: {title}"] = (lambda: example_path("mnist-noisy"), channel)
    for title, channel in {
        "TMRD, slope 8": lambda o: model_aware(o, 2.16, 8.0),
        "TMRD, slope 5": lambda o: model_aware(o, 2.16, 5.0),
        "S&C, T = 3": lambda o: sampled(o, 3.0),
    }.items():
        found[f"CIFAR-100: {title}"] = (lambda: Path(os.environ["JAXRD_DATA"]) / CIFAR, channel)
    return found


def measure(channel: np.ndarray, labels: np.ndarray, block: int, most_candidates: float) -> dict[str, Any]:
    """One stream, decoded and compared before its bits count."""
    samples = len(channel)
    start = time.process_time()
    found = encode(channel, block=block, most_candidates=most_candidates)
    encoded = time.process_time()
    decisions = decode(found.stream)
    decoded = time.process_time()
    sent, information = found.simulation, found.information / NATS_PER_BIT
    if not np.array_equal(decisions, sent.reproduction):
        raise AssertionError("the stream does not decode to what was sent")
    payload = 8 * found.payload_bytes / samples
    bound = payload_bound(found.information, samples, block) / NATS_PER_BIT
    index_bits = index_entropy(channel, quantised_law(channel), decisions, block=block) / NATS_PER_BIT
    return {
        "block": block,
        "payload_bits_per_sample": payload,
        "header_bytes": len(found.stream) - found.payload_bytes,
        "bound_bits_per_sample": bound,
        "within_bound": payload <= bound,
        "ratio_to_mutual_information": payload / information,
        "index_entropy_bits": index_bits,
        "index_entropy_ratio": index_bits / (block * information),
        "candidates_drawn": sent.candidates,
        "candidates_expected": found.expected_candidates,
        "distortion": float((decisions != labels).mean()),
        "encode_cpu_seconds": encoded - start,
        "decode_cpu_seconds": decoded - encoded,
        "decisions_sha256": found.decisions_sha256,
    }


def run_case(outputs: Outputs, channel: np.ndarray, most_candidates: float) -> dict[str, Any]:
    """One channel at every block length that fits."""
    law, labels = quantised_law(channel), outputs.labels
    blocks = [n for n in range(1, LONGEST + 1) if expected_candidates(channel, law, block=n) <= most_candidates]
    points = [measure(channel, labels, n, most_candidates) for n in blocks]
    return {
        "samples": len(channel),
        "mutual_information_bits": float(mutual_information(np.full(len(channel), 1 / len(channel)), channel))
        / NATS_PER_BIT,
        "reproduction_entropy_bits": float(entropy(channel.mean(0))) / NATS_PER_BIT,
        "distortion_expected": 1 - float(channel[np.arange(len(labels)), labels].mean()),
        "first_block_refused": {
            "block": blocks[-1] + 1,
            "candidates_expected": expected_candidates(channel, law, block=blocks[-1] + 1),
        },
        "points": points,
    }


def draw(ax: Axes, title: str, case: dict[str, Any]) -> None:
    """Bits a sample against block length, between what no code beats and what theory promises."""
    information = case["mutual_information_bits"]
    points = [(p["block"], p["payload_bits_per_sample"], p["index_entropy_bits"] / p["block"]) for p in case["points"]]
    n, payload, index_entropy_bits = zip(*points, strict=True)
    curve = np.linspace(1, LONGEST, 200)
    bound = information + (np.log2(curve * information + 2) + 3) / curve
    ax.plot(curve, bound, color="#999999", linestyle="--", label="bound: I + (log2(nI + 2) + 3) / n")
    ax.plot(n, payload, "o-", color="#D55E00", label="payload, file bits")
    ax.plot(n, index_entropy_bits, "s", color="#0072B2", markersize=4, label="H(J) / n: best code of the indices")
    ax.axhline(case["reproduction_entropy_bits"], color="#009E73", linestyle=":", label="H(Y): send the sample itself")
    ax.axhline(information, color="black", linewidth=1.2, label="I(X;Y): converse")
    ax.set_title(f"{title}\nI = {information:.2f} bits, accuracy {1 - case['distortion_expected']:.1%}", fontsize=10)
    ax.set_xlim(0.7, LONGEST + 0.3)
    ax.set_ylim(0, 1.05 * bound.max())
    ax.grid(alpha=0.25)


def figure(found: dict[str, Any]) -> bytes:
    """All cases, three a row."""
    rows = math.ceil(len(found) / 3)
    whole = Figure(figsize=(11, 3.6 * rows + 0.5), layout="constrained")
    axes = whole.subplots(rows, 3, squeeze=False)
    for ax, (title, case) in zip(axes.flat, found.items(), strict=False):
        draw(ax, title, case)
    for ax in axes[-1]:
        ax.set_xlabel("block length n  [samples]")
    for ax in axes[:, 0]:
        ax.set_ylabel("rate  [bits per sample]")
    whole.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return png(whole)


def main(arguments: list[str] | None = None) -> None:
    """Run, or draw what was run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--most-candidates", type=float, default=7e8, help="expected of a whole search")
    parser.add_argument("--only", default="", help="cases whose title contains this")
    parser.add_argument("--plot", action="store_true", help="run nothing: draw the results file")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    if asked.plot:
        document = json.loads((asked.out / "simulation.json").read_text())
        save_all(asked.out, [("simulation.png", figure(document["cases"]))])
        return
    jax.config.update("jax_enable_x64", True)
    done: dict[str, Any] = {}
    for title, (where, channel) in cases().items():
        if asked.only not in title:
            continue
        if title.startswith("CIFAR") and "JAXRD_DATA" not in os.environ:
            print(f"{title} skipped: JAXRD_DATA does not name a folder")
            continue
        outputs, _ = read_outputs(where())
        done[title] = run_case(outputs, channel(outputs), asked.most_candidates)
        for p in done[title]["points"]:
            print(
                f"{title}, n = {p['block']}: {p['payload_bits_per_sample']:.3f} bits, "
                f"bound {p['bound_bits_per_sample']:.3f}, {p['encode_cpu_seconds']:.1f} s of CPU",
                flush=True,
            )
    document = {
        "command": "python benchmarks/simulation.py",
        "most_candidates": asked.most_candidates,
        "machine": {
            "cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
            "numpy": np.__version__, "constriction": version("constriction"),
        },
        "cases": done,
    }  # fmt: skip
    save_all(asked.out, [("simulation.json", to_json(document)), ("simulation.png", figure(done))])


if __name__ == "__main__":
    main()
