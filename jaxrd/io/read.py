"""Read classifier outputs and problems; what cannot be used is refused in one line."""

import csv
import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxrd.problem import Problem, validate
from jaxrd.tosc.outputs import InputError, Outputs, from_decisions, from_scores

SCORE_KEYS = ("logits", "scores", "outputs", "probs", "probabilities")
LABEL_KEYS = ("labels", "targets", "y")
DECISION_KEYS = ("predictions",)
OUTPUT_KEYS = (*SCORE_KEYS, *LABEL_KEYS, *DECISION_KEYS)
UNREAD = np.zeros(0)
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")


def digest(*paths: Path) -> str:
    """SHA-256 of the files' bytes, one after another."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def _refuse_pickle(path: Path) -> None:
    if path.suffix.lower() in PICKLES:
        raise InputError(f"{path} is a pickle, which can run code when read; it is refused. Save arrays as .npz.")


def _load(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of an .npz that have one of these keys, or the one of an .npy under the key ''.

    Other arrays are listed but not read: they may be large, or pickles.
    """
    _refuse_pickle(path)
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        with loaded:
            return {key: loaded[key] if key in keys else UNREAD for key in loaded.files}
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise InputError(
                f"{path} holds a pickle, which can run code when read; it is refused. Save plain arrays."
            ) from None
        raise _damaged(path, error) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    # The error's own words may quote the bytes it fell over.
    return InputError(
        f"{path} cannot be read as a numpy file, it may be truncated or damaged ({type(error).__name__})."
    )


def _find(arrays: dict[str, np.ndarray], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in arrays), None)


def _listing(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(sorted(arrays)) or "nothing"


def read_outputs(path: str | Path, labels: str | Path | None = None) -> tuple[Outputs, str]:
    """Read a classifier's outputs and labels from a file or folder.

    Accepted: `.npz` with `logits|scores|outputs|probs|probabilities` (or `predictions`) and `labels|targets|y`; an
    `.npy` of scores with `labels`; a folder with `scores.npy` (or any of those names) and `targets.npy`; a `.csv`
    with a header, one column per class and a label column.

    Args:
        path: the file or folder.
        labels: a file of labels (`.npy`, `.npz`, `.csv` or `.txt`), where `path` has none or others are wanted.

    Returns:
        The checked outputs and the SHA-256 of what was read.

    Raises:
        InputError: one line that quotes what cannot be used. Pickles are refused by name.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        score_file = _member(path, (*SCORE_KEYS, *DECISION_KEYS))
        files = [score_file]
        arrays = {score_file.stem: _one(score_file)}
        if labels is None:
            label_file = _member(path, LABEL_KEYS)
            files.append(label_file)
            arrays["labels"] = _one(label_file)
    elif not path.exists():
        raise InputError(f"{path} does not exist.")
    elif path.suffix.lower() == ".csv":
        arrays = _read_csv(path)
    elif path.suffix.lower() in (".npz", ".npy", *PICKLES):
        arrays = _load(path, OUTPUT_KEYS)
        if "" in arrays:
            arrays = {"scores": arrays[""]} if arrays[""].ndim == 2 else {"predictions": arrays[""]}
    else:
        raise InputError(
            f"{path.name}: files of type {path.suffix or '(none)'!r} are not read; "
            "use .npz, .npy with --labels, or .csv."
        )
    if labels is not None:
        label_path = Path(labels)
        files.append(label_path)
        arrays = {key: a for key, a in arrays.items() if key not in LABEL_KEYS} | {"labels": _read_labels(label_path)}

    label_key = _find(arrays, LABEL_KEYS)
    score_key, decision_key = _find(arrays, SCORE_KEYS), _find(arrays, DECISION_KEYS)
    if label_key is None:
        raise InputError(
            f"{path.name} has no labels ({'|'.join(LABEL_KEYS)}); it has: {_listing(arrays)}. "
            "Add them, or pass a file of labels."
        )
    if score_key is not None:
        must = True if score_key.startswith("prob") else None
        outputs = from_scores(arrays[score_key], arrays[label_key], probabilities=must)
    elif decision_key is not None:
        outputs = from_decisions(arrays[decision_key], arrays[label_key])
    else:
        raise InputError(
            f"{path.name} has neither scores ({'|'.join(SCORE_KEYS)}) nor predictions; it has: {_listing(arrays)}."
        )
    return outputs, digest(*files)


def _member(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (path := folder / f"{name}.npy").exists():
            return path
    present = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    raise InputError(f"{folder} holds none of {', '.join(n + '.npy' for n in names)}; it has: {present}.")


def _one(path: Path) -> np.ndarray:
    arrays = _load(path, ())
    if "" not in arrays:
        raise InputError(f"{path} is an archive; a single array was expected.")
    return arrays[""]


def _read_labels(path: Path) -> np.ndarray:
    if not path.exists():
        raise InputError(f"{path} does not exist.")
    if path.suffix.lower() == ".csv":
        columns = _csv_columns(path, need=LABEL_KEYS)
        key = next(k for k in columns if k.lower() in (*LABEL_KEYS, "label", "target"))
        return np.array([_number(v, path, key, i) for i, v in enumerate(columns[key])])
    if path.suffix.lower() == ".txt":
        return np.array([_number(v, path, "label", i) for i, v in enumerate(path.read_text().split())])
    arrays = _load(path, LABEL_KEYS)
    key = "" if "" in arrays else _find(arrays, LABEL_KEYS)
    if key is None:
        raise InputError(f"{path} has no labels ({'|'.join(LABEL_KEYS)}); it has: {_listing(arrays)}.")
    return arrays[key]


def _csv_columns(path: Path, need: tuple[str, ...]) -> dict[str, list[str]]:
    """The columns of a csv by header, as text."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file.") from None
    if not rows:
        raise InputError(f"{path} is empty.")
    header, body = [name.strip() for name in rows[0]], rows[1:]
    if not {name.lower() for name in header} & {*need, *(n.rstrip("s") for n in need)}:
        shown = ", ".join(header[:8])
        raise InputError(f"{path.name} has no column {'|'.join(need)} in its first line; it has: {shown}.")
    if len(set(header)) < len(header):
        raise InputError(f"{path.name} names a column twice: {next(n for n in header if header.count(n) > 1)!r}.")
    for i, row in enumerate(body):
        if len(row) != len(header):
            raise InputError(f"{path.name}, line {i + 2}: {len(row)} fields where the header has {len(header)}.")
    return {name: [row[k] for row in body] for k, name in enumerate(header)}


