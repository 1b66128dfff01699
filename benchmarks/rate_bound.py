"""What block codes could reach on MNIST at the figure's rate: an upper estimate of R(D), held out.

    python benchmarks/rate_bound.py --data DIR      # some minutes on two cores; writes results/rate_bound.json

Any reproduction images y and pmf q bound the rate-distortion function of any source: with W(y|x) ~ q_y exp(-s d(x, y)),
R(E d) <= E KL(W || q). Images and pmf are learnt on the training images (Blahut-Arimoto steps in which the images move
to their means); the two expectations are then means over the test images, which saw none of it: unbiased estimates of
a point above the population's R(D), with standard errors, up to sampling noise. Nothing is claimed from below.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from machine import describe

from jaxrd import datasets

OUT = Path(__file__).parent / "results" / "rate_bound.json"
SLOPES = (100.0, 140.0, 180.0, 230.0, 300.0)
"""Nats per unit of MSE per pixel."""
BATCH = 5000


def vectors(split: datasets.Split) -> jax.Array:
    """Images as rows of pixels in [0, 1]."""
    return jnp.asarray(split.images.reshape(len(split.images), -1).astype(np.float32) / 255)


def channel(x: jax.Array, y: jax.Array, log_q: jax.Array, slope: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """W, KL(W(.|x) || q) and the mean distortion of each x."""
    d = ((x**2).sum(1)[:, None] - 2 * x @ y.T + (y**2).sum(1)) / x.shape[1]
    scores = log_q - slope * d
    log_w = jax.nn.log_softmax(scores)
    w = jnp.exp(log_w)
    return w, (w * (log_w - log_q)).sum(1), (w * d).sum(1)


@jax.jit
def step(x: jax.Array, y: jax.Array, log_q: jax.Array, slope: float) -> tuple[jax.Array, jax.Array]:
    """One Blahut-Arimoto step over all x, the reproductions moved to the means of what is sent as them."""

    def add(sums: tuple[jax.Array, jax.Array], part: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        w = channel(part, y, log_q, slope)[0]
        return (sums[0] + w.sum(0), sums[1] + w.T @ part), None

    (mass, total), _ = jax.lax.scan(add, (jnp.zeros(len(y)), jnp.zeros_like(y)), x.reshape(-1, BATCH, x.shape[1]))
    used = mass > 1e-6
    y = jnp.where(used[:, None], total / jnp.where(used, mass, 1)[:, None], y)
    return y, jnp.log(jnp.maximum(mass / len(x), 1e-30))


def point(x: jax.Array, y: jax.Array, log_q: jax.Array, slope: float) -> dict[str, float]:
    """Means over x and their standard errors, rates in bits."""
    log_q = jax.nn.log_softmax(log_q)
    one = jax.jit(partial(channel, slope=slope))
    parts = [one(part, y, log_q)[1:] for part in jnp.split(x, len(x) // BATCH)]
    rate, distortion = (np.concatenate(values).astype(float) for values in zip(*parts, strict=True))
    rate = rate / np.log(2)
    n = len(rate) ** 0.5
    return {
        "mse": distortion.mean(), "mse_error": distortion.std() / n,
        "rate_bits": rate.mean(), "rate_error_bits": rate.std() / n,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--letters", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    clock = perf_counter()
    train, test = (vectors(split) for split in datasets.mnist(args.data))
    drawn = jax.random.choice(jax.random.key(0), len(train), (args.letters,), replace=False)
    y, log_q = train[drawn], jnp.full(args.letters, -jnp.log(args.letters))
    rows: list[dict[str, Any]] = []
    for slope in SLOPES[::-1]:  # from many letters in use to few: what merges does not part again
        for _ in range(args.steps):
            y, log_q = step(train, y, log_q, slope)
        rows.insert(0, {"slope": slope, "train": point(train, y, log_q, slope), "test": point(test, y, log_q, slope)})
        print(rows[0], f"{perf_counter() - clock:.0f} s", flush=True)
    rate = 3 * np.log2(3)
    found = [row["test"] for row in rows]
    at = float(np.interp(rate, [r["rate_bits"] for r in found], [r["mse"] for r in found]))
    print(f"at {rate:.4f} bits: MSE <= {at:.4f}, between two such points by time sharing")
    document = {
        "schema": "jaxrd.rate-bound/1",
        "command": f"python benchmarks/rate_bound.py --letters {args.letters} --steps {args.steps}",
        "meaning": "held-out estimate of a point above R(D); not a lower bound, not certified",
        "rate_bits": rate, "mse_at_most": at, "rows": rows, "machine": describe(),
    }  # fmt: skip
    args.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
