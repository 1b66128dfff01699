"""A sweep that can be killed: each batch of slopes is kept in a folder when it is done, and read when it is asked for.

A kept file is named by the run and by what was asked for, and holds both with a digest of all that it holds. So what
another run left, or a damaged disk, is never taken for a result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from jaxrd._files import read_bytes
from jaxrd._points import lanes
from jaxrd._sweep import sweep
from jaxrd._version import __version__
from jaxrd.errors import InputError
from jaxrd.io.checked import checked, digest, read_checked
from jaxrd.io.save import save_all
from jaxrd.io.write import to_json
from jaxrd.problem import Problem
from jaxrd.solution import Solution

NAME = "resume.json"
_SCHEMA = "jaxrd.resume/1"
_MOST = 32
"""Slopes of a batch. A multiple of the usual numbers of cores: at the end of a batch the cores wait for each other."""
_SHOWN = 80
"""Characters of a differing value that an error shows: the file is not trusted."""


class Claim(NamedTuple):
    """A folder that belongs to one run.

    Args:
        folder: of the kept files.
        run: digest of all that decides the result.
    """

    folder: Path
    run: str


def fingerprint(
    problem: Problem, *, slopes: str, tolerance: float, dtype: str, mesh: Mesh | None = None
) -> dict[str, object]:
    """All that decides the numbers of a sweep, by name.

    Args:
        problem: as it was given, source (n,), distortion (n, m).
        slopes: which slopes are solved, in words.
        tolerance: gap in nats that the solvers are asked for.
        dtype: that they compute in.
        mesh: of the devices, None for one.
    """
    device = jax.devices()[0]
    return {
        "problem": digest({"source": problem.source, "distortion": problem.distortion}),
        "slopes": slopes, "tolerance": tolerance, "dtype": dtype, "jaxrd": __version__,
        # Another compiler or device may round otherwise.
        "jax": jax.__version__, "device": f"{device.platform} ({device.device_kind})",
        "mesh": "none" if mesh is None else "x".join(map(str, mesh.devices.shape)),
    }  # fmt: skip


def claim(folder: Path, run: Mapping[str, object]) -> Claim:
    """Assign a folder to a run, or check that it is this run's already.

    Args:
        folder: made where it is not there.
        run: of `fingerprint`.

    Raises:
        InputError: it holds another run (says in what it differs), or a damaged description of one.
        OSError: it cannot be read or written.
    """
    path = folder / NAME
    try:
        held = json.loads(read_bytes(path))
        if not isinstance(held, dict) or held.get("schema") != _SCHEMA:
            raise InputError(f"{path} is no description of a sweep; pass another folder.")
    except FileNotFoundError:
        held = None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged; delete it: the batches beside it are checked one by one.") from None
    if held is None:
        save_all(folder, [(NAME, to_json({"schema": _SCHEMA, **run}))])
    elif differ := [_difference(name, held.get(name), value) for name, value in run.items() if held.get(name) != value]:
        raise InputError(f"{folder} holds another run: {'; '.join(differ)}. Pass another folder, or delete this one.")
    return Claim(folder, digest({name: np.array(json.dumps(value)) for name, value in run.items()}))


def _difference(name: str, held: object, value: object) -> str:
    if name == "problem":
        return "its problem is another"
    return f"its {name} is {str(held)[:_SHOWN]}, here {value}"


def kept(claimed: Claim, kind: str, key: np.ndarray, compute: Callable[[], Solution]) -> Solution:
    """A solution as numpy arrays: the one that is kept under a key, else computed and kept.

    A file that is cut or damaged is computed again and replaced.

    Args:
        claimed: of `claim`.
        kind: first word of the file's name.
        key: what the solution answers; two results of a kind have different keys.
        compute: gives it.

    Raises:
        OSError: the file cannot be written, or may not be read.
    """
    about = {"run": np.array(claimed.run), "key": key}
    name = f"{kind}-{digest(about)[:32]}.npz"
    held = _held(claimed.folder / name, about)
    if held is not None:
        return held
    solution = jax.device_get(compute())
    named = {field.name: getattr(solution, field.name) for field in fields(Solution)}
    save_all(claimed.folder, [(name, checked({**about, **named}))])
    return solution


def _held(path: Path, about: Mapping[str, np.ndarray]) -> Solution | None:
    """The solution in a kept file; None where it is missing, damaged or about something else."""
    try:
        named: dict[str, Any] = read_checked(path)
    except InputError:
        return None
    if not all(name in named and np.array_equal(named.pop(name), value) for name, value in about.items()):
        return None
    return Solution(**named)


def kept_sweep(
    claimed: Claim,
    problem: Problem,
    slopes: np.ndarray,
    *,
    mesh: Mesh | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """`sweep` in batches, each kept when it is done: a run that is killed loses at most the one it was computing.

    On CPU the numbers are those of `sweep` bit for bit, because no slope depends on the others of its call. On an
    accelerator a call is as wide as its batch, and the last bits may depend on that; they are the same however often a
    run is resumed, because the batches are.

    Args:
        claimed: of `claim`.
        problem: source (n,), distortion (n, m).
        slopes: s >= 0, nats per unit of distortion, shape (k,).
        mesh: devices that share the work, as for `sweep`.
        progress: called as progress(done, total).

    Returns:
        A `Solution` of numpy arrays, leading axis k.
    """
    slopes = np.asarray(slopes, problem.source.dtype)
    # Where few kernels fit at once a slope takes long: nothing is gained by more of them in a batch.
    if mesh is None:
        size = min(_MOST, lanes(problem))
    else:  # a multiple of the groups of devices
        groups, parts = mesh.shape["slope"], mesh.shape["sample"]
        size = groups * max(1, min(_MOST // groups, lanes(problem, parts)))
    solved = []
    for first in range(0, len(slopes), size):
        part = slopes[first : first + size]

        def tick(done: int, _: int, before: int = first) -> None:
            if progress is not None:
                progress(before + done, len(slopes))

        solved.append(
            kept(claimed, "slopes", part, lambda part=part, tick=tick: sweep(problem, part, mesh=mesh, progress=tick))
        )
        tick(len(part), 0)
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *solved)
