"""The models of Figure 6 of [B], trained in several runs: every step's result is kept in the folder and reused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxrd._files import parsing
from jaxrd.figures.rdc_fig6.plan import Group, Member, Plan, Search
from jaxrd.neural import family, model_file, warm
from jaxrd.neural.checkpoint import latest, save
from jaxrd.neural.codec import compress, fitted
from jaxrd.neural.evaluate import evaluate, sent_messages, transmit
from jaxrd.neural.family import Over
from jaxrd.neural.image_stream import coded_bits
from jaxrd.neural.label_entropy import corner
from jaxrd.neural.losses import Terms
from jaxrd.neural.quantizer import codes
from jaxrd.neural.run import train
from jaxrd.neural.train import Logits, Objective, Parameters, State, initial, universal
from jaxrd.rdc.quantiser import frontier, one_shot

Tick = Callable[[str, int, int], None]
Say = Callable[[str], None]
SHOWN = 20
"""Test images whose reproductions are kept: two of each class."""


class Sample(NamedTuple):
    """Images as vectors in [0, 1], shape (count, 784); p(s|x) by the classifier at T = 1; labels."""

    images: jax.Array
    beliefs: jax.Array
    labels: jax.Array


class Job(NamedTuple):
    """The inputs of every step of the figure.

    Args:
        plan: all of it.
        logits: the fixed classifier.
        train: images to learn from.
        test: images to measure on.
        folder: of this plan on this data alone.
        over: how members of a group are trained together; None for what is fast here.
        tick: called with what, done, total.
        say: called with a line of progress.
    """

    plan: Plan
    logits: Logits
    train: Sample
    test: Sample
    folder: Path
    over: Over | None
    tick: Tick
    say: Say

    def shown(self) -> np.ndarray:
        """Indices of the test images that are kept: the first two of each class."""
        labels = np.asarray(self.test.labels)
        return np.array([i for s in range(10) for i in np.flatnonzero(labels == s)[: SHOWN // 10]])


class Trained(NamedTuple):
    """A group's results: a row per member (its fields, its results on the test images), losses by epoch, samples.

    Args:
        rows: the members' fields, the results of `evaluate`, and `coded_bits`.
        history: a row per epoch, each loss a list over the members.
        samples: reproductions of `Job.shown`, uint8, shape (members, shown, 784).
        device: that trained them, in the last run.
        seconds: of that run, from its beginning or its checkpoint to the measured rows.
    """

    rows: list[dict[str, Any]]
    history: list[dict[str, Any]]
    samples: np.ndarray
    device: str
    seconds: float


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def books(job: Job) -> dict[float, np.ndarray]:
    """Reproductions of the best codebook found, by weight: shape (messages, 784) each."""
    path, search = job.folder / "books.npz", job.plan.search
    if not path.exists():
        clock, done = perf_counter(), 0

        def report(weight: float, losses: jax.Array) -> None:
            nonlocal done
            done += 1
            job.tick("codebooks", done, 2 * len(search.weights))
            job.say(f"codebook of weight {weight:g}: loss {float(losses.min()):.6f}  {perf_counter() - clock:.0f} s")

        best = _frontier(job, search, report)
        temporary = path.with_name(".books.part.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        named: dict[str, Any] = {repr(w): np.asarray(book.reproductions) for w, book in best.items()}
        np.savez_compressed(temporary, **named)
        os.replace(temporary, path)
    with parsing(path, "codebooks (delete it to have them searched again)"), np.load(path) as archive:
        return {float(name): archive[name] for name in archive.files}


def _frontier(job: Job, search: Search, report: Callable[[float, jax.Array], None]) -> dict[float, one_shot.Codebook]:
    codebooks = frontier.frontier(
        job.train.images,
        job.train.beliefs,
        job.logits,
        search.weights,
        messages=job.plan.code.levels**job.plan.code.dimensions,
        starts=search.starts,
        rounds=search.rounds,
        search=search.search,
        seed=0,
        report=report,
    )
    return {weight: book for weight, (book, _) in zip(search.weights, codebooks, strict=True)}


def conventional(job: Job, group: Group, codebooks: dict[float, np.ndarray]) -> Trained:
    """Encoder and decoder of each member, begun from the codebook of its weight."""

    def beginning() -> State:
        places = np.asarray(codes(job.plan.code.dimensions, job.plan.code.levels))
        arranged = {w: codebooks[w][warm.arrange(codebooks[w], places)] for w in {m.weight for m in group.members}}
        return family.taught(
            job.plan.code,
            [m.seed for m in group.members],
            jnp.asarray(np.stack([arranged[m.weight] for m in group.members]), jnp.float32),
            over=_over(job, group),
            steps=job.plan.lessons,
        )

    return _trained(job, group, beginning)


def decoders(job: Job, group: Group) -> Trained:
    """Fresh decoders, each on the frozen encoder of the conventional model that its member names."""

    def beginning() -> State:
        code = job.plan.code
        states = []
        for m in group.members:
            assert m.encoder is not None
            encoder = parameters(job, Member(m.encoder, 0.0, m.seed))
            like = initial(code, 0)
            # Its own seed, different from that of the decoder which this encoder was trained with.
            states.append(universal(code, like._replace(parameters=encoder), 100 + m.seed))
        return family.stacked(states)

    return _trained(job, group, beginning)


def parameters(job: Job, wanted: Member) -> Parameters:
    """Of a finished conventional model, from its group's last checkpoint."""
    for group in job.plan.conventional:
        if wanted in group.members:
            like = family.stacked([initial(job.plan.code, 0)] * len(group.members))
            saved = latest(job.folder / group.name, like)
            assert saved is not None
            return family.member(saved[0].parameters, group.members.index(wanted))
    raise ValueError(f"no conventional model {wanted} in the plan.")


