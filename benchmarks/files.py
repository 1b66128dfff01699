"""Large files on one machine: `jaxrd limits` with three --at, its time, its memory, and its certificates by numpy.

    python benchmarks/files.py [--files 100000x100,...] [--folder DIR] [--cache DIR] [--out ...]

Synthetic classifiers (float32 logits, seeds in `FILES`), written to the folder once. `seconds` and `peak_gib` are of
the whole command with a warm cache of compiled programs: that of --cache, or else of a first run. One half of the
samples fits the temperature, the other gives the curves, as by default. Floors: `exp_seconds` is one pass of
exp(-s d) over the posteriors of the curves in float64, `gram_seconds` the 2 n m^2 flops of a Gram matrix in float32, at
the rates measured here; `passes` counts those of a run over all rows. `worst` is the largest ratio of a gap recomputed
in numpy, row by row, to the gap reported: at most 1 where every certificate holds. About twenty minutes on two quiet
cores; 0.7 GB of files.

    python benchmarks/files.py --streamed [--sizes 10000000x100] [--folder DIR] [--out ...]

A folder of `logits.npy` in float16, which is mapped and not read, and `labels.npy`: `anonymous_gib` is the most memory
of the process that is no page of a file (RssAnon, looked at five times a second), `peak_gib` its most memory in all.
Compiled programs are those of a run on 50 000 rows. 2 GB of files; certificates are not checked again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

FILES = {"100000x100": 0, "1000000x10": 1, "1000000x100": 2, "50000x1000": 3}
AT = (0.1, 0.2, 0.4)
LIMITS = {"100000x100": (25, 1.5), "1000000x10": (40, 1.5), "1000000x100": (240, 3), "50000x1000": (150, 3)}

CHECK = """
import json, sys
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
import jaxrd.kernels.streamed as kernel
from jaxrd import io, tosc
from jaxrd.tosc.posterior import log_softmax
count = [0]
sums = kernel.StreamedKernel.sums
def counted(self, *args):
    count[0] += 1
    return sums(self, *args)
kernel.StreamedKernel.sums = counted
found = tosc.limits(io.read_outputs(sys.argv[1])[0], at=[float(x) for x in sys.argv[2:]])
points, curve = jax.device_get(found.workings.solved["TMRD"]), found.curves["TMRD"]
posterior, worst, gaps = found.workings.posterior, 0.0, []
for s, q, gap in zip(points.slope, points.reproduction, points.gap):
    c, n = np.zeros(len(q)), posterior.samples
    for first in range(0, n, 10_000):
        v = np.exp(log_softmax(posterior.logits[first : first + 10_000], posterior.temperature))
        e = v.max(1, keepdims=True) - v
        k = np.exp(-s * e) if np.isfinite(s) else (e == 0).astype(float)
        c += (1 / n / (k @ q)) @ k
    r = q * c
    own = np.log(c.max()) - (r * np.log(np.where(r > 0, c, 1))).sum()
    worst = max(worst, own / gap)
json.dump({"points": len(points.slope), "passes": count[0], "worst": worst, "largest_gap": float(points.gap.max()),
           "failed": int((curve.status[1:] != 0).sum())}, sys.stdout)
