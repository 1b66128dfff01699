"""`jaxrd sweep --shard` and `jaxrd merge`: independent jobs write what one job would have written, or one line."""

import json
import shutil

import numpy as np
import pytest

from jaxrd import rate_at, sweep
from jaxrd.cli.app import run

EVENLY = ("--low", "0.2", "--high", "40", "--slopes", "11")
AT = ("--at", "0.3", "--at", "0.9", "--at", "1e-9")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write()


def write(name="p.npz", seed=0):
    g = np.random.default_rng(seed)
    np.savez(name, source=g.dirichlet(np.ones(4)), distortion=g.gamma(0.5, size=(4, 4)), cost=np.ones(2))


def shard(part, *options, file="p.npz"):
    return run(["sweep", file, *EVENLY, *AT, *options, "--shard", part])


def contents(folder):
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    document = json.loads(held.pop("sweep.json"))
    document["meta"].pop("seconds")
    return held | {"sweep.json": document}


@pytest.fixture
def three(tmp_path):
    assert [shard(f"{k}/3", "--no-plot") for k in (1, 2, 3)] == [0, 0, 0]
    return [tmp_path / f"sweep-{k}-of-3" for k in (1, 2, 3)]


@pytest.mark.parametrize("float32", [False, True])
def test_the_shards_make_the_whole(tmp_path, float32, capsys):
    options = ("--float32",) if float32 else ()
    assert run(["sweep", "p.npz", *EVENLY, *AT, *options, "--out", "whole"]) == 0
    whole = capsys.readouterr().out
    for part in ("3/3", "1/3", "2/3"):
        assert shard(part, *options) == 0
        assert f"shard {part}" in capsys.readouterr().out
    # In any order, by folders or documents.
    assert run(["merge", "sweep-2-of-3", "sweep-3-of-3/sweep.json", "sweep-1-of-3", "--out", "merged"]) == 0
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")
    assert capsys.readouterr().out == whole.replace("whole/", "merged/")
    seconds = [
        json.loads((tmp_path / f"sweep-{k}-of-3" / "sweep.json").read_text())["meta"]["seconds"] for k in (1, 2, 3)
    ]
    total = json.loads((tmp_path / "merged" / "sweep.json").read_text())["meta"]["seconds"]
    for name in ("compile", "solve"):
        assert total[name] == pytest.approx(sum(part[name] for part in seconds))


def test_slopes_are_dealt_at_equal_distances(tmp_path, three):
    grid = np.geomspace(0.2, 40, 11)
    for k, folder in enumerate(three):
        document = json.loads((folder / "sweep.json").read_text())
        assert document["curves"]["R(D)"]["slope"] == grid[k::3].tolist()
        assert [row["distortion"] for row in document["at"]] == ([] if k else [0.3, 0.9, 1e-9])
        assert sorted(path.name for path in folder.iterdir()) == ["sweep.csv", "sweep.json", "sweep.npz"]


def test_a_failed_point_of_a_shard_is_one_of_the_whole(tmp_path, monkeypatch, capsys):
    def failing(problem, slopes, **options):
        import dataclasses

        solution = sweep(problem, slopes, **options)
        n = solution.rate.shape[0]
        changed = {"status": np.array([2, 3][:n] + [0] * (n - 2), np.int32), "rate": np.asarray(solution.rate).copy()}
        changed["rate"][1] = np.nan
        return dataclasses.replace(solution, **changed)

    with monkeypatch.context() as patch:
        patch.setattr("jaxrd.sweep", failing)
        assert shard("2/2", "--no-plot") == 1
    assert shard("1/2", "--no-plot") == 0
    capsys.readouterr()
    assert run(["merge", "sweep-1-of-2", "sweep-2-of-2", "--out", "o"]) == 1
    assert "not converged at some slopes, see status" in capsys.readouterr().err
    curve = json.loads((tmp_path / "o" / "sweep.json").read_text())["curves"]["R(D)"]
    assert curve["status"][:5] == ["CONVERGED", "STALLED", "CONVERGED", "NONFINITE", "CONVERGED"]
    assert curve["rate_bits"][3] is None


