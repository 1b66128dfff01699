"""Run by test_mesh.py in a process with eight CPU devices: prints what it found as JSON."""

import json
import re
import tempfile
from pathlib import Path

import jax
import numpy as np

if __name__ == "__main__":  # not where pytest collects doctests
    jax.config.update("jax_num_cpu_devices", 8)
    jax.config.update("jax_enable_x64", True)

from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxrd import Problem, _kept, distortion_at, rate_at, sweep
from jaxrd._exported import exported
from jaxrd.distortion import PointCloud, Streamed
from jaxrd.errors import InputError
from jaxrd.information import normalised
from jaxrd.solvers._mesh import MeshPoints, placed, solved
from jaxrd.tosc import limits

SHAPES = ((8, 1), (1, 8), (2, 4))
TOL = 3e-13  # a rate may be off by this times max(1, |L|): below the 1e-12 that is compared


def mesh_of(slopes, samples):
    return Mesh(np.array(jax.devices()[: slopes * samples]).reshape(slopes, samples), ("slope", "sample"))


def posterior(n, m):
    logits = 3 * np.random.default_rng(n).standard_normal((n, m))
    v = np.exp(logits)
    return v / v.sum(1, keepdims=True)


def believed(v):
    return 1 - v


def off(a, b):
    return {
        k: float(np.abs(np.asarray(getattr(a, k)) - np.asarray(getattr(b, k))).max()) for k in ("rate", "distortion")
    }


def same_numbers():
    found = {}
    slopes = np.concatenate([np.geomspace(1, 200, 10), [np.inf]])
    for n, m in ((50, 7), (1001, 60), (300, 400)):  # one solver each
        v = posterior(n, m)
        problem = Problem(np.full(n, 1 / n), 1 - v)
        alone = sweep(problem, slopes, tol=TOL)
        at = rate_at(problem, 0.7, tol=TOL), distortion_at(problem, 0.5, tol=TOL)
        for shape in SHAPES:
            mesh, place = mesh_of(*shape), f"{n}x{m} on {shape}"
            shared = sweep(problem, slopes, tol=TOL, mesh=mesh)
            found[place] = off(alone, shared) | {
                "failed": int((np.asarray(shared.status) != 0).sum()),
                "order": bool((np.asarray(shared.slope) == slopes).all()),
            }
            if m == 60:
                found[place + ", rate_at"] = off(at[0], rate_at(problem, 0.7, tol=TOL, mesh=mesh))
                found[place + ", distortion_at"] = off(at[1], distortion_at(problem, 0.5, tol=TOL, mesh=mesh))
        streamed = Problem(problem.source, Streamed(lambda i, j, v=v: v[i:j], believed, (n, m), 64))
        found[f"{n}x{m} streamed"] = off(alone, sweep(streamed, slopes, tol=TOL, mesh=mesh_of(2, 4)))
    return found


def limits_on_a_mesh():
    g = np.random.default_rng(3)
    labels = g.integers(0, 5, 400)
    logits = 2 * g.standard_normal((400, 5))
    logits[np.arange(400), labels] += 3
    alone, shared = (limits(logits, labels, at=[0.1, 0.3], tol=TOL, mesh=mesh) for mesh in (None, mesh_of(2, 4)))
    return {
        "curves": {name: off(alone.curves[name], shared.curves[name]) for name in alone.curves},
        "at": max(abs(a[k] - b[k]) for a, b in zip(alone.at, shared.at, strict=True) for k in a if np.isfinite(a[k])),
    }


def program():
    """What travels between devices, and the memory of one, by the number of parts."""
    n, m, found = 4096, 64, {}
    problem = Problem(np.full(n, 1 / n), 1 - posterior(n, m))
    for parts in (1, 2, 4, 8):
        mesh = mesh_of(1, parts)
        split, whole = NamedSharding(mesh, P("slope")), NamedSharding(mesh, P())
        inputs = (np.ones((1, 8)), split), (np.full(1, 8, np.int32), split), (np.float64(1e-9), whole)
        compiled = solved.lower(
            placed(problem, mesh), *(jax.device_put(*pair) for pair in inputs), mesh=mesh, together=False
        ).compile()
        memory = compiled.memory_analysis()
        sizes = [
            np.prod([int(x) for x in shape.split(",") if x])
            for line in compiled.as_text().splitlines()
            if re.search(r" (all-gather|all-reduce|all-to-all|collective-permute)(-start)?\(", line)
            for shape in re.findall(r"[fs]\d\d\[([\d,]*)\]", line.split("=", 1)[1].split("(", 1)[0] or line)
        ]
        found[parts] = {
            "bytes": memory.argument_size_in_bytes + memory.temp_size_in_bytes,
            "largest": int(max(sizes, default=0)),
            "collectives": len(sizes),
        }
    return found


def spread():
    """Of 1024 slopes, how many each device solves in a call, and the calls."""
    counts = []
    mesh = mesh_of(8, 1)
    real = MeshPoints.__call__

    def counted(self, slopes):
        counts.append(len(slopes))
        return real(self, slopes)

    MeshPoints.__call__ = counted
    try:
        v = posterior(20, 4)
        points = sweep(Problem(np.full(20, 1 / 20), 1 - v), np.geomspace(0.1, 100, 1024), mesh=mesh)
    finally:
        MeshPoints.__call__ = real
    return {"calls": counts, "points": len(points.slope)}


def kept():
    """An array that lies on two devices makes no program for the others."""
    with tempfile.TemporaryDirectory() as folder:
        _kept._folder = Path(folder)
        two = Mesh(np.array(jax.devices()[:2]), ("x",))
        apart = jax.device_put(np.ones(4), NamedSharding(two, P("x")))
        sums = [np.asarray(exported(normalised, lambda leaf: leaf, w)).tolist() for w in (apart, np.ones(4))]
        _kept._folder = None
        return {"sums": sums, "files": len(list(Path(folder).iterdir()))}


def refused():
    v = posterior(20, 4)
    problem = Problem(np.full(20, 1 / 20), 1 - v)
    good, words = mesh_of(2, 4), {}
    cloud = Problem(np.full(2, 0.5), PointCloud(np.zeros((2, 1)), np.zeros((2, 1))))
    other = Mesh(np.array(jax.devices()).reshape(2, 4), ("x", "y"))
    for name, call in {
        "axes": lambda: sweep(problem, [1.0], mesh=other),
        "no mesh": lambda: rate_at(problem, 0.5, mesh="2x4"),  # pyright: ignore
        "solver": lambda: sweep(problem, [1.0], mesh=good, solver=lambda p, s, tol: None),  # pyright: ignore
        "traced": lambda: jax.jit(lambda s: sweep(problem, s, mesh=good))(np.ones(2)),
        "traced target": lambda: jax.jit(lambda d: rate_at(problem, d, mesh=good))(0.5),
        "cloud": lambda: sweep(cloud, [1.0], mesh=good),
        "limits": lambda: limits(np.eye(2), [0, 1], mesh=other, temperature=1.0),
    }.items():
        try:
            call()
            words[name] = "nothing was raised"
        except InputError as error:
            words[name] = str(error)
    return words


if __name__ == "__main__":
    parts = same_numbers, limits_on_a_mesh, program, spread, kept, refused
    print(json.dumps({part.__name__: part() for part in parts}))
