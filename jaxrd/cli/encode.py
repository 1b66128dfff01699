"""`jaxrd encode`: a classifier's outputs in, a stream of decisions out, in bits that were counted."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from jaxrd.cli.common import (
    FILES,
    UNSAFE_PICKLE,
    FirstLabel,
    LabelColumn,
    Probabilities,
    Scores,
    console,
    errors,
    headed,
    need_file,
    progress_bar,
    provenance,
    set_precision,
    timed,
    write,
)

CURVES = ("TMRD", "S&C")
POINTS = 32  # slopes among which the one for an accuracy is looked for, as in jaxrd limits
SILENCE = 1e-9  # bits: below, a ratio to I(X;Y) means nothing


def encode_command(
    file: Annotated[Path | None, typer.Argument(help=FILES)] = None,
    labels: Annotated[Path | None, typer.Option(help="file of labels, where FILE has none")] = None,
    scores: Scores = None,
    label_column: LabelColumn = None,
    probabilities: Probabilities = None,
    first_label: FirstLabel = None,
    unsafe_pickle: Annotated[bool, typer.Option("--unsafe-pickle", help=UNSAFE_PICKLE)] = False,
    curve: Annotated[
        str, typer.Option(help="the scheme: TMRD, or 'S&C' (quoted: & means something to shells)")
    ] = "TMRD",
    slope: Annotated[
        float | None, typer.Option(help="of TMRD, nats per unit of distortion: one of limits.json's, or any")
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option(help="choose the slope of TMRD that reaches it on the labels, at the least rate")
    ] = None,
    temperature: Annotated[
        float,
        typer.Option(
            help="T of the posterior softmax(logits / T) that TMRD codes and S&C samples; in terms of limits.json, "
            "its temperature for TMRD, temperature / inverse_temperature for S&C"
        ),
    ] = 1.0,
    block: Annotated[int, typer.Option(help="n, samples coded together: fewer bits, exponentially more work")] = 1,
    seed: Annotated[int, typer.Option(help="of the randomness that both sides share; travels in the stream")] = 0,
    most_candidates: Annotated[
        float, typer.Option(help="refuse if the search is expected to look at more; a billion take a minute or so")
    ] = 1e9,
    out: Annotated[Path, typer.Option(help="the stream, X.jrd; what it took stands beside it in X.json")] = Path(
        "decisions.jrd"
    ),
) -> None:
    """Send each sample's decision through a simulated channel: real bits for a point of TMRD or S&C."""
    dtype = set_precision(False)
    from jaxrd import datasets
    from jaxrd.coding import decode, encode, index_entropy, payload_bound, quantised_law
    from jaxrd.errors import InputError
    from jaxrd.information import NATS_PER_BIT, entropy
    from jaxrd.io import read_outputs
    from jaxrd.io.save import check_target
    from jaxrd.tosc import log_posterior

    if curve not in CURVES:
        raise InputError(f"--curve must be one of {', '.join(CURVES)}; got {curve!r}.")
    if curve != "TMRD" and not (slope is None and accuracy is None):
        option = "--slope" if accuracy is None else "--accuracy, which chooses a slope"
        raise InputError(f"S&C has no {option}; use --temperature.")
    if curve == "TMRD" and (slope is None) == (accuracy is None):
        raise InputError(
            "TMRD needs a --slope, or an --accuracy that chooses one." if slope is None
            else f"pass --slope or --accuracy, not both; got {slope:g} and {accuracy:g}."
        )  # fmt: skip
    if accuracy is not None and not 0 < accuracy < 1:
        percent = f" Write {accuracy / 100:g} for {accuracy:g} %." if 1 < accuracy < 100 else ""
        raise InputError(f"--accuracy must lie in (0, 1); got {accuracy:g}.{percent}")
    need_file(
        file, labels=labels, scores=scores, label_column=label_column, probabilities=probabilities,
        first_label=first_label, unsafe_pickle=unsafe_pickle,
    )  # fmt: skip
    for option, value in (("--slope", slope), ("--temperature", temperature)):
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"{option} must be a positive number; got {value:g}.")
    if not most_candidates > 0:
        raise InputError(f"--most-candidates must be positive; got {most_candidates:g}.")
    if out.suffix != ".jrd":
        raise InputError(f"--out must be a name that ends in .jrd; got {out}.")
    name, beside = datasets.DEFAULT_EXAMPLE if file is None else file.name, out.with_suffix(".json").name

    check_target(out.parent, [out.name], (file, labels), document=beside)
    with timed() as clock:
        path = datasets.example_path(name) if file is None else file
        outputs, sha256 = read_outputs(
            path, labels, scores=scores, label_column=label_column, probabilities=probabilities,
            first_label=first_label, unsafe_pickle=unsafe_pickle,
        )  # fmt: skip
        if outputs.logits is None:
            raise InputError(f"{name} holds hard decisions only; {curve} needs scores.")
        log_v = log_posterior(outputs.logits, temperature)
        if accuracy is not None:
            slope = _slope_for(accuracy, log_v, outputs.labels)
        channel, status = _model_aware(log_v, slope) if slope is not None else (np.exp(log_v), "ACHIEVABLE")
        with progress_bar() as tick:
            found = encode(
                channel, block=block, seed=seed, most_candidates=most_candidates,
                progress=lambda done, total: tick("blocks", done, total),
            )  # fmt: skip
        sent = found.simulation
        if not np.array_equal(decode(found.stream), sent.reproduction):
            raise AssertionError("the stream does not decode to what was sent")
        meta = provenance(dtype=dtype, sha256=sha256, seed=seed, clock=clock, tolerance=1e-9)

    samples = len(outputs.labels)
    payload_bits = 8 * found.payload_bytes / samples
    information = found.information / NATS_PER_BIT
    sample_bits = float(entropy(channel.mean(0))) / NATS_PER_BIT
    silent = information < SILENCE
    notes = list(outputs.notes)
    if payload_bits > sample_bits and not silent:
        notes.append("the sample itself, entropy-coded, would take fewer bits: longer blocks need fewer")
    index_bits = index_entropy(channel, quantised_law(channel), sent.reproduction, block=block) / NATS_PER_BIT
    document = {
        "schema": "jaxrd.encode/1", "name": name, "meta": meta,
        "curve": curve, "slope": slope, "accuracy": accuracy, "temperature": temperature, "status": status,
        "block": block, "seed": seed,
        "samples": samples, "classes": outputs.classes, "blocks": len(sent.indices),
        "header_bytes": len(found.stream) - found.payload_bytes, "payload_bytes": found.payload_bytes,
        "payload_bits_per_sample": payload_bits,
        "mutual_information_bits": information,
        "bound_bits_per_sample": payload_bound(found.information, samples, block) / NATS_PER_BIT,
        "ratio_to_mutual_information": None if silent else payload_bits / information,
        "law_rounding_bits": found.quantisation / NATS_PER_BIT,
        "reproduction_entropy_bits": sample_bits,
        "index_entropy_bits": index_bits,
        "index_entropy_ratio": None if silent else index_bits / (block * information),
        "index_mean_log2": float(np.log2(sent.indices).mean()), "largest_index": int(sent.indices.max()),
        "candidates_drawn": sent.candidates, "candidates_expected": found.expected_candidates,
        "distortion": float((sent.reproduction != outputs.labels).mean()),
        "distortion_expected": 1 - float(channel[np.arange(samples), outputs.labels].mean()),
        "sha256": found.decisions_sha256,  # of the decisions, int32, least byte first; meta has that of the input
        "notes": notes,
    }  # fmt: skip
    written = write(out.parent, [(out.name, found.stream)], (beside, document))
    _report(document)
    console.print("wrote " + ", ".join(str(path) for path in written), soft_wrap=True, highlight=False)
    if status not in ("CONVERGED", "EXACT", "ACHIEVABLE"):
        errors.print(f"jaxrd: TMRD at slope {slope:g} did not converge ({status}): its rate is not the least one")
        raise typer.Exit(1)