def test_shards_resume(tmp_path, monkeypatch):
    for _ in range(2):
        assert [shard(f"{k}/2", "--no-plot", "--resume", f"kept-{k}") for k in (1, 2)] == [0, 0]
        monkeypatch.setattr("jaxrd._resume.sweep", lambda *_, **__: pytest.fail("it is kept"))
        monkeypatch.setattr("jaxrd.rate_at", lambda *_, **__: pytest.fail("it is kept"))
    monkeypatch.setattr("jaxrd.rate_at", rate_at)
    assert run(["merge", "sweep-1-of-2", "sweep-2-of-2", "--no-plot", "--out", "merged"]) == 0
    assert run(["sweep", "p.npz", *EVENLY, *AT, "--no-plot", "--out", "whole"]) == 0
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "a/b", "-1/3", "1/3/4", "1.0/3", "", "1/" + "9" * 12])
def test_no_shard(text, capsys):
    assert run(["sweep", "p.npz", *EVENLY, f"--shard={text}", "--out", "o"]) == 2
    assert f"--shard must be k/n with k from 1 to n, such as 3/8; got {text!r}." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--low", "1"), "--shard needs --low and --high"),
        (("--high", "1"), "--shard needs --low and --high"),
        ((*EVENLY, "--slopes", "2"), "--shard 1/3: 2 slopes cannot be dealt to 3 jobs"),
    ],
)
def test_slopes_that_cannot_be_dealt(tmp_path, options, words, capsys):
    assert run(["sweep", "p.npz", *options, "--shard", "1/3"]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "sweep-1-of-3").exists()


