"""Small files that claim to be large, and files that never end: each is one line and exit code 2, at once.

All of them run in one process that may take 2 GiB more than it has after importing everything, 10 s of work each; one
that waits for a minute (others may have the processor) hangs.
"""

import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

pytest.importorskip("flax", reason="flax is not installed: pip install flax optax orbax-checkpoint")
pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install h5py")

import pyarrow  # noqa: E402
import scipy.io  # noqa: E402
import scipy.sparse  # noqa: E402
from pyarrow import parquet  # noqa: E402

from jaxrd.coding import quantised_law  # noqa: E402
from jaxrd.coding.file import FIXED, MAGIC  # noqa: E402
from jaxrd.errors import InputError  # noqa: E402
from jaxrd.neural import codec, image_stream, model_file  # noqa: E402
from jaxrd.neural.train import Code, initial  # noqa: E402

HARNESS = """
import contextlib, faulthandler, io, json, resource, sys, time
from jaxrd.cli import app, common
app.keep_compilations = lambda: None
import jaxrd.io, jaxrd.neural.model_file, jaxrd.neural.codec, jaxrd.coding, jaxrd.tosc, jaxrd.io.save, scipy.io
import h5py, pyarrow.csv, pyarrow.parquet, jax
jax.devices()
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (2 << 30), resource.RLIM_INFINITY))
found = {}
for name, args in json.load(sys.stdin).items():
    faulthandler.dump_traceback_later(60, exit=True, file=open(sys.argv[1], "w"))
    err, began = io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = app.run(args)
        except BaseException as error:
            code = repr(error)
    faulthandler.cancel_dump_traceback_later()
    found[name] = [code, err.getvalue(), time.process_time() - began]
print(json.dumps(found))
"""


def npy(shape, dtype="<f8", body=b""):
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def zeros(path, name):
    """An archive whose directory says that the array takes 600 MiB."""
    head = npy(f"({600 << 20},)", "|u1")
    npz(path, **{name: head + bytes(1000)})
    old, new = (struct.pack("<I", len(head) + more) for more in (1000, 600 << 20))
    path.write_bytes(path.read_bytes().replace(old, new))


def zeros_gz(path, start=b""):
    path.write_bytes(gzip.compress(start) + gzip.compress(bytes(1 << 20)) * 600)


def jrd(samples, block, letters=(1 << 31,), payload=b"\0" * 3600):
    head = FIXED.pack(MAGIC, 0, samples, block, 1 << 16, len(letters), len(payload), b"\0" * 32)
    body = head + np.array(letters, "<u4").tobytes() + payload
    return body + hashlib.sha256(body).digest()


