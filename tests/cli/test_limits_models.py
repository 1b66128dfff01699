"""`jaxrd limits` of several files: one document, table and figure; each option; bad input."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from jaxrd import Status, tosc
from jaxrd.cli.app import run
from jaxrd.cli.models_figure import _short

FAST = ["--slopes", "6", "--at", "0.5", "--no-plot"]


def arrays(n=300, k=3):
    g = np.random.default_rng(0)
    v = g.dirichlet(np.full(k, 0.5), n)
    return np.log(v + 1e-9), np.array([g.choice(k, p=row) for row in v])


L, Y = arrays()
NOISY = 0.7 * L + np.random.default_rng(1).standard_normal(L.shape)


@pytest.fixture
def files(tmp_path):
    """A, a noisy copy B, and hard decisions C, on the same samples."""
    np.savez(tmp_path / "A.npz", logits=L, labels=Y)
    np.savez(tmp_path / "B.npz", logits=NOISY, labels=Y)
    np.savez(tmp_path / "C.npz", predictions=L.argmax(1), labels=Y)
    return [str(tmp_path / f"{name}.npz") for name in "ABC"]


def limits(*args):
    return run(["limits", *map(str, args)])


def load(folder):
    return json.loads((folder / "limits.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} in JSON"))


def refused(args, message, out, capsys):
    assert limits(*args, "--out", out) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not out.exists()


class TestResults:
    def test_document_table_and_figure(self, files, tmp_path, capsys):
        out = tmp_path / "out"
        assert limits(*files, "--slopes", "6", "--at", "0.5", "--accuracy", "0.99", "--out", out) == 0
        assert sorted(p.name for p in out.iterdir()) == ["limits.csv", "limits.json", "limits.png"]
        assert (out / "limits.png").read_bytes().startswith(b"\x89PNG")
        document = load(out)
        assert document["schema"] == "jaxrd.comparison/1"
        assert [model["name"] for model in document["models"]] == ["A.npz", "B.npz", "C.npz"]
        for model in document["models"]:
            assert len(model["sha256"]) == 64
            assert {"summary", "curves", "at", "reliability", "notes", "warnings"} <= set(model)
            assert model["summary"]["samples"] == 150
            assert model["summary"]["samples_total"] == 300
        compared = document["comparison"]
        assert (compared["first"], compared["apart"], compared["confidence"]) == ("A.npz", {}, None)
        assert compared["paired"] == {"B.npz": True, "C.npz": True}
        assert [row["distortion"] for row in compared["at"]] == pytest.approx([0.5, 0.01])
        first, second = compared["at"]
        a, b, c = (first["TMRD"][name] for name in ("A.npz", "B.npz", "C.npz"))
        assert a == {"rate_bits": document["models"][0]["at"][0]["TMRD"], "status": "reached"}
        assert b["difference_bits"] == pytest.approx(b["rate_bits"] - a["rate_bits"])
        assert b["difference_status"] == "not asked for"
        assert c == {
            "rate_bits": None,
            "status": "not computed",
            "difference_bits": None,
            "difference_status": "not computed",
        }
        assert second["iE&C"]["B.npz"]["status"] == "beyond"
        assert second["iE&C"]["B.npz"]["difference_status"] == "not both reach it"
        lead = compared["fewest"]["TMRD"][0]
        assert lead["model"] == "A.npz"
        np.testing.assert_allclose(np.add(lead["distortion"], lead["accuracy"]), 1)
        assert compared["fewest"]["iE&C"][0]["equal"] == ["C.npz"]
        printed = capsys.readouterr().out
        for words in (
            "less A.npz",
            "beyond",
            "300)",
            "TMRD (of A.npz, B.npz): fewest bits: ",
            "need scores",
        ):
            assert words in printed, words
        assert printed.count("oRD") == 1

    def test_csv_has_the_model(self, files, tmp_path):
        assert limits(*files[:2], *FAST, "--out", tmp_path / "o") == 0
        rows = list(csv.DictReader((tmp_path / "o" / "limits.csv").open()))
        document = load(tmp_path / "o")
        for model in document["models"]:
            for curve, columns in model["curves"].items():
                own = [row for row in rows if row["model"] == model["name"] and row["curve"] == curve]
                assert [float(row["rate_bits"]) for row in own] == columns["rate_bits"]
        assert {row["model"] for row in rows} == {"A.npz", "B.npz"}

    def test_each_is_what_it_is_alone(self, files, tmp_path):
        assert limits(*files[:2], *FAST, "--out", tmp_path / "both") == 0
        both = load(tmp_path / "both")
        for file, model in zip(files[:2], both["models"], strict=True):
            assert limits(file, *FAST, "--out", tmp_path / "one") == 0
            one = load(tmp_path / "one")
            assert {key: one[key] for key in model if key != "sha256"} == {
                k: v for k, v in model.items() if k != "sha256"
            }
            assert model["sha256"] == one["meta"]["sha256"]

    def test_intervals(self, files, tmp_path, capsys):
        out = tmp_path / "o"
        assert limits(*files, "--slopes", "6", "--at", "0.5", "--at", "0.9", "--confidence", ".9", "--out", out) == 0
        document = load(out)
        assert document["comparison"]["confidence"] == {"level": 0.9, "seed": 0}
        row, zero = document["comparison"]["at"]
        b = row["TMRD"]["B.npz"]
        assert b["difference_status"] == "interval"
        assert b["difference_lower_bits"] < b["difference_bits"] < b["difference_upper_bits"]
        assert b["bootstrap_lower_bits"] < b["rate_bits"] < b["bootstrap_upper_bits"]
        c = row["iE&C"]["C.npz"]
        assert c["difference_lower_bits"] == c["difference_upper_bits"] == pytest.approx(0, abs=1e-9)  # A's decisions
        assert row["S&C"]["B.npz"]["difference_status"] == "not offered"
        assert zero["TMRD"]["B.npz"]["difference_status"] == "none at this point"
        printed = capsys.readouterr().out.replace("\n", " ")
        assert "90 % bootstrap interval of a difference" in printed
        assert "TMRD at D = 0.5, beside A.npz (90 % each by itself): " in printed
        assert "iE&C at D = 0.5, beside A.npz (90 % each by itself): more bits: B.npz; no difference" in printed
        assert "no difference beyond noise: C.npz" in printed
        assert "at D = 0.9, beside" not in printed
        assert (out / "limits.png").exists()

    def test_labels_that_disagree(self, files, tmp_path, capsys):
        np.savez(tmp_path / "D.npz", logits=L[::-1], labels=Y[::-1])
        out = tmp_path / "o"
        args = [files[0], tmp_path / "D.npz", "--slopes", "6", "--at", ".5", "--confidence", ".9", "--out", out]
        assert limits(*args) == 0
        compared = load(out)["comparison"]
        assert compared["paired"] == {"D.npz": False}
        entry = compared["at"][0]["TMRD"]["D.npz"]
        assert entry["difference_status"] == "other samples"
        assert "difference_lower_bits" not in entry
        assert entry["difference_bits"] is not None
        printed = capsys.readouterr().out
        assert "note: D.npz is not paired with A.npz" in printed
        assert printed.count("oRD") > 0
        assert compared["at"][0]["oRD"]["D.npz"]["difference_status"] == "not offered"

    def test_withheld(self, tmp_path, capsys):
        g = np.random.default_rng(0)
        labels = g.integers(0, 12, 240)
        for name in "AB":
            np.savez(tmp_path / f"{name}.npz", predictions=np.where(g.random(240) < 0.7, labels, 0), labels=labels)
        args = [tmp_path / "A.npz", tmp_path / "B.npz", *FAST, "--confidence", ".9", "--out", tmp_path / "o"]
        assert limits(*args) == 0
        entry = load(tmp_path / "o")["comparison"]["at"][0]["iE&C"]["B.npz"]
        assert entry["difference_status"] == "withdrawn"
        assert "bootstrap_lower_bits" not in entry
        printed = capsys.readouterr().out
        assert "note: no interval of iE&C of B.npz: " in printed
        assert (
            "note: no interval of E&C, TS of B.npz: 12 classes for 240 samples: fewer than 50 samples each" in printed
        )


class TestOptions:
    """Each changes what it is for."""

    def at(self, files, tmp_path, *options):
        assert limits(*files, "--no-plot", *options, "--out", tmp_path / "o") == 0
        return load(tmp_path / "o")

    def test_default_targets_are_those_of_all(self, files, tmp_path):
        document = self.at(files[:2], tmp_path, "--slopes", "6")
        asked = [row["distortion"] for row in document["comparison"]["at"]]
        most = max(model["summary"]["task_model_distortion"] for model in document["models"])
        least = min(model["summary"]["zero_rate_distortion"] for model in document["models"])
        assert most < asked[0] < asked[-1] < least
        for row in document["comparison"]["at"]:
            assert all(entry["status"] == "reached" for name in ("TMRD", "iE&C") for entry in row[name].values())

    def test_temperature_pixels_and_slopes(self, files, tmp_path):
        options = ["--temperature", "2", "--pixels", "64", "--slopes", "5", "--at", ".5"]
        document = self.at(files, tmp_path, *options)
        assert [model["summary"]["temperature"] for model in document["models"]] == [2, 2, None]
        assert [model["summary"]["samples"] for model in document["models"]] == [300] * 3
        assert document["meta"]["pixels"] == 64
        assert len(document["models"][0]["curves"]["TS"]["bpp"]) == 5
        assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["limits.csv", "limits.json"]

    def test_seed(self, files, tmp_path):
        found = [self.at(files, tmp_path, *FAST, "--seed", seed) for seed in ("0", "1")]
        temperatures = [[model["summary"]["temperature"] for model in document["models"]] for document in found]
        assert temperatures[0][0] != temperatures[1][0]
        assert found[1]["meta"]["seed"] == 1
        hard = [entry["models"][2]["summary"]["task_model_distortion"] for entry in found]
        assert hard == [entry["models"][0]["summary"]["task_model_distortion"] for entry in found]  # the same rows

    def test_float32(self, files, tmp_path):
        # A slope of B stalls in float32: that is said, and the results are saved.
        assert limits(*files[:2], *FAST, "--float32", "--out", tmp_path / "o") == 1
        document = load(tmp_path / "o")
        assert (document["meta"]["dtype"], document["meta"]["tolerance"]) == ("float32", 1e-5)

    def test_one_file_of_labels_for_all(self, tmp_path):
        np.save(tmp_path / "a.npy", L)
        np.save(tmp_path / "b.npy", NOISY)
        np.save(tmp_path / "y.npy", Y + 1)
        files = [tmp_path / "a.npy", tmp_path / "b.npy"]
        options = [*FAST, "--labels", str(tmp_path / "y.npy"), "--first-label", "1", "--logits"]
        document = self.at(files, tmp_path, *options)
        assert document["comparison"]["paired"] == {"b.npy": True}

    def test_loss_and_prior(self, files, tmp_path, capsys):
        np.savetxt(tmp_path / "costs.csv", 2 * (1 - np.eye(3)), delimiter=",")
        document = self.at(files, tmp_path, "--slopes", "6", "--loss", str(tmp_path / "costs.csv"), "--at", "1.1")
        plain = self.at(files, tmp_path, "--slopes", "6", "--at", ".55")
        for curve in ("oRD", "TMRD", "iE&C"):
            twice, once = (of["comparison"]["at"][0][curve]["A.npz"]["rate_bits"] for of in (document, plain))
            assert twice == pytest.approx(once, abs=1e-6)  # the same curves over twice the distortion
        assert document["comparison"]["fewest"]["TMRD"][0]["accuracy"] is None
        assert "A.npz down to D = " in capsys.readouterr().out
        uniform = self.at(files, tmp_path, "--slopes", "6", "--at", ".55", "--prior", "uniform")
        assert uniform["comparison"]["at"][0]["oRD"]["A.npz"]["rate_bits"] == pytest.approx(
            np.log2(3) + 0.45 * np.log2(0.45) + 0.55 * np.log2(0.55 / 2), abs=1e-6
        )
        assert uniform["comparison"]["paired"] == {"B.npz": True, "C.npz": True}

    def test_no_intervals_of_other_losses(self, files, tmp_path, capsys):
        for options, words in (
            (["--loss", "abstain:.4"], "the loss abstain:0.4"),
            (["--prior", "uniform"], "weighted"),
        ):
            refused([*files, *FAST, "--confidence", ".9", *options], words, tmp_path / "out", capsys)

    def test_names_that_collide(self, tmp_path):
        for run_ in ("one", "two"):
            (tmp_path / run_).mkdir()
            np.savez(tmp_path / run_ / "x.npz", logits=L, labels=Y)
        document = self.at([tmp_path / "one" / "x.npz", tmp_path / "two" / "x.npz"], tmp_path, *FAST)
        assert [model["name"] for model in document["models"]] == ["one/x.npz", "two/x.npz"]
        assert document["comparison"]["fewest"]["TMRD"][0]["equal"] == ["two/x.npz"]


class TestRefused:
    def test_a_wrong_file_among_several(self, files, tmp_path, capsys):
        np.savez(tmp_path / "W.npz", logits=L, labels=Y[:-1])
        wrong = tmp_path / "W.npz"
        for order in ([*files, wrong], [wrong, *files]):
            refused(order, f"{wrong}: labels has 299 entries for 300 samples", tmp_path / "out", capsys)
        refused([files[0], tmp_path / "none.npz"], f"{tmp_path / 'none.npz'} does not exist", tmp_path / "out", capsys)

    def test_the_same_file_twice(self, files, tmp_path, capsys):
        again = tmp_path / "sub" / ".." / "A.npz"
        (tmp_path / "sub").mkdir()
        (tmp_path / "link.npz").symlink_to(files[0])
        for second in (files[0], again, tmp_path / "link.npz"):
            refused([files[0], files[1], second], f"{second} is named twice; name each", tmp_path / "out", capsys)

    def test_too_many(self, tmp_path, capsys):
        refused(
            [tmp_path / f"{i}.npz" for i in range(9)],
            "at most 8 models can be compared; got 9 files",
            tmp_path / "out",
            capsys,
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--confidence", ".9", "--kappa", ".1"], "--kappa 0.1 is of one model's posterior; got 3 files"),
            (["--by-class"], "--by-class is for one model; got 3 files"),
            (["--bottleneck"], "--bottleneck is for one model"),
            (["--bits", "2"], "--bits is for one model"),
            (["--codec", __file__], "--codec is for one model"),
            (["--loss", "squared"], "--loss squared is for one model; got 3 files"),
            (["--kappa", ".1"], "--kappa needs --confidence"),
            (["--example", "mnist-clean"], "pass FILE or --example, not both"),
            (["--at", "1.5"], "--at must lie in [0, 1]; got 1.5"),
            (["--slopes", "1"], "slopes must be an integer >= 2; got 1"),
            (["--temperature", "0"], "positive number; got 0"),
            (["--mesh", "9x9"], "--mesh 9x9 is of 81 devices"),
        ],
    )
    def test_options(self, files, tmp_path, options, message, capsys):
        refused([*files, *options], message, tmp_path / "out", capsys)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--mesh", "1x1"], "--mesh 1x1 has no effect: hard decisions"),
            (["--seed", "1"], "--seed 1 has no effect: hard decisions"),
            (["--temperature", "2"], "temperature 2 has no effect: hard decisions"),
        ],
    )
    def test_options_of_scores_for_decisions_alone(self, tmp_path, options, message, capsys):
        for name in "AB":
            np.savez(tmp_path / f"{name}.npz", predictions=L.argmax(1), labels=Y)
        refused([tmp_path / "A.npz", tmp_path / "B.npz", *options], message, tmp_path / "out", capsys)

    def test_a_result_never_replaces_what_is_read(self, tmp_path, files, capsys):
        (tmp_path / "o").mkdir()
        (tmp_path / "o" / "limits.csv").write_text("logit_0,logit_1,label\n0,1,1\n1,0,0\n")
        assert limits(files[0], tmp_path / "o" / "limits.csv", "--out", tmp_path / "o") == 2
        assert "which is read" in capsys.readouterr().err


def test_ctrl_c_writes_nothing(files, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxrd.tosc.compare", interrupted)
    assert limits(*files, *FAST, "--out", tmp_path / "out") == 130
    assert not (tmp_path / "out").exists()


def test_a_curve_that_did_not_converge_ends_with_1(files, tmp_path, monkeypatch, capsys):
    real, calls = tosc.limits, []

    def second_stalls(outputs, **options):
        found = real(outputs, **options)
        calls.append(found)
        curve = found.curves["iE&C"]
        status = np.where(np.arange(len(curve.status)) == 2, int(Status.STALLED), curve.status)
        return (
            replace(found, curves=found.curves | {"iE&C": replace(curve, status=status)}) if len(calls) == 2 else found
        )

    monkeypatch.setattr("jaxrd.tosc.limits", second_stalls)
    assert limits(*files[:2], "--slopes", "6", "--at", "0.5", "--out", tmp_path / "o") == 1
    assert "not converged at some slopes, see status: B.npz iE&C" in capsys.readouterr().err
    assert (tmp_path / "o" / "limits.png").exists()


def test_long_names_lose_their_middle():
    assert _short("short.npz") == "short.npz"
    long = _short("a" * 60 + "/run-17/outputs.npz")
    assert len(long) == 40
    assert long.endswith("/run-17/outputs.npz")
