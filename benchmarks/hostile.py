"""1000 damaged files through every reader: one line each, at once, in little memory?

    python benchmarks/hostile.py [--files 1000] [--seed 0] [--out benchmarks/results/hostile.json]

A small valid file of each kind is damaged in one of eleven ways: bits flipped, cut, grown, a block zeroed, repeated or
replaced, two files spliced, a number replaced by a huge one, brackets nested, a word doubled, its name changed to
another kind's. Most streams are given a fresh checksum, so that what is behind it is reached. All are read in one
process that may take 2 GiB more than it has after it has imported everything, with an alarm after 10 s. A reader may
return or refuse (`InputError`, `StreamError`, `ModelError` in one line, or an `OSError`); all else is a fault.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import safetensors.numpy
import scipy.io

from jaxrd import coding, datasets
from jaxrd.errors import InputError, ModelError, StreamError
from jaxrd.io import read_codec, read_outputs, read_problem
from jaxrd.neural import codec, model_file
from jaxrd.neural.train import Code, initial

ROOM = 2 << 30
SECONDS = 10


def archive(**arrays: Any) -> bytes:
    """An .npz."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def signed(content: bytes) -> bytes:
    """A stream whose last 32 bytes are the digest of the others."""
    return content[:-32] + hashlib.sha256(content[:-32]).digest()


def seeds(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """By name of the file: a valid content and what reads it."""
    g = np.random.default_rng(0)
    logits, labels = g.normal(size=(12, 3)).round(3), g.integers(3, size=12)
    names = ("class_0", "class_1", "class_2")
    rows = [dict(zip(names, z, strict=True)) | {"label": int(y)} for z, y in zip(logits.tolist(), labels, strict=True)]
    text = "class_0,class_1,class_2,label\n" + "".join(",".join(map(str, row.values())) + "\n" for row in rows)
    held = {"logits": logits, "labels": labels}
    parquet, npy = io.BytesIO(), io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), parquet)
    np.save(npy, logits)
    np.save(folder / "labels.npy", labels)
    with h5py.File(folder / "x.h5", "w") as file:
        for name, values in held.items():
            file[name] = values
    scipy.io.savemat(folder / "x.mat", held)
    problem = archive(source=np.full(3, 1 / 3), distortion=1 - np.eye(3))
    points = json.dumps({"name": "c", "results": {"bpp": [0.1, 0.2, 0.4], "top1": [0.5, 0.6, 0.7]}}).encode()
    model = codec.Model(Code(2, 2), initial(Code(2, 2), 0).parameters, np.full(4, 10))
    (folder / "model.npz").write_bytes(model_file.to_bytes(model))
    posterior = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    images = bytes([0, 0, 8, 3]) + np.array([2, 28, 28], ">i4").tobytes() + bytes(2 * 784)

    def outputs(path: Path) -> object:
        return read_outputs(path)

    def decode(path: Path) -> object:
        return coding.decode(path.read_bytes())

    def decompress(path: Path) -> object:
        return codec.decompress(model, path.read_bytes())

    return {
        "x.npz": (archive(**held), outputs),
        "x.npy": (npy.getvalue(), lambda path: read_outputs(path, labels=folder / "labels.npy")),
        "x.csv": (text.encode(), outputs),
        "x.tsv": (text.replace(",", "\t").encode(), outputs),
        "x.csv.gz": (gzip.compress(text.encode()), outputs),
        "x.parquet": (parquet.getvalue(), outputs),
        "x.json": (json.dumps(rows).encode(), outputs),
        "x.jsonl": ("\n".join(map(json.dumps, rows)).encode(), outputs),
        "x.h5": ((folder / "x.h5").read_bytes(), outputs),
        "x.mat": ((folder / "x.mat").read_bytes(), outputs),
        "x.safetensors": (safetensors.numpy.save(held), outputs),
        "problem.npz": (problem, read_problem),
        "codec.json": (points, lambda path: read_codec(path, 784)),
        "codec.csv": (b"bpp,top1\n0.1,0.5\n0.2,0.6\n", lambda path: read_codec(path, 784)),
        "s.jrd": (bytes(coding.encode(posterior, block=2).stream), decode),
        "s.jrc": (codec.compress(model, np.zeros((3, 28, 28), np.uint8)), decompress),
        "m.npz": (model_file.to_bytes(model), model_file.read),
        "images-idx3-ubyte": (images, datasets.read_idx),
    }


def flip(g: np.random.Generator, content: bytearray) -> bytearray:
    for place in g.integers(len(content), size=g.integers(1, 9)):
        content[place] ^= 1 << g.integers(8)
    return content


def cut(g: np.random.Generator, content: bytearray) -> bytearray:
    return content[: g.integers(len(content))]


