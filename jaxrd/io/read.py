"""Read classifier outputs and problems; what cannot be used is refused in one line."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from jaxrd.errors import InputError
from jaxrd.io import arrays, parts, roles, tables, tensors, timm
from jaxrd.io.classes import class_numbers, decisions_and_labels
from jaxrd.io.common import (
    DECISION_KEYS,
    LABEL_KEYS,
    OUTPUT_KEYS,
    SCORE_KEYS,
    UNREAD,
    Columns,
    kind_of,
    listing,
    wanted,
)
from jaxrd.io.join import ROW_NAMES, rows_of
from jaxrd.io.weights import KEYS, read_weights, weights_name
from jaxrd.problem import Problem, validate
from jaxrd.tosc.outputs import Outputs, Progress, from_decisions, from_scores

PROBLEM_KEYS = ("source", "distortion")


def digest(*paths: Path, progress: Progress = None) -> str:
    """SHA-256 of the files' bytes, one after another; progress("checksum", done, total) counts those of 2^20."""
    total, done, size = hashlib.sha256(), 0, sum(path.stat().st_size for path in paths)
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
                done += len(block)
                if progress is not None and size > arrays.MAPPED:
                    progress("checksum", done >> 20, size >> 20)
    return total.hexdigest()


class _Held(NamedTuple):
    """What a file or folder holds."""

    columns: Columns
    files: tuple[Path, ...]
    table: bool


