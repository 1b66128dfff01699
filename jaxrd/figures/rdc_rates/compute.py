"""The models of rdc-rates, trained and measured: every finished step is kept in the folder and reused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxrd._files import parsing
from jaxrd.figures.rdc_rates.plan import Plan, Target
from jaxrd.neural import UniversalAutoencoder, dense, fit, fit_decoder, tune
from jaxrd.neural.universal.data import functions
from jaxrd.neural.universal.measure import coded_bits, compared
from jaxrd.neural.universal.model import Search
from jaxrd.neural.universal.probe import label_entropy

Say = Callable[[str], None]
Row = dict[str, Any]
MEASURES = ("mse", "ce_nats", "accuracy", "label_entropy_nats", "sliced_w2", "variance", "coded_bits")


class Sample(NamedTuple):
    """Images, uint8 of shape (count, 28, 28), and their labels, integers of shape (count,) each."""

    images: np.ndarray
    labels: tuple[np.ndarray, ...]

    def first(self, count: int | None) -> Sample:
        """The first images."""
        return Sample(self.images[:count], tuple(one[:count] for one in self.labels))


class Job:
    """The models of a plan; each is trained when it is first asked for, and then read from the folder.

    Args:
        plan: which.
        train: images to learn from.
        test: images to measure on.
        classifiers: fixed, one a label.
        folder: of this plan on this data alone.
        say: called with lines of progress.
    """

    def __init__(self, plan: Plan, train: Sample, test: Sample, classifiers: Sequence[Any], folder: Path, say: Say):
        self.plan, self.folder, self.say, self.classifiers = plan, folder, say, list(classifiers)
        self.train, self.test = train.first(plan.images), test.first(plan.tests)
        self.conventional = cache(self._conventional)
        self.symbols, self.label_entropies = cache(self._symbols), cache(self._label_entropies)
        self.learnt = cache(self._learnt)

    def _common(self, target: Target, seed: int, *place: str) -> dict[str, Any]:
        schedule = self.plan.critic if target.wasserstein else None
        said = " ".join(place)

        def report(epoch: int, losses: Any) -> None:
            values = ", ".join(f"{v:.3f}" for v in np.asarray(losses.cross_entropy))
            self.say(f"{said} epoch {epoch}: MSE {float(losses.mse):.5f}" + (f", CE {values}" if values else ""))

        return {
            "labels": list(self.train.labels), "classifier": self.classifiers, "weights": target.weights,
            "noise": target.noise, "seed": seed, "name": target.name, "out": self.folder.joinpath(*place),
            "report": report, "schedule": schedule, "networks": partial(dense, hidden=self.plan.hidden),
        }  # fmt: skip

    def _conventional(self, bits: int, target: Target, seed: int) -> UniversalAutoencoder:
        """Encoder and decoder trained together; all but the first target go on from the first's model."""
        given = self._common(target, seed, f"{bits}", target.name, f"{seed}")
        if target == self.plan.first:
            model = fit(self.train.images, **given | {"bits": bits, "schedule": self.plan.begin}).model
        else:
            given["schedule"] = given["schedule"] or self.plan.tune
            model = tune(self.conventional(bits, self.plan.first, seed), self.train.images, **given).model
        model.search_through(Search(target.name, self.plan.candidates))
        return model

    def universal(self, bits: int, target: Target, seed: int) -> UniversalAutoencoder:
        """A decoder for a target, on the plan's frozen encoder."""
        source = self.frozen
        given = self._common(target, 100 + seed, f"{bits}", f"{target.name} on {source.name}", f"{seed}")
        given["schedule"] = given["schedule"] or self.plan.decoder
        given["symbols"] = self.learnt(bits, seed)
        # From the encoder's own decoder: a fresh one fits the training images more than the source.
        given["begun"] = source.name
        return fit_decoder(self.conventional(bits, source, seed), self.train.images, **given).model

    @property
    def frozen(self) -> Target:
        """The target whose encoder the universal decoders use."""
        return next(t for t in (self.plan.first, *self.plan.others) if t.name == self.plan.frozen)

    def _symbols(self, bits: int, target: Target, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """What the encoder of a conventional model sends for the first training images and for the test images."""
        model = self.conventional(bits, target, seed)
        learnt, seen = (
            images / np.float32(255) for images in (self.train.images[: self.plan.counted], self.test.images)
        )
        train = np.asarray(model.encode(learnt))
        judged = tuple(functions(self.classifiers)) if any(target.cross_entropy) else ()
        model.search_through(Search(target.name, self.plan.candidates, target.cross_entropy if judged else (), judged))
        test = np.asarray(model.encode(seen))
        # Training sets are encoded by the error alone: the classifiers' passes would take most of the time.
        model.search_through(Search(target.name, self.plan.candidates))
        return train, test

    def _learnt(self, bits: int, seed: int) -> np.ndarray:
        """What the frozen encoder sends for all training images."""
        return np.asarray(self.conventional(bits, self.frozen, seed).encode(self.train.images / np.float32(255)))

    def _label_entropies(self, bits: int, target: Target, seed: int) -> list[float]:
        """Upper estimates of H(S_k | M), for the encoder of a conventional model."""
        code = self.conventional(bits, target, seed).code
        train, test = (
            np.asarray(code.latents(jax.device_put(symbols))) for symbols in self.symbols(bits, target, seed)
        )
        return [
            label_entropy(train, learnt, test, seen, epochs=self.plan.probe, seed=seed)
            for learnt, seen in zip(self.train.first(len(train)).labels, self.test.labels, strict=True)
        ]

    def path(self, bits: int, target: Target, seed: int, *, universal: bool) -> Path:
        """Where the row of a model is kept."""
        kind = f"universal on {self.frozen.name}" if universal else "conventional"
        return self.folder / "rows" / f"{bits} {kind} {target.name} {seed}.json"

    def row(self, bits: int, target: Target, seed: int, *, universal: bool) -> Row:
        """Of a model: what it reaches on the test images."""
        path = self.path(bits, target, seed, universal=universal)
        if not path.exists():
            clock = perf_counter()
            encoder = self.frozen if universal else target
            model = self.universal(bits, target, seed) if universal else self.conventional(bits, target, seed)
            train, test = self.symbols(bits, encoder, seed)
            made = np.asarray(model.decode(test, name=target.name, key=jax.random.key(seed)))
            found = compared(self.test.images / np.float32(255), made, self.test.labels, self.classifiers)
            probed = self.label_entropies(bits, encoder, seed)
            # The classifier's own verdict is an upper estimate too, where the decoder adds no noise.
            found["label_entropy_nats"] = (
                probed if target.noise else [min(pair) for pair in zip(probed, found["ce_nats"], strict=True)]
            )
            sizes = model.code.sizes
            counts = [np.bincount(column, minlength=size) for column, size in zip(train.T, sizes, strict=True)]
            found["coded_bits"] = coded_bits(test, counts)
            _write(path, {"bits": bits, "target": target.name, "seed": seed, "seconds": perf_counter() - clock} | found)
            self.say(f"{path.stem}: " + ", ".join(f"{name} {_short(found[name])}" for name in MEASURES))
        with parsing(path, "a result (delete it to have it measured again)"):
            return json.loads(path.read_text())


def models(
    plan: Plan,
    train: Sample,
    test: Sample,
    classifiers: Sequence[Any],
    folder: Path,
    *,
    finished: bool = False,
    say: Say = lambda _: None,
) -> list[Row]:
    """Conventional and universal models at every rate: `bits`, and rows of `conventional` and `universal`.

    After an interruption it continues from the last finished epoch if it is called again with the same folder.

    Args:
        plan: which models, for how long.
        train: images to learn from.
        test: images to measure on.
        classifiers: fixed, one a label.
        folder: for checkpoints and finished steps, of this plan on this data alone.
        finished: nothing is trained; models that the folder has no row of are left out.
        say: called with lines of progress.
    """
    job = Job(plan, train, test, classifiers, folder, say)
    rows: dict[int, dict[str, Any]] = {bits: {"bits": bits, "conventional": [], "universal": []} for bits in plan.bits}
    for universal in (False, True):
        for target in (plan.first, *plan.others):
            for bits in plan.bits:
                seeds = plan.seeds_of(target)
                if finished:
                    seeds = [s for s in seeds if job.path(bits, target, s, universal=universal).exists()]
                if seeds:
                    found = [job.row(bits, target, seed, universal=universal) for seed in seeds]
                    kind = "universal" if universal else "conventional"
                    rows[bits][kind].append(_mean(job, target, seeds, found, universal=universal))
    return list(rows.values())


def _mean(job: Job, target: Target, seeds: Sequence[int], rows: Sequence[Row], *, universal: bool) -> Row:
    """A target's seeds averaged; the spread is the sample's deviation, None of one seed."""
    values = {name: np.array([row[name] for row in rows]) for name in MEASURES}
    spread = {name: v.std(0, ddof=1).tolist() if len(rows) > 1 else None for name, v in values.items()}
    return (
        {"target": target.name, "cross_entropy_weights": list(target.cross_entropy), "wasserstein": target.wasserstein}
        | ({"encoder_target": job.frozen.name} if universal else {})
        | {name: v.mean(0).tolist() for name, v in values.items()}
        | {"seeds": list(seeds), "mse_std": spread["mse"], "ce_std": spread["ce_nats"]}
        | {"seconds": float(np.mean([row["seconds"] for row in rows]))}
    )


def _short(value: Any) -> str:
    return " ".join(f"{v:.4f}" for v in np.atleast_1d(value))


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)