def corners(job: Job) -> list[dict[str, Any]]:
    """What the best decoders of each frozen encoder reach, without a network: a row an encoder."""
    sizes = job.plan.code.levels**job.plan.code.dimensions
    frozen = {(m.encoder, m.seed) for group in job.plan.universal for m in group.members if m.encoder is not None}
    rows = []
    for weight, seed in sorted(frozen):
        encoder = jax.device_get(parameters(job, Member(weight, 0.0, seed)))
        train, test = (
            (sent_messages(job.plan.code, encoder, np.asarray(s.images)), np.asarray(s.images), np.asarray(s.labels))
            for s in (job.train, job.test)
        )
        rows.append({"encoder_weight": weight, "seed": seed} | corner(train, test, sizes)._asdict())
    return rows


def _over(job: Job, group: Group) -> Over:
    return job.over or family.by_backend(len(group.members))


def _trained(job: Job, group: Group, beginning: Callable[[], State]) -> Trained:
    table, samples = job.folder / f"{group.name}.json", job.folder / f"{group.name}.npy"
    if not table.exists():
        clock, epochs, done = perf_counter(), sum(leg.epochs for leg in group.legs), 0
        folder = job.folder / group.name
        # The initial state is kept: a run continues only from a checkpoint with the same initial state, bit for bit.
        like = family.stacked([initial(job.plan.code, 0)] * len(group.members))
        if (begun := latest(folder / "beginning", like)) is None:
            begun = beginning(), []
            save(folder / "beginning", *begun)
        state = begun[0]

        def report(leg: int, i: int, terms: Terms) -> None:
            nonlocal done
            done = sum(one.epochs for one in group.legs[:leg]) + i + 1
            job.tick(group.name, done, epochs)
            mse, ce, _ = (np.asarray(t) for t in terms)
            job.say(
                f"{group.name} ({len(group.members)} models) leg {leg + 1}/{len(group.legs)} "
                f"epoch {i + 1}/{group.legs[leg].epochs}: MSE {mse.min():.4f} to {mse.max():.4f}, "
                f"CE {ce.min():.3f} to {ce.max():.3f} nat  {perf_counter() - clock:.0f} s"
            )

        weights = family.weights([(m.weight, m.wasserstein) for m in group.members])
        objective = Objective(job.plan.code, job.logits, job.train.images, job.train.labels, weights)
        state, history = train(objective, group.legs, state, over=_over(job, group), folder=folder, report=report)
        # On one device, as plain arrays: from here on the members are treated one by one.
        measured = _measured(job, group.members, jax.device_get(state.parameters))
        rows, shown = [row for row, _ in measured], np.stack([images for _, images in measured])
        with (temporary := samples.with_name(f".{group.name}.part.npy")).open("wb") as file:
            np.save(file, shown)
        os.replace(temporary, samples)
        device = jax.devices()[0]
        by = {"device": f"{device.platform} ({device.device_kind})", "seconds": round(perf_counter() - clock, 1)}
        _write(table, json.dumps({"rows": rows, "history": history} | by).encode())
    with parsing(table, "results (delete it to have them measured again)"):
        held = json.loads(table.read_text())
        return Trained(held["rows"], held["history"], np.load(samples), held["device"], held["seconds"])


def _measured(job: Job, members: Sequence[Member], stack: Parameters) -> list[tuple[dict[str, Any], np.ndarray]]:
    code, (images, _, labels) = job.plan.code, job.test
    test_images, true_labels = np.asarray(images), np.asarray(labels)
    learnt = np.asarray(job.train.images)
    results = []
    for i, m in enumerate(members):
        mine = family.member(stack, i)
        row = m._asdict() | evaluate(
            code, mine, job.logits, test_images, true_labels, batch=min(1000, len(test_images))
        )
        model = fitted(code, mine, learnt)
        row["coded_bits"] = coded_bits(compress(model, test_images))
        pixels = np.asarray(transmit(code, mine, jax.random.key(0), jnp.asarray(test_images[job.shown()]))[1])
        if m in job.plan.kept:
            _write(job.folder / "models" / f"{file_name(m)}.npz", model_file.to_bytes(model))
        results.append((row, np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8)))
        job.say(
            f"{file_name(m)}: MSE {row['mse']:.5f}, CE {row['ce_nats']:.4f} nat, accuracy {row['accuracy']:.2%}, "
            f"{row['coded_bits']:.3f} bits"
        )
    return results


def file_name(m: Member) -> str:
    """Such as conventional-0.03 or universal-0-on-0.03."""
    kind = "conventional" if m.encoder is None else "universal"
    realism = f"-w{m.wasserstein:g}" if m.wasserstein else ""
    on = "" if m.encoder is None else f"-on-{m.encoder:g}"
    return f"{kind}-{m.weight:g}{realism}{on}" + (f"-seed{m.seed}" if m.seed else "")