def read_outputs(
    path: str | Path,
    labels: str | Path | None = None,
    *,
    scores: str | None = None,
    label_column: str | None = None,
    probabilities: bool | None = None,
    first_label: int | None = None,
    unsafe_pickle: bool = False,
    weights: str | None = None,
    progress: Progress = None,
    shared: bool = False,
) -> tuple[Outputs, str]:
    """Read a classifier's outputs and labels from a file or folder.

    Accepted: `.npz`, `.safetensors`, `.pt`, `.h5`, `.mat` with `logits|scores|outputs|probs|probabilities` (or
    `predictions`; netcal's, Hugging Face's and scikit-learn's names too) and `labels|targets|y`; an `.npy` of scores
    with `labels`; a folder with `scores.npy` (or any of those names) and `targets.npy`, each whole or in parts
    `scores_000.npy`, `scores_001.npy`..., or with parquet files that are one table; tables with a column per class and
    a label column: `.csv` and `.tsv` with a header (also gzipped), `.parquet`, `.jsonl`, `.json` as pandas writes
    it, and what timm's `inference.py` writes. Labels may be the names of the classes. A table of labels that names its
    rows (`filename`, `id`) as the scores do is matched by these names.

    Args:
        path: the file or folder.
        labels: a file of labels (of any of these types, or `.txt`), where `path` has none or others are wanted.
        scores: which array or columns hold the scores: a name, a list `a,b,c` in the order of the classes, or a pattern
            such as `prob_*`, in numeric order. None: chosen by their names, refused if that is ambiguous.
        label_column: which array or column holds the labels (in `labels`, if that is given).
        probabilities: True: scores are probabilities, to be renormalised; False: logits; None: decided by their rows.
        first_label: the number that labels give the first class; None: 0, refused if that is ambiguous.
        unsafe_pickle: read pickles too, which can run any code that whoever wrote them put there.
        weights: which array or column of `path` holds weights of the samples, or a file of them; None: one named
            weights or sample_weight(s), if there is one.
        progress: called as progress(what, done, total) while a large file is read.
        shared: whether all processes of a `jax.distributed` run read the file together: of many scores each then reads
            its own part in every pass, and only the first process reads all bytes, for their SHA-256.

    Returns:
        The checked outputs, with notes on what was used and what was not, and the SHA-256 of the files read; with
        `shared` it is empty in all processes but the first.

    Raises:
        InputError: one line that quotes what cannot be used, or says which package reads it. Pickles are refused by
            name.

    Longer than 60 lines: labels come from the scores' file or from another one, and timm's tables are special in both.
    """
    path = Path(path)
    label_path = path if labels is None else Path(labels)
    asked = () if scores is None else (scores, *(part.strip() for part in scores.split(",")))
    if label_column is not None and labels is None:
        asked += (label_column,)
    asked += (*KEYS, *(() if weights is None else (weights,)))
    held = _held(path, asked, unsafe_pickle)
    if "" in held.columns and not held.table:  # the one nameless array of a file
        array = np.asarray(held.columns[""])
        held = held._replace(columns={"scores" if array.ndim == 2 else "predictions": array})
    of_timm = held.table and scores is None and label_column is None and timm.written_by(held.columns)
    if labels is None:
        truth, advice = held, ""
        if of_timm:
            advice = (
                f"{path.name} is timm's and holds no true classes (its 'label' is the predicted one): add a column "
                f"'target' or pass a file of labels, or --label-column. It has: {listing(held.columns)}."
            )
        elif path.is_dir() and not held.table:
            advice = _none_of(path, LABEL_KEYS)
        keys = timm.TRUTH if of_timm else LABEL_KEYS
        name = roles.label_name(held.columns, path, label_column, keys=keys, table=held.table, advice=advice)
        y, matched = held.columns[name], None
    else:
        if kind_of(label_path) == ".txt":
            truth = _Held(tables.read_words(label_path), (label_path,), False)
        else:
            truth = _held(label_path, (label_column,) if label_column else (), unsafe_pickle)
        keys = timm.TRUTH if truth.table and timm.written_by(truth.columns) else LABEL_KEYS
        name = ""
        if truth.table or "" not in truth.columns or label_column is not None:
            name = roles.label_name(truth.columns, label_path, label_column, keys=keys, table=truth.table)
        y, matched = truth.columns[name], None
        if held.table and truth.table:
            y, matched = rows_of(held.columns, truth.columns, path, label_path, name)

    heavy = weights_name(held.columns, weights, path)
    rest = {n: v for n, v in held.columns.items() if n.lower() not in LABEL_KEYS and not (labels is None and n == name)}
    rest = {n: v for n, v in rest.items() if n != heavy}
    if of_timm:
        key, values, notes = timm.outputs(held.columns, path)
        predicted = roles.Scores(values, key, ())
    else:
        if path.is_dir() and not held.table and not any(wanted(n, (*OUTPUT_KEYS, *asked)) for n in rest):
            raise InputError(_none_of(path, (*SCORE_KEYS, *DECISION_KEYS)))
        predicted = roles.scores(rest, y, path, scores, table=held.table, has=listing(held.columns))
        used = {*predicted.sources, heavy, *((name,) if labels is None else ())}
        notes = _notes(predicted, name, [n for n in held.columns if n not in used], held.table)
    if matched is not None:
        notes += (matched,)
    if labels is not None:
        beside = not_used(truth.columns, (name, *(key for kin in ROW_NAMES for key in kin)))
        notes += tuple(f"{label_path.name}: {words}" for words in beside)

    if predicted.key in DECISION_KEYS:
        decided, y, more, names = decisions_and_labels(predicted.values, y, label_path, name)
        outputs = from_decisions(decided, y, first_label=first_label)
    else:
        y, more, names = class_numbers(y, predicted, label_path, name, counted=first_label is not None)
        outputs = from_scores(
            predicted.values, y, probabilities=probabilities, first_label=first_label, named=predicted.key,
            progress=progress, shared=shared,
        )  # fmt: skip
    if (w := read_weights(held.columns, heavy, weights, path)) is not None:
        outputs, more = outputs.weighed(w), (*more, f"weights of the samples from {heavy or weights}")
    files = held.files if labels is None else (*held.files, *truth.files)
    files += () if heavy is not None or weights is None else (Path(weights),)
    names = names if names is not None and len(names) == outputs.classes else outputs.names
    outputs = replace(outputs, notes=outputs.notes + notes + more, names=names)
    return outputs, "" if shared and jax.process_index() else digest(*files, progress=progress)


def _notes(predicted: roles.Scores, label: str, ignored: list[str], table: bool) -> tuple[str, ...]:
    """A note of what was used, where the names do not make it plain, and of what was not used."""
    plain = {*SCORE_KEYS[:5], DECISION_KEYS[0]}, {"", *LABEL_KEYS[:3]}
    if not (table or ignored or predicted.sources[0] not in plain[0] or label not in plain[1]):
        return ()
    what = "predictions" if predicted.key in DECISION_KEYS else "classes" if len(predicted.sources) > 1 else "scores"
    words = f"{what} from {roles.span(predicted.sources)}" + (f", labels from {label}" if label else "")
    return ("; ".join([words, *not_used(ignored)]),)