def _slope_for(accuracy: float, log_v: Any, labels: np.ndarray) -> float:
    """The slope at which `jaxrd limits` finds TMRD's least rate for that accuracy, measured on the labels.

    Raises:
        InputError: always guessing one class is as good, or no slope reaches it.
    """
    import jax.numpy as jnp

    from jaxrd.errors import InputError
    from jaxrd.tosc.curves import model_aware

    prior = jnp.asarray(np.bincount(labels, minlength=log_v.shape[1]) / len(labels))
    found = model_aware.draw(log_v, jnp.asarray(labels), prior, POINTS)
    place = found.smallest(1 - accuracy)
    if np.isinf(place.rate):
        raise InputError(
            f"TMRD does not reach --accuracy {accuracy:g}: {1 - found.curve.distortion.min():.4g} at best."
        )
    if place.rate <= 0:
        raise InputError(
            f"--accuracy {accuracy:g} needs no bits: always guessing one class has {1 - found.curve.distortion[0]:.4g}."
        )
    return place.parameter


def _model_aware(log_v: Any, slope: float) -> tuple[np.ndarray, str]:
    """TMRD's channel, and whether it is certified to be the optimal one."""
    import jax.numpy as jnp

    from jaxrd import Status, optimal_channel, solve
    from jaxrd.tosc import model_aware_problem

    problem = model_aware_problem(jnp.exp(log_v))
    point = solve(problem, slope)
    return np.asarray(optimal_channel(problem, point)), Status(int(point.status)).name


def _report(found: dict[str, Any]) -> None:
    how = f"slope {found['slope']:g}" if found["slope"] is not None else "a sample of the posterior"
    lines = [
        headed(
            found["name"],
            f": {found['samples']} decisions by {found['curve']}, {how}, temperature {found['temperature']:g}, blocks "
            f"of {found['block']}",
        ),
        f"payload {found['payload_bits_per_sample']:.4f} bits a sample, and {found['header_bytes']} bytes of header",
        f"I(X;Y) {found['mutual_information_bits']:.4f}, bound {found['bound_bits_per_sample']:.4f}, "
        f"sending the sample itself {found['reproduction_entropy_bits']:.4f}",
        f"{found['candidates_drawn']:.3g} candidates ({found['candidates_expected']:.3g} expected); "
        f"accuracy {1 - found['distortion']:.2%} ({1 - found['distortion_expected']:.2%} expected)",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    for note in found["notes"]:
        console.print(f"note: {note}", style="dim", soft_wrap=True, highlight=False)