def refused(tmp_path, capsys, shards, words):
    assert run(["merge", *map(str, shards), "--out", "merged"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("jaxrd: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "merged").exists()


class TestRefusals:
    def test_a_missing_shard(self, tmp_path, three, capsys):
        refused(tmp_path, capsys, three[:2], "of 3 shards some are missing: 3.")
        refused(tmp_path, capsys, three[1:2], "of 3 shards some are missing: 1, 3.")

    def test_many_missing_shards(self, tmp_path, three, capsys):
        """However many a file claims."""
        path = three[0] / "sweep.json"
        document = json.loads(path.read_text())
        document["shard"] |= {"of": 10**15, "slopes": 4 * 10**15}
        path.write_text(json.dumps(document))
        refused(
            tmp_path,
            capsys,
            three[:1],
            "missing: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, ... (999999999999999 in all).",
        )

    def test_a_shard_twice(self, tmp_path, three, capsys):
        shutil.copytree(three[1], tmp_path / "copy")
        words = f"shard 2/3 is given twice: {three[1] / 'sweep.json'} and {tmp_path / 'copy' / 'sweep.json'}."
        refused(tmp_path, capsys, [*three, tmp_path / "copy"], words)
        refused(tmp_path, capsys, [three[1], tmp_path / "copy"], words)

    @pytest.mark.parametrize(
        ("part", "options", "words"),
        [
            ("3/4", (), "shards 3 and 4"),
            ("3/3", ("--slopes", "12"), "slopes 11 and 12"),
            ("3/3", ("--low", "0.3"), "low 0.2 and 0.3"),
            ("3/3", ("--high", "41"), "high 40.0 and 41.0"),
            ("3/3", ("--at", "0.2"), "at [0.3, 0.9, 1e-09] and [0.3, 0.9, 1e-09, 0.2]"),
            ("3/3", ("--float32",), "dtype float64 and float32; tolerance 1e-09 and 1e-05"),
        ],
    )
    def test_shards_of_other_options(self, tmp_path, three, capsys, part, options, words):
        assert shard(part, "--no-plot", *options, "--out", str(three[2])) == 0
        documents = f"{three[0] / 'sweep.json'} and {three[2] / 'sweep.json'}"
        refused(tmp_path, capsys, three, f"{documents} are no shards of one sweep: {words}.")

    def test_shards_of_another_problem(self, tmp_path, three, capsys):
        write(seed=1)
        assert shard("3/3", "--no-plot") == 0
        refused(tmp_path, capsys, three, "are no shards of one sweep: other problems.")

    def test_shards_of_another_version(self, tmp_path, three, capsys):
        path = three[2] / "sweep.json"
        document = json.loads(path.read_text())
        document["meta"]["versions"]["jaxrd"] = "0.0.1"
        path.write_text(json.dumps(document))
        refused(tmp_path, capsys, three, "are no shards of one sweep: jaxrd ")

    def test_a_whole_sweep(self, tmp_path, three, capsys):
        assert run(["sweep", "p.npz", *EVENLY, "--no-plot", "--out", "whole"]) == 0
        words = f"{tmp_path / 'whole' / 'sweep.json'} is no shard: it was not computed with --shard."
        refused(tmp_path, capsys, [*three, tmp_path / "whole"], words)

    def test_other_documents(self, tmp_path, capsys):
        refused(tmp_path, capsys, ["nothing"], "nothing does not exist")
        (tmp_path / "x.json").write_text('{"schema": "jaxrd.limits/1"}')
        refused(tmp_path, capsys, ["x.json"], "x.json is no result of jaxrd sweep.")
        for content in ("{", "[]", "3", "{}", '{"schema": "jaxrd.sweep/1", "shard": {}}', "[" * 100_000):
            (tmp_path / "x.json").write_text(content)
            refused(tmp_path, capsys, ["x.json"], "x.json cannot be read as the JSON of a sweep")

    @pytest.mark.parametrize("key", ["shard", "meta", "summary", "notes", "files", "name"])
    def test_a_document_that_lacks_something(self, tmp_path, three, capsys, key):
        path = three[1] / "sweep.json"
        document = json.loads(path.read_text())
        for other in (None, 3, {}, [[]]):
            if (key, other) == ("notes", {}) or (key == "name") or (key == "notes" and other == [[]]):
                continue  # read as no notes, or as words
            path.write_text(json.dumps(document | {key: other}))
            refused(tmp_path, capsys, three, str(path.with_suffix("")))
        document.pop(key)
        path.write_text(json.dumps(document))
        refused(tmp_path, capsys, three, str(path.with_suffix("")))

    def test_points_that_are_missing_or_of_another_run(self, tmp_path, three, capsys):
        path = three[1] / "sweep.npz"
        words = f"{path} is missing, or is not the one that sweep.json was written with."
        content = path.read_bytes()
        for other in (content[:-1], content[:300] + b"\1" + content[301:], (three[2] / "sweep.npz").read_bytes()):
            path.write_bytes(other)
            refused(tmp_path, capsys, three, words)
        path.unlink()
        refused(tmp_path, capsys, three, words)

    def test_a_shard_is_not_replaced(self, three, capsys):
        before = contents(three[0])
        assert run(["merge", *map(str, three), "--out", str(three[0])]) == 2
        assert "would replace" in capsys.readouterr().err
        assert contents(three[0]) == before


def test_a_figure_only_where_it_is_wanted(tmp_path, three):
    assert run(["merge", *map(str, three), "--no-plot", "--out", "o"]) == 0
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["sweep.csv", "sweep.json"]
    assert run(["merge", *map(str, three)]) == 0
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == ["sweep.csv", "sweep.json", "sweep.png"]


def test_jobs_on_several_devices_are_all_named(tmp_path, three):
    path = three[2] / "sweep.json"
    document = json.loads(path.read_text())
    device = document["meta"]["device"]
    document["meta"]["device"] = "gpu (another)"
    path.write_text(json.dumps(document))
    assert run(["merge", *map(str, three), "--no-plot", "--out", "o"]) == 0
    assert json.loads((tmp_path / "o" / "sweep.json").read_text())["meta"]["device"] == f"{device}, gpu (another)"