def jrc(model, count, words=b""):
    body = image_stream._HEADER.pack(codec.MAGIC, model.digest(), 0, count, len(words) // 4) + words
    return body + hashlib.sha256(body).digest()


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("bombs")
    cases = {}

    def case(name, *args):
        cases[name] = [str(arg) for arg in args] + ["--out", str(tmp / "out" / "x")]

    def outputs(name):
        case(name, "limits", tmp / name)
        return tmp / name

    def stream(name, content, *args):
        (tmp / name).write_bytes(content)
        cases[name] = [*args, str(tmp / name), "--out", str(tmp / "out" / "x.npy")]

    labels = npy("(4,)", "<i8", np.zeros(4, "<i8").tobytes())
    for k, (shape, dtype) in enumerate(
        [
            ("(1000000000000, 4)", "<f8"),
            ("(1000000000, 4)", "<f8"),
            ("(4, 1)", "|V2147483647"),
            ("(9000000000,)", "<U0"),
        ]
    ):
        npz(outputs(f"claim{k}.npz"), logits=npy(shape, dtype, bytes(64)), labels=labels)
        (tmp / f"claim{k}.npy").write_bytes(npy(shape, dtype, bytes(64)))
        case(f"claim{k}.npy", "limits", tmp / f"claim{k}.npy", "--labels", tmp / "claim0.npz")
    zeros(outputs("zeros.npz"), "logits")
    with h5py.File(outputs("fill.h5"), "w") as file:
        file.create_dataset("logits", (10**9, 4), "f4", chunks=(1000, 4))
        file.create_dataset("labels", data=np.zeros(4, int))
    scipy.io.savemat(outputs("sparse.mat"), {"logits": scipy.sparse.csc_array((10**6, 10**6)), "labels": [0, 1]})
    column = pyarrow.array(np.zeros(10**8, np.int8))
    parquet.write_table(pyarrow.table({"class_0": column}), outputs("zeros.parquet"), compression="zstd")
    outputs("wide.csv").write_text(",".join(map(str, range(10**5))) + "\n" + ",".join(["1"] * 10**5) + "\n")
    outputs("twice.csv").write_text(",".join([*map(str, range(10**6)), "999999"]) + "\n")
    outputs("twice.json").write_text("[{" + ",".join(f'"{k}":1' for k in [*range(10**6), 999999]) + "}]")
    outputs("split.json").write_text(json.dumps({"columns": [*range(10**6), 999999], "data": []}))
    outputs("deep.json").write_text("[" * 10**5)
    outputs("digits.jsonl").write_text('{"class_0": ' + "9" * 10**6 + "}\n")
    zeros_gz(outputs("zeros.csv.gz"))
    zeros_gz(tmp / "images.gz", b"\0\0\x08\x03")
    (tmp / "images").write_bytes(b"\0\0\x08\xff" + b"\xff" * 1020)

    model = codec.Model(Code(2, 2), initial(Code(2, 2), 0).parameters, np.full(4, 10))
    (tmp / "m.npz").write_bytes(model_file.to_bytes(model))
    for k, count in enumerate([2**32 - 1, 10**9, 10**6]):
        stream(f"{k}.jrc", jrc(model, count), "codec", "decode", "--model", str(tmp / "m.npz"))
    stream("words.jrc", jrc(model, 10**6, b"\0" * 400), "codec", "decode", "--model", str(tmp / "m.npz"))
    stream("a.jrd", jrd(2**32 - 1, 2**16 - 1), "decode")
    stream("b.jrd", jrd(10**9, 2**16 - 1), "decode")
    stream("c.jrd", jrd(1 << 26, 2**16 - 1), "decode")
    law = quantised_law(np.full((1, 4), 0.25))
    stream("d.jrd", jrd(2**16, 1, law, b"\xff" * 8192), "decode")

    for k, absurd in enumerate(
        [{"levels": 10**9}, {"dimensions": 10**9}, {"levels": 2**31, "dimensions": 30}, {"levels": 2.5},
         {"levels": "3"}, {"dither": float("nan")}, {"levels": 0}, {"dimensions": True}, {"more": 1}]
    ):  # fmt: skip
        held = dict(np.load(io.BytesIO(model_file.to_bytes(model))))
        held["code"] = json.dumps(vars(model.code) | absurd)
        np.savez(tmp / f"m{k}.npz", **held)
        case(f"m{k}.npz", "codec", "decode", tmp / "0.jrc", "--model", tmp / f"m{k}.npz")
    npz(tmp / "big.npz", code=npy("(1000000000000,)"), frequencies=npy("(1000000000000,)"))
    zeros(tmp / "zip.npz", "code")
    for name in ("big.npz", "zip.npz"):
        case(f"model {name}", "codec", "decode", tmp / "0.jrc", "--model", tmp / name)

    os.mkfifo(tmp / "pipe")
    for kind in ("csv", "npz", "npy", "parquet", "json", "jsonl", "h5", "mat", "safetensors", "csv.gz", "jrd", "jrc"):
        for place in ("pipe", "/dev/zero"):
            link = tmp / f"{place.rpartition('/')[2]}.{kind}"
            link.symlink_to(tmp / place)
            if kind in ("jrd", "jrc"):
                verb = ["decode"] if kind == "jrd" else ["codec", "decode", "--model", str(tmp / "m.npz")]
                cases[link.name] = [*verb, str(link), "--out", str(tmp / "out" / "x.npy")]
            else:
                case(link.name, "limits", link)
    case("problem", "sweep", tmp / "pipe.npz")
    case("labelled", "rdc", tmp / "zero.npz")
    case("words", "limits", tmp / "claim0.npz", "--labels", tmp / "pipe")
    case("codec", "reproduce", "tosc-fig4", "--codec", tmp / "pipe.csv")
    for name in ("pipe", "/dev/zero", "images", "images.gz", "claim0.npy"):
        cases[f"images {name}"] = ["codec", "encode", str(tmp / name), "--model", str(tmp / "m.npz"), "--out",
                                   str(tmp / "out" / "x.jrc")]  # fmt: skip
        cases[f"train {name}"] = ["codec", "train", str(tmp / name), "--bits", "8", "--out", str(tmp / "out" / "m.npz")]
    for name in ("pipe", "claim0.npz"):
        cases[f"classifier {name}"] = ["codec", "train", str(tmp / "few.npy"), "--bits", "8", "--labels",
                                       str(tmp / "y.npy"), "--classifier", str(tmp / name), "--out",
                                       str(tmp / "out" / "m.npz")]  # fmt: skip
    cases["labels pipe"] = ["codec", "classifier", str(tmp / "few.npy"), "--labels", str(tmp / "pipe"), "--out",
                            str(tmp / "out" / "c.npz")]  # fmt: skip
    np.save(tmp / "few.npy", np.zeros((3, 8, 8), np.uint8))
    np.save(tmp / "y.npy", np.zeros(3, int))
    case("model", "codec", "decode", tmp / "0.jrc", "--model", tmp / "pipe")
    (tmp / "mnist").mkdir()
    for stem in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp / "mnist" / f"{stem}-ubyte").symlink_to("/dev/zero")
    case("mnist", "reproduce", "rdc-fig6", "--data", tmp / "mnist")
    for args in cases.values():
        if args[:2] == ["codec", "decode"] and args[-1].endswith("/x"):
            args[-1] += ".npy"

    command = [sys.executable, "-c", HARNESS, str(tmp / "hung")]
    plain = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # others reserve a GiB that they do not use
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, env=plain)
    assert done.returncode == 0, (tmp / "hung").read_text() + done.stderr[-3000:]
    assert not (tmp / "out").exists()
    return json.loads(done.stdout)