def _number(text: str, path: Path, column: str, row: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path.name}, column {column!r}, line {row + 2}: {text!r} is no number.") from None


def _read_csv(path: Path) -> dict[str, np.ndarray]:
    """One column per class, in their order, and a label column; an index column is left out."""
    columns = _csv_columns(path, need=LABEL_KEYS)
    arrays: dict[str, np.ndarray] = {}
    scores = []
    for name, texts in columns.items():
        key = name.lower()
        if key in ("", "id", "index"):
            continue
        values = np.array([_number(text, path, name, i) for i, text in enumerate(texts)])
        if key in (*LABEL_KEYS, "label", "target"):
            if "labels" in arrays:
                raise InputError(f"{path.name} has two columns of labels; {name!r} is the second.")
            arrays["labels"] = values
        elif key in (*DECISION_KEYS, "prediction"):
            arrays["predictions"] = values
        else:
            scores.append(values)
    if scores:
        arrays["scores"] = np.stack(scores, 1)
    return arrays


def read_problem(path: str | Path) -> tuple[Problem, str]:
    """Read a problem from an `.npz` with `source` (n,) and `distortion` (n, m), +inf for forbidden pairs.

    Returns:
        The validated problem in float64 and the SHA-256 of the file.

    Raises:
        InputError: one line that quotes what cannot be used.
    """
    path = Path(path)
    arrays = _load(path, ("source", "distortion"))
    missing = [key for key in ("source", "distortion") if key not in arrays]
    if missing:
        raise InputError(f"{path.name} has no {' and no '.join(missing)}; it has: {_listing(arrays)}.")
    for key in ("source", "distortion"):
        if arrays[key].dtype.kind not in "iufb":
            raise InputError(f"{key} must be numbers; got {arrays[key].dtype}.")
    problem = Problem(arrays["source"].astype(np.float64), arrays["distortion"].astype(np.float64))
    try:
        validate(problem)
    except ValueError as error:
        raise InputError(str(error)) from None
    return problem, digest(path)