def not_used(names: Iterable[str], used: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A note that lists the names that were not used; none where all were."""
    rest = [repr(name) for name in names if name not in used and name.lower() not in used]
    return (f"not used: {listing(rest)}",) if rest else ()


def _held(path: Path, more: tuple[str, ...], unsafe_pickle: bool) -> _Held:
    """The arrays or columns of any file, or of a folder of `.npy`."""
    keys = (*OUTPUT_KEYS, *more)
    kind = kind_of(path)
    if path.is_dir():
        return _folder(path, keys, unsafe_pickle)
    if kind in tables.TABLES:
        return _Held(tables.read_columns(path), (path,), True)
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if kind in (*tensors.SAFETENSORS, *tensors.TORCH):
        return _Held(tensors.load(path, keys, unsafe_pickle=unsafe_pickle), (path,), False)
    if kind in (*arrays.NUMPY, *arrays.HDF5, *arrays.MATLAB, *arrays.PICKLES):
        return _Held(arrays.load(path, keys, unsafe_pickle=unsafe_pickle), (path,), False)
    raise InputError(
        f"{path.name}: files of type {path.suffix or '(none)'!r} are not read; "
        "use .npz, .npy with --labels, .csv, .tsv, .parquet, .json, .jsonl, .safetensors, .h5, .mat or .pt."
    )


def _folder(folder: Path, keys: tuple[str, ...], unsafe_pickle: bool) -> _Held:
    """The `.npy` of a folder, each in one file or in numbered parts; else its parquet files as one table."""
    present = sorted(folder.glob("*.npy"))
    by_name = parts.files_by_name(present, keys)
    if not by_name and (tables_ := sorted(folder.glob("*.parquet"), key=_in_numeric_order)):
        return _Held(tables.read_parquet(tables_), tuple(tables_), True)
    loaded: dict[str, tuple[list[Path], list[np.ndarray]]] = {}
    for name, files in by_name.items():
        size = sum(file.stat().st_size for file in files)
        held = [arrays.load(file, (), unsafe_pickle=unsafe_pickle, size=size) for file in files]
        boxed = next((file for file, one in zip(files, held, strict=True) if "" not in one), None)
        if boxed is not None:
            raise InputError(f"{boxed} is an archive; a single array was expected.")
        loaded[name] = files, [one[""] for one in held]
    parts.refuse_unless_alike(loaded)
    ordered = sorted(sorted(loaded), key=lambda name: name.lower() in LABEL_KEYS)  # scores first
    files = [file for name in ordered for file in loaded[name][0]]
    read = set(files)
    unread = {path.stem: UNREAD for path in present if path not in read}
    return _Held(
        {name: parts.joined(loaded[name][1], loaded[name][0]) for name in loaded} | unread, tuple(files), False
    )


def _in_numeric_order(path: Path) -> list[tuple[int, str]]:
    """A key that puts part 2 before part 10."""
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.split("([0-9]+)", path.name)]


def _none_of(folder: Path, names: tuple[str, ...]) -> str:
    present = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    return f"{folder} holds none of {', '.join(n + '.npy' for n in names[:5])}; it has: {present}."


def read_problem(path: str | Path) -> tuple[Problem, str]:
    """Read a problem from an `.npz` with `source` (n,) and `distortion` (n, m), +inf for forbidden pairs.

    Warns of other arrays (weights, a cost), which are not used.

    Returns:
        The validated problem in float64 and the SHA-256 of the file.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    problem, loaded, sha256 = load_problem(Path(path))
    for words in not_used(loaded, PROBLEM_KEYS):
        warnings.warn(f"{Path(path).name}: {words}", stacklevel=2)
    return problem, sha256


def load_problem(path: Path, more: tuple[str, ...] = ()) -> tuple[Problem, arrays.Arrays, str]:
    """The problem that a file holds, its arrays by name (those in `more` are read too), and its SHA-256.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    loaded = arrays.load(path, (*PROBLEM_KEYS, *more))
    missing = [key for key in PROBLEM_KEYS if key not in loaded]
    if missing:
        raise InputError(f"{path.name} has no {' and no '.join(missing)}; it has: {listing(loaded)}.")
    for key in PROBLEM_KEYS:
        if loaded[key].dtype.kind not in "iufb":
            raise InputError(f"{key} must be numbers; got {loaded[key].dtype}.")
    problem = Problem(loaded["source"].astype(np.float64), loaded["distortion"].astype(np.float64))
    validate(problem)
    return problem, loaded, digest(path)
