"""Train the embedded MNIST classifier and write what the package ships: its parameters and two sets of outputs.

    JAXRD_DATA=... python benchmarks/train_classifier.py --out jaxrd/data

Writes mnist_lenet_parameters.npz, mnist_lenet_clean.npz, mnist_lenet_noisy.npz and PROVENANCE.json. About five
minutes on two CPU cores; `--reuse` keeps the parameters that lie in the folder and only computes the outputs anew.
The noisy set adds Gaussian noise to the pixels of the test images, so that the classifier is uncertain and the
rate-accuracy curves come apart. A quarter of the training images carry such noise too, of random strength: a classifier
that never saw any is wrong with confidence, and its posterior then says little.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxrd import datasets
from jaxrd.neural import classifier

BATCH = 128


def shifted(key: jax.Array, images: jax.Array, pixels: int = 2) -> jax.Array:
    """Each image moved by up to `pixels` in both directions, zeros coming in."""
    padded = jnp.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels)))
    offsets = jax.random.randint(key, (len(images), 2), 0, 2 * pixels + 1)
    return jax.vmap(lambda im, o: jax.lax.dynamic_slice(im, (o[0], o[1]), (28, 28)))(padded, offsets)


def noisy(key: jax.Array, images: jax.Array, strongest: float) -> jax.Array:
    """One image in four with Gaussian pixel noise of a standard deviation drawn from [0, strongest]."""
    strength_key, noise_key = jax.random.split(key)
    strength = jax.random.uniform(strength_key, (len(images), 1, 1), minval=-3 * strongest, maxval=strongest)
    return images + jnp.maximum(strength, 0) * jax.random.normal(noise_key, images.shape)


def train(split: datasets.Split, *, epochs: int, seed: int, strongest: float) -> classifier.LeNet:
    """Adam on the cross-entropy under a cosine schedule, images shifted by up to two pixels, a quarter noisy."""
    model = classifier.LeNet(rngs=nnx.Rngs(seed))
    graph, params = nnx.split(model)
    steps = len(split.labels) // BATCH
    optimiser = optax.adamw(optax.cosine_decay_schedule(2e-3, epochs * steps), weight_decay=1e-4)
    images = jnp.asarray(split.images, jnp.float32) / 255
    labels = jnp.asarray(split.labels)

    def loss(params, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(nnx.merge(graph, params)(x), y).mean()

    @jax.jit
    def epoch(params, state, key):
        order_key, shift_key = jax.random.split(key)
        order = jax.random.permutation(order_key, len(labels))[: steps * BATCH].reshape(steps, BATCH)

        def step(carry, inputs):
            params, state = carry
            index, key = inputs
            move, disturb = jax.random.split(key)
            x = noisy(disturb, shifted(move, images[index]), strongest)
            value, grads = jax.value_and_grad(loss)(params, x, labels[index])
            updates, state = optimiser.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), value

        (params, state), values = jax.lax.scan(step, (params, state), (order, jax.random.split(shift_key, steps)))
        return params, state, values.mean()

    state = optimiser.init(params)
    for i, key in enumerate(jax.random.split(jax.random.key(seed), epochs)):
        start = time.perf_counter()
        params, state, value = epoch(params, state, key)
        print(
            f"epoch {i + 1:2d}/{epochs}  loss {float(value):.4f}  {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    nnx.update(model, params)
    return model


def accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of rows whose largest entry is at the label."""
    return float((outputs.argmax(1) == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of the MNIST IDX files (default: $JAXRD_DATA/mnist)")
    parser.add_argument("--out", type=Path, default=Path("jaxrd/data"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=float, default=1.0, help="standard deviation of the noisy set's pixel noise")
    parser.add_argument("--strongest", type=float, default=1.0, help="largest standard deviation in training")
    parser.add_argument("--reuse", action="store_true", help="do not train: use the package's parameters")
    args = parser.parse_args()

    training, test = datasets.mnist(args.data)
    start = time.perf_counter()
    if args.reuse:
        model = classifier.load()
    else:
        model = train(training, epochs=args.epochs, seed=args.seed, strongest=args.strongest)
    seconds = round(time.perf_counter() - start)
    sidecar = args.out / "PROVENANCE.json"
    if args.reuse:
        seconds = json.loads(sidecar.read_text())["training_seconds"]

    clean_images = test.images / np.float32(255)
    noise = np.random.default_rng(args.seed).standard_normal(clean_images.shape, np.float32)
    sets = {
        "clean": classifier.logits(model, clean_images),
        "noisy": classifier.logits(model, clean_images + args.noise * noise),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    parameters: dict[str, Any] = classifier.flatten(model)
    np.savez_compressed(args.out / classifier.PARAMETERS, **parameters)
    provenance = {
        "classifier": "LeNet-like, jaxrd/neural/classifier.py",
        "command": f"python benchmarks/train_classifier.py --epochs {args.epochs} --seed {args.seed} "
        f"--noise {args.noise} --strongest {args.strongest}",
        "training_data": "MNIST, 60 000 training images (LeCun, Cortes, Burges; CC BY-SA 3.0)",
        "outputs_of": "the 10 000 MNIST test images, in order; logits rounded to float16",
        "noise": {
            "clean": 0.0,
            "noisy": args.noise,
            "kind": "Gaussian, added to pixels in [0, 1], not clipped",
        },
        "parameters": int(sum(v.size for v in parameters.values())),
        "training_seconds": seconds,
        "versions": {"jax": jax.__version__, "optax": optax.__version__, "numpy": np.__version__},
        "test_accuracy": {},
        "sha256": {},
    }
    for name, outputs in sets.items():
        np.savez_compressed(
            args.out / datasets.EXAMPLES[f"mnist-{name}"],
            logits=outputs.astype(np.float16),
            labels=test.labels.astype(np.uint8),
        )
        provenance["test_accuracy"][name] = accuracy(outputs, test.labels)
        print(f"{name}: test accuracy {provenance['test_accuracy'][name]:.4f}")
    for path in sorted(args.out.glob("*.npz")):
        provenance["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    sidecar.write_text(json.dumps(provenance, indent=2) + "\n")


if __name__ == "__main__":
    main()