"""


def write(path: Path, n: int, m: int, seed: int) -> None:
    """Logits of a classifier that is right some of the time."""
    g = np.random.default_rng(seed)
    y, z = g.integers(0, m, n), np.empty((n, m), np.float32)
    for i in range(0, n, 50_000):
        z[i : i + 50_000] = logits_of(y[i : i + 50_000], m, g)
    np.savez(path, logits=z, labels=y)


def logits_of(y: np.ndarray, m: int, g: np.random.Generator) -> np.ndarray:
    """Of some samples, float32, shape (samples, m)."""
    part, rows = 1.5 * g.standard_normal((len(y), m), dtype=np.float32), np.arange(len(y))
    part[rows, y] += 3 + np.log(m) / 2 + 1.5 * g.standard_normal(len(y), dtype=np.float32)
    return 1.3 * part


def command(path: Path, folder: Path, cache: Path, watch: Callable[[subprocess.Popen], float] | None = None) -> dict:
    """Wall time and peak memory of the whole command; what `watch` sees of it as `anonymous_gib`."""
    at = [word for d in AT for word in ("--at", str(d))]
    environment = {k: v for k, v in os.environ.items() if k not in ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS")}
    environment |= {"XDG_CACHE_HOME": str(cache), "MPLBACKEND": "agg"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "jaxrd", "limits", path, *at, "--out", folder / "out"],
        env=environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seen = {} if watch is None else {"anonymous_gib": watch(process)}
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    return {"seconds": time.perf_counter() - start, "peak_gib": used.ru_maxrss / 2**20, "exit": status, **seen}


def write_float16(folder: Path, n: int, m: int, seed: int) -> None:
    """The same logits as float16 in an .npy of their own, and the labels."""
    folder.mkdir(parents=True)
    g = np.random.default_rng(seed)
    labels = g.integers(0, m, n)
    z = np.lib.format.open_memmap(folder / "logits.npy", "w+", np.float16, (n, m))
    for i in range(0, n, 50_000):
        z[i : i + 50_000] = logits_of(labels[i : i + 50_000], m, g)
    z.flush()
    np.save(folder / "labels.npy", labels)


def watched(process: subprocess.Popen) -> float:
    """The most anonymous memory of a process until it ends, GiB."""
    most, status = 0, Path(f"/proc/{process.pid}/status")
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        lines = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        most = max([most, *(int(line.split()[1]) for line in lines)])
        time.sleep(0.2)
    return most / 2**20


def streamed(sizes: list[str], folder: Path, out: Path) -> None:
    """Folders of float16, each in a row of its own."""
    result = {"command": "python benchmarks/files.py --streamed", "cores": os.cpu_count(), "files": {}}
    for size in sizes:
        n, m = map(int, size.split("x"))
        warm, path = folder / f"50000x{m}", folder / size
        for some, rows in ((warm, 50_000), (path, n)):
            if not some.exists():
                write_float16(some, rows, m, 5)
        command(warm, folder, folder)
        row = {**command(path, folder, folder, watched), **floors(n, m)}
        row["gib_on_disk"] = (path / "logits.npy").stat().st_size / 2**30
        result["files"][f"{size} float16"] = {
            k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()
        }
        print(size, row, flush=True)
        out.write_text(json.dumps(result, indent=1) + "\n")


def floors(n: int, m: int) -> dict:
    """Seconds of a pass of exp and of a Gram matrix, from the rates on this machine, on all cores."""
    import jax

    jax.config.update("jax_enable_x64", True)
    x = jax.device_put(np.random.default_rng(0).random((2**19 // m, m)))
    kernel, gram = jax.jit(lambda d: jax.numpy.exp(-5.0 * d).sum()), jax.jit(lambda d: d.T @ d)

    def rate(function, argument):
        function(argument).block_until_ready()
        best = np.inf
        for _ in range(20):
            start = time.perf_counter()
            function(argument).block_until_ready()
            best = min(best, time.perf_counter() - start)
        return best / x.size

    half = n // 2 * m
    return {"exp_seconds": half * rate(kernel, x), "gram_seconds": half * rate(gram, x.astype(np.float32))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", default=",".join(FILES))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--streamed", action="store_true")
    parser.add_argument("--sizes", default="10000000x100")
    asked = parser.parse_args()
    results = Path(__file__).parent / "results"
    if asked.streamed:
        with tempfile.TemporaryDirectory(prefix="files-") as made:
            streamed(asked.sizes.split(","), asked.folder or Path(made), asked.out or results / "files_streamed.json")
        return
    asked.out = asked.out or results / "files.json"
    result = {"command": "python benchmarks/files.py", "cores": os.cpu_count(), "files": {}}
    with tempfile.TemporaryDirectory(prefix="files-") as made:
        folder = asked.folder or Path(made)
        for name in asked.files.split(","):
            n, m = map(int, name.split("x"))
            path = folder / f"{name}.npz"
            if not path.exists():
                write(path, n, m, FILES.get(name, 4))
            if asked.cache is None:
                command(path, Path(made), Path(made))
            warm = command(path, Path(made), asked.cache or Path(made))
            checked = subprocess.run(
                [sys.executable, "-c", CHECK, path, *map(str, AT)], check=True, capture_output=True, text=True
            )
            row = {**warm, **json.loads(checked.stdout), **floors(n, m)}
            row = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}
            if name in LIMITS:
                row["asked_seconds"], row["asked_gib"] = LIMITS[name]
            result["files"][name] = row
            print(name, row, flush=True)
            asked.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