def test_each_is_one_line(answers):
    wrong = {
        name: answer
        for name, answer in answers.items()
        if answer[0] != 2 or answer[1].count("\n") != 1 or "memory" in answer[1] or answer[2] > 10
    }
    assert not wrong, wrong
    assert len(answers) > 70


class TestWhatAResumedRunFinds:
    def test_its_description(self, tmp_path):
        from jaxrd.neural.run_file import NAME, claim

        run = {"version": 1, "logits": [[0.0, 1.0]]}
        claim(tmp_path, run)
        claim(tmp_path, run)
        whole = (tmp_path / NAME).read_bytes()
        for content in (whole[:-3], b"[]", b"3", b"\xff", b"[" * 10**5, b""):
            (tmp_path / NAME).write_bytes(content)
            with pytest.raises(InputError, match=r"is damaged, so .* cannot be continued"):
                claim(tmp_path, run)
        for logits in ([[0.0], [1.0, 2.0]], "x", {"a": 1}, [["9" * 400]], [[None, 1]]):
            (tmp_path / NAME).write_text(json.dumps(run | {"logits": logits}))
            with pytest.raises(InputError, match="holds another run: it differs in logits"):
                claim(tmp_path, run)

    def test_its_checkpoint(self, tmp_path):
        from jaxrd.neural.checkpoint import latest, save

        state = initial(Code(2, 2), 0)
        save(tmp_path, state, [{"leg": 0}])
        assert latest(tmp_path, state)[1] == [{"leg": 0}]
        for path in (tmp_path / "epoch-00001").rglob("*"):
            if path.is_file() and path.stat().st_size > 1000:
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(InputError, match=r"epoch-00001 is damaged .*; delete it"):
            latest(tmp_path, state)

    def test_its_books_and_images(self, tmp_path):
        from types import SimpleNamespace

        from jaxrd.figures.rdc_fig6 import models

        job = SimpleNamespace(folder=tmp_path, plan=SimpleNamespace(search=None))
        np.savez_compressed(tmp_path / "books.npz", **{"0.0": np.random.default_rng(0).normal(size=(9, 784))})
        assert models.books(job)[0.0].shape == (9, 784)
        content = (tmp_path / "books.npz").read_bytes()
        for damaged in (content[:-30], content[:1000] + b"!" + content[1001:], b""):
            (tmp_path / "books.npz").write_bytes(damaged)
            with pytest.raises(InputError, match=r"books.npz cannot be read as codebooks .delete it"):
                models.books(job)
        (tmp_path / "g.json").write_text(json.dumps({"rows": [], "history": [], "device": "cpu", "seconds": 1.0}))
        (tmp_path / "g.npy").write_bytes(npy("(1000, 784)", "|u1", b"\0" * 10))
        with pytest.raises(InputError, match=r"g.json cannot be read as results"):
            models._trained(job, SimpleNamespace(name="g"), None)