def grow(g: np.random.Generator, content: bytearray) -> bytearray:
    place = g.integers(len(content) + 1)
    return content[:place] + bytearray(g.bytes(int(g.integers(1, 5000)))) + content[place:]


def blank(g: np.random.Generator, content: bytearray) -> bytearray:
    first, size = g.integers(len(content)), g.integers(1, 200)
    content[first : first + size] = bytes(len(content[first : first + size]))
    return content


def repeat(g: np.random.Generator, content: bytearray) -> bytearray:
    first, size = g.integers(len(content)), g.integers(1, 200)
    return content[:first] + content[first : first + size] * int(g.integers(2, 50)) + content[first + size :]


def replace(g: np.random.Generator, content: bytearray) -> bytearray:
    first, size = g.integers(len(content)), g.integers(1, 64)
    content[first : first + size] = g.bytes(len(content[first : first + size]))
    return content


def huge(g: np.random.Generator, content: bytearray) -> bytearray:
    """A decimal number, or four or eight bytes, become a huge one."""
    found = list(re.finditer(rb"\d+", bytes(content)))
    if found and g.random() < 0.6:
        one = found[g.integers(len(found))]
        number = g.choice(["9" * 400, "1e999", "-1", "1000000000000", "4294967295", "NaN", "0"]).encode()
        return content[: one.start()] + number + content[one.end() :]
    first, size = g.integers(len(content)), int(g.choice([4, 8]))
    content[first : first + size] = (b"\xff" * size)[: len(content[first : first + size])]
    return content


def nest(g: np.random.Generator, content: bytearray) -> bytearray:
    place = g.integers(len(content) + 1)
    return content[:place] + b"[" * int(10 ** g.uniform(1, 5.3)) + content[place:]


def double(g: np.random.Generator, content: bytearray) -> bytearray:
    """A word becomes another word of the file."""
    found = list(re.finditer(rb"[A-Za-z_]\w{2,}", bytes(content)))
    if not found:
        return flip(g, content)
    one, other = (found[i] for i in g.integers(len(found), size=2))
    return content[: one.start()] + other[0] + content[one.end() :]


WAYS = (flip, cut, grow, blank, repeat, replace, huge, nest, double)


def alarm(*_: object) -> None:
    raise TimeoutError(f"over {SECONDS} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "hostile.json")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valid = seeds(folder)
        for kind, (content, read) in valid.items():  # all are read, and everything is imported and compiled
            (folder / kind).write_bytes(content)
            read(folder / kind)
        kinds = list(valid)
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, resource.RLIM_INFINITY))
        signal.signal(signal.SIGALRM, alarm)
        counts, faults, slowest = {kind: Counter() for kind in kinds}, [], 0.0
        for i in range(asked.files):
            g = np.random.default_rng([asked.seed, i])
            kind = kinds[i % len(kinds)]
            content, read = valid[kind]
            number = int(g.integers(len(WAYS) + 2))
            way = [*(w.__name__ for w in WAYS), "splice", "rename"][number]
            path = folder / f"{i}{kind[kind.index('.') :] if '.' in kind else ''}"
            if way == "splice":
                other = valid[kinds[g.integers(len(kinds))]][0]
                damaged = content[: g.integers(len(content))] + other[g.integers(len(other)) :]
            elif way == "rename":
                damaged = valid[kinds[g.integers(len(kinds))]][0]
            else:
                damaged = bytes(WAYS[number](g, bytearray(content)))
            if kind in ("s.jrd", "s.jrc") and len(damaged) > 32 and g.random() < 0.7:
                damaged = signed(damaged)
            path.write_bytes(damaged)
            begun = time.perf_counter()
            line = ""
            signal.alarm(SECONDS)
            try:
                read(path)
                end = "read"
            except (InputError, StreamError, ModelError, OSError) as error:
                line = str(error)
                end = "refused" if "\n" not in line and not isinstance(error, TimeoutError) else "fault"
            except BaseException as error:
                line, end = f"{type(error).__name__}: {error}", "fault"
            signal.alarm(0)
            slowest = max(slowest, time.perf_counter() - begun)
            counts[kind][end] += 1
            if end == "fault":
                faults.append({"file": i, "kind": kind, "way": way, "error": line[:300]})
                print(faults[-1], flush=True)
            os.unlink(path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    document = {
        "command": f"python benchmarks/hostile.py --files {asked.files} --seed {asked.seed}",
        "files": asked.files,
        "ends": dict(sum(counts.values(), Counter())),
        "faults": faults,
        "slowest_seconds": round(slowest, 3),
        "peak_resident_mib": peak,
        "by_kind": {kind: dict(count) for kind, count in counts.items()},
    }
    asked.out.write_text(json.dumps(document, indent=1) + "\n")
    print({key: value for key, value in document.items() if key != "by_kind"})


if __name__ == "__main__":
    main()
