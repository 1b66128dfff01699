"""Read classifier outputs and problems; what cannot be used is refused in one line."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import arrays, tables, tensors
from jaxrd.io.common import DECISION_KEYS, LABEL_KEYS, OUTPUT_KEYS, SCORE_KEYS, Arrays, find, listing
from jaxrd.problem import Problem, validate
from jaxrd.tosc.outputs import Outputs, from_decisions, from_scores


def digest(*paths: Path) -> str:
    """SHA-256 of the files' bytes, one after another."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def read_outputs(
    path: str | Path, labels: str | Path | None = None, *, unsafe_pickle: bool = False
) -> tuple[Outputs, str]:
    """Read a classifier's outputs and labels from a file or folder.

    Accepted: `.npz` with `logits|scores|outputs|probs|probabilities` (or `predictions`) and `labels|targets|y`, and
    `.safetensors` and `.pt` with tensors of these names; an `.npy` of scores with `labels`; a folder with `scores.npy`
    (or any of those names) and `targets.npy`; `.csv` with a header and `.parquet`, with one column per class and a
    label column; what timm's `inference.py` writes.

    Args:
        path: the file or folder.
        labels: a file of labels (of any of these types, or `.txt`), where `path` has none or others are wanted.
        unsafe_pickle: read pickles too, which can run any code that whoever wrote them put there.

    Returns:
        The checked outputs and the SHA-256 of what was read.

    Raises:
        InputError: one line that quotes what cannot be used, or says which package reads it. Pickles are refused by
            name.
    """
    path = Path(path)
    files, notes = [path], ()
    if path.is_dir():
        score_file = _member(path, (*SCORE_KEYS, *DECISION_KEYS))
        files = [score_file]
        found = {score_file.stem: _one(score_file, unsafe_pickle)}
        if labels is None:
            label_file = _member(path, LABEL_KEYS)
            files.append(label_file)
            found["labels"] = _one(label_file, unsafe_pickle)
    elif path.suffix.lower() in tables.TABLES:
        found, notes = tables.load(path, labelled=labels is None)
    else:
        found = _arrays(path, OUTPUT_KEYS, unsafe_pickle)
        if "" in found:
            found = {"scores": found[""]} if found[""].ndim == 2 else {"predictions": found[""]}
    if labels is not None:
        label_path = Path(labels)
        files.append(label_path)
        found = {key: a for key, a in found.items() if key not in LABEL_KEYS}
        found["labels"] = _read_labels(label_path, unsafe_pickle)

    label_key = find(found, LABEL_KEYS)
    score_key, decision_key = find(found, SCORE_KEYS), find(found, DECISION_KEYS)
    if label_key is None:
        raise InputError(
            f"{path.name} has no labels ({'|'.join(LABEL_KEYS)}); it has: {listing(found)}. "
            "Add them, or pass a file of labels."
        )
    if score_key is not None:
        must = True if score_key.startswith("prob") else None
        outputs = from_scores(found[score_key], found[label_key], probabilities=must)
    elif decision_key is not None:
        outputs = from_decisions(found[decision_key], found[label_key])
    else:
        raise InputError(
            f"{path.name} has neither scores ({'|'.join(SCORE_KEYS)}) nor predictions; it has: {listing(found)}."
        )
    return replace(outputs, notes=outputs.notes + notes), digest(*files)


def _arrays(path: Path, keys: tuple[str, ...], unsafe_pickle: bool) -> Arrays:
    """The arrays of any file but a table."""
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    suffix = path.suffix.lower()
    if suffix in (*tensors.SAFETENSORS, *tensors.TORCH):
        return tensors.load(path, keys, unsafe_pickle=unsafe_pickle)
    if suffix in (*arrays.NUMPY, *arrays.PICKLES):
        return arrays.load(path, keys, unsafe_pickle=unsafe_pickle)
    raise InputError(
        f"{path.name}: files of type {path.suffix or '(none)'!r} are not read; "
        "use .npz, .npy with --labels, .csv, .parquet, .safetensors or .pt."
    )


def _member(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (path := folder / f"{name}.npy").exists():
            return path
    present = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    raise InputError(f"{folder} holds none of {', '.join(n + '.npy' for n in names)}; it has: {present}.")


def _one(path: Path, unsafe_pickle: bool) -> np.ndarray:
    found = arrays.load(path, (), unsafe_pickle=unsafe_pickle)
    if "" not in found:
        raise InputError(f"{path} is an archive; a single array was expected.")
    return found[""]


def _read_labels(path: Path, unsafe_pickle: bool) -> np.ndarray:
    if path.suffix.lower() in tables.TABLES:
        return tables.load_labels(path)
    if path.suffix.lower() == ".txt":
        return tables.load_words(path)
    found = _arrays(path, LABEL_KEYS, unsafe_pickle)
    key = find(found, ("", *LABEL_KEYS))
    if key is None:
        raise InputError(f"{path} has no labels ({'|'.join(LABEL_KEYS)}); it has: {listing(found)}.")
    return found[key]


def read_problem(path: str | Path) -> tuple[Problem, str]:
    """Read a problem from an `.npz` with `source` (n,) and `distortion` (n, m), +inf for forbidden pairs.

    Returns:
        The validated problem in float64 and the SHA-256 of the file.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    path = Path(path)
    found = arrays.load(path, ("source", "distortion"))
    missing = [key for key in ("source", "distortion") if key not in found]
    if missing:
        raise InputError(f"{path.name} has no {' and no '.join(missing)}; it has: {listing(found)}.")
    for key in ("source", "distortion"):
        if found[key].dtype.kind not in "iufb":
            raise InputError(f"{key} must be numbers; got {found[key].dtype}.")
    problem = Problem(found["source"].astype(np.float64), found["distortion"].astype(np.float64))
    validate(problem)
    return problem, digest(path)
