"""`jaxrd limits --codec` and `--bits`: measured points, and rates, beside every curve."""

import csv
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxrd import tosc
from jaxrd.cli import codec_report
from jaxrd.cli.app import run
from jaxrd.coding import payload_bound
from jaxrd.documents import at_bits, bd_rate
from jaxrd.documents.limits import Analysed
from jaxrd.tosc.curves.drawing import Least

BIT = np.log(2)
POINTS = "rate_bits,top1\n0.1,0.3\n0.4,0.45\n0.9,0.52\n2.5,0.8\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    g = np.random.default_rng(0)
    v = g.dirichlet(np.full(3, 0.5), 300)
    labels = np.array([g.choice(3, p=row) for row in v])
    path = tmp_path_factory.mktemp("outputs") / "mine.npz"
    np.savez(path, logits=np.log(v + 1e-9), labels=labels)
    return path


@pytest.fixture
def codec(tmp_path):
    path = tmp_path / "codec.csv"
    path.write_text(POINTS)
    return path


def limits(file, out, *args):
    asked = ["--temperature", "1", "--slopes", "6", *map(str, args)]
    code = run(["limits", str(file), *asked, "--out", str(out)])
    refuse = {"parse_constant": lambda c: pytest.fail(f"{c} in JSON")}
    return code, json.loads((out / "limits.json").read_text(), **refuse) if code == 0 else None


class TestCodec:
    def test_every_point_beside_every_curve(self, file, codec, tmp_path):
        asked = [x for d in ("0.7", "0.55", "0.48", "0.2") for x in ("--at", d)]
        rates = [x for b in ("0.1", "0.4", "0.9", "2.5") for x in ("--bits", b)]
        _, plain = limits(file, tmp_path / "plain", *asked, *rates, "--no-plot")
        _, found = limits(file, tmp_path / "out", "--at", "0.5", "--codec", codec, "--no-plot")
        assert {p.name for p in (tmp_path / "out").iterdir()} == {"limits.json", "limits.csv", "codecs.csv"}
        assert "codecs" not in plain
        assert [row["distortion"] for row in found["at"]] == [0.5]  # what the codec needs is not shown among these
        (one,) = found["codecs"]
        assert (one["name"], one["file"], len(one["sha256"])) == ("codec", "codec.csv", 64)
        assert one["notes"] == ["codec.csv: top1 read as a fraction (largest value 0.8)"]
        for point, at, least in zip(one["points"], plain["at"], plain["at_bits"], strict=True):
            assert point["distortion"] == pytest.approx(at["distortion"], abs=1e-12)
            assert point["accuracy"] == pytest.approx(1 - at["distortion"], abs=1e-12)
            assert "bpp" not in point
            assert set(point["bounds"]) == set(tosc.CURVES)
            for name, bound in point["bounds"].items():
                rate = at[name]
                assert bound["distortion_at_rate"] == pytest.approx(least[name], abs=1e-9)
                assert bound["accuracy_at_rate"] == pytest.approx(1 - least[name], abs=1e-9)
                assert "rate_lower_bits" not in bound
                if at["status"][name] == "beyond":
                    assert (bound["rate_bits"], bound["excess_bits"], bound["ratio"]) == (None, None, None)
                    assert bound["status"] == "beyond"
                elif rate == 0:
                    assert (bound["ratio"], bound["status"]) == (None, "nothing is sent")
                else:
                    assert bound["rate_bits"] == pytest.approx(rate, abs=1e-9)
                    assert bound["excess_bits"] == pytest.approx(point["rate_bits"] - rate, abs=1e-9)
                    assert bound["ratio"] == pytest.approx(point["rate_bits"] / rate, rel=1e-9)
                    assert bound["status"] == "reached"
        states = {bound["status"] for point in one["points"] for bound in point["bounds"].values()}
        assert states == {"reached", "nothing is sent", "beyond"}
        rows = list(csv.DictReader((tmp_path / "out" / "codecs.csv").open()))
        assert len(rows) == 4 * len(tosc.CURVES)
        assert {row["codec"] for row in rows} == {"codec"}
        bounds = one["points"][1]["bounds"]["oRD"]
        row = next(row for row in rows if row["curve"] == "oRD" and float(row["rate_bits"]) == 0.4)
        assert float(row["bound_rate_bits"]) == pytest.approx(bounds["rate_bits"])
        assert float(row["excess_bits"]) == pytest.approx(bounds["excess_bits"])
        assert float(row["accuracy_at_rate"]) == pytest.approx(bounds["accuracy_at_rate"])

    def test_several_codecs_in_bits_a_pixel(self, file, codec, tmp_path, capsys):
        other = tmp_path / "other.csv"
        other.write_text("codec,bpp,top1\na,0.01,50\nb,0.02,55\n")
        args = ("--codec", codec, "--codec", other, "--at", ".5", "--no-plot")
        assert limits(file, tmp_path / "out", *args)[0] == 2
        assert "other.csv gives bits per pixel (bpp): say how many pixels" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        _, found = limits(file, tmp_path / "out", *args, "--pixels", 100)
        assert [one["name"] for one in found["codecs"]] == ["codec", "other a", "other b"]
        assert found["codecs"][1]["points"][0]["rate_bits"] == pytest.approx(1)
        assert found["codecs"][1]["points"][0]["bpp"] == pytest.approx(0.01)
        assert found["codecs"][0]["points"][0]["bpp"] == pytest.approx(0.001)
        printed = capsys.readouterr().out
        assert "other a beside the limits" in printed
        assert "note: other.csv: bpp times 100 pixels" in printed

    def test_hard_decisions_and_what_encode_left(self, tmp_path):
        labels = np.arange(300) % 3
        np.savez(tmp_path / "hard.npz", predictions=np.where(np.arange(300) % 5, labels, 0), labels=labels)
        sent = {"schema": "jaxrd.encode/1", "curve": "TMRD", "payload_bits_per_sample": 1.3, "distortion": 0.3}
        (tmp_path / "sent.json").write_text(json.dumps(sent))
        args = ["--slopes", "6", "--codec", str(tmp_path / "sent.json"), "--no-plot", "--out", str(tmp_path / "out")]
        assert run(["limits", str(tmp_path / "hard.npz"), *args]) == 0
        (one,) = json.loads((tmp_path / "out" / "limits.json").read_text())["codecs"]
        assert one["name"] == "sent TMRD"
        bounds = one["points"][0]["bounds"]
        assert bounds["TMRD"]["status"] == "not computed"
        assert bounds["TMRD"]["accuracy_at_rate"] is None
        assert bounds["iE&C"]["excess_bits"] > 0
        assert one["bd_rate"]["TMRD"]["status"] == "not computed"

    def test_intervals_are_those_at_the_distortions(self, file, codec, tmp_path, capsys):
        more = ("--confidence", ".9", "--no-plot")
        _, plain = limits(file, tmp_path / "plain", "--at", ".55", "--at", ".48", *more)
        capsys.readouterr()
        _, found = limits(file, tmp_path / "out", "--at", ".55", "--codec", codec, *more)
        printed = capsys.readouterr().out
        assert "best acc." in printed
        assert "  interval" in printed
        assert len(found["confidence"]["at"]) == len(found["cross_fitted"]["at"]) == 1
        heading = next(line for line in printed.split("90 % intervals")[1].splitlines() if "by" in line)
        assert heading.count("┃") == 4  # curve, by, and the one distortion asked for
        for name, value in plain["confidence"]["at"][0].items():
            assert found["confidence"]["at"][0][name] == value
        for i, at in ((1, 0), (2, 1)):
            point = found["codecs"][0]["points"][i]
            for name in ("oRD", "TMRD", "iE&C", "S&C", "E&C", "TS"):
                bound, known = point["bounds"][name], plain["confidence"]["at"][at][name]
                lower, upper = known["bootstrap_lower_bits"], known["bootstrap_upper_bits"]
                assert bound["interval"] == "interval"
                assert bound["rate_lower_bits"] == pytest.approx(lower, abs=1e-9)
                assert bound["rate_upper_bits"] == pytest.approx(upper, abs=1e-9)
                assert bound["excess_lower_bits"] == pytest.approx(point["rate_bits"] - upper, abs=1e-9)
                assert bound["excess_upper_bits"] == pytest.approx(point["rate_bits"] - lower, abs=1e-9)
                assert bound["ratio_lower"] == pytest.approx(point["rate_bits"] / upper, rel=1e-9)
        bound = found["codecs"][0]["points"][1]["bounds"]
        assert bound["merge"]["rate_lower_bits"] is None
        for name in ("oRD", "TMRD", "iE&C"):
            at = bound[name]
            assert at["accuracy_at_rate_lower"] < at["accuracy_at_rate"] < at["accuracy_at_rate_upper"]
            assert at["distortion_at_rate_lower"] == pytest.approx(1 - at["accuracy_at_rate_upper"], abs=1e-12)
            # At the better end the curve needs more than the codec has by what the interval reaches below.
            assert 0.001 < at["accuracy_at_rate_upper"] - at["accuracy_at_rate_lower"] < 0.2
        assert {"interval", "rate_lower_bits"} <= set(
            next(csv.DictReader((tmp_path / "out" / "codecs.csv").open())).keys()
        )

    def test_what_no_scheme_can_do_is_told(self, file, tmp_path, capsys):
        (tmp_path / "x.csv").write_text("rate_bits,top1\n0.01,0.6\n")
        _, found = limits(file, tmp_path / "out", "--codec", tmp_path / "x.csv", "--no-plot")
        (words,) = [w for w in found["warnings"] if "which no scheme can" in w]
        assert re.match(r"x spends less than oRD, which no scheme can \(0.01 bits for 0.\d+ at D = 0.4\): check", words)
        assert "check --pixels" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("nowhere.csv", None, "nowhere.csv does not exist"),
            ("x.csv", "rate,top1\n1,.5\n", "x.csv has no rate (rate_bits|"),
            ("x.csv", "rate_bits,psnr\n1,30\n", "x.csv has no accuracy (accuracy|"),
            ("x.csv", "rate_bits,distortion\n1,1.5\n", "distortion must lie in [0, 1]"),
        ],
    )
    def test_nonsense_is_one_line(self, file, tmp_path, capsys, name, content, message):
        if content is not None:
            (tmp_path / name).write_text(content)
        assert limits(file, tmp_path / "out", "--codec", tmp_path / name)[0] == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()

    def test_two_of_a_name(self, file, codec, tmp_path, capsys):
        (tmp_path / "again").mkdir()
        (tmp_path / "again" / "codec.csv").write_text(POINTS)
        args = ("--codec", codec, "--codec", tmp_path / "again" / "codec.csv")
        assert limits(file, tmp_path / "out", *args)[0] == 2
        assert "two codecs are called 'codec' (in codec.csv, codec.csv)" in capsys.readouterr().err

    def test_its_file_is_not_replaced(self, file, tmp_path, capsys):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "codecs.csv").write_text(POINTS)
        assert limits(file, tmp_path / "out", "--codec", tmp_path / "out" / "codecs.csv")[0] == 2
        assert "codecs.csv" in capsys.readouterr().err
        assert (tmp_path / "out" / "codecs.csv").read_text() == POINTS

    def test_help_names_it(self, capsys):
        run(["limits", "--help"])
        printed = capsys.readouterr().out
        assert "--codec" in printed
        assert "--bits" in printed


class TestBits:
    def test_the_best_accuracy_at_a_rate(self, file, tmp_path, capsys):
        _, found = limits(file, tmp_path / "out", "--at", ".5", "--bits", ".3", "--bits", "4", "--no-plot")
        first, second = found["at_bits"]
        assert (first["rate_bits"], second["rate_bits"]) == (0.3, 4)
        assert set(first) == {"rate_bits", "accuracy", "status", "TMRD_model", *tosc.CURVES}
        assert set(first["status"].values()) == {"reached"}
        for name in tosc.CURVES:
            assert first["accuracy"][name] == pytest.approx(1 - first[name])
        assert second["oRD"] == 0
        assert second["TS"] == pytest.approx(found["summary"]["task_model_distortion"])
        printed = capsys.readouterr().out
        assert "best accuracy (1 - D) at a rate" in printed
        assert f"{first['accuracy']['iE&C']:.4f}" in printed
        rate = found["at"][0]["iE&C"]
        _, back = limits(file, tmp_path / "back", "--bits", repr(rate), "--no-plot")
        assert back["at_bits"][0]["iE&C"] == pytest.approx(0.5, abs=1e-9)
        assert "at_bits" not in limits(file, tmp_path / "none", "--no-plot")[1]

    @pytest.mark.parametrize("rate", ["-1", "inf", "nan"])
    def test_bad_rates(self, file, tmp_path, capsys, rate):
        assert limits(file, tmp_path / "out", "--bits", rate)[0] == 2
        assert capsys.readouterr().err == f"jaxrd: --bits must be a rate >= 0, in bits per sample; got {rate}.\n"

    def test_a_solver_that_failed(self, file, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(at_bits, "distortions_at", lambda found, rate: {"iE&C": Least(0.4, False)})
        code = run(["limits", str(file), "--slopes", "4", "--bits", "1", "--no-plot", "--out", str(tmp_path)])
        assert code == 1
        assert "iE&C at 1 bits" in capsys.readouterr().err
        (row,) = json.loads((tmp_path / "limits.json").read_text())["at_bits"]
        assert row["status"]["iE&C"] == "not converged"
        assert row["status"]["TMRD"] == "not computed"


class TestLosses:
    def test_a_loss_without_an_accuracy(self, file, codec, tmp_path, capsys):
        np.save(tmp_path / "costs.npy", np.array([[0, 4.0, 1], [1, 0, 1], [2, 1, 0]]))
        (tmp_path / "x.csv").write_text("rate_bits,mean_loss\n0.3,1.1\n1.4,0.6\n")
        args = ("--loss", tmp_path / "costs.npy", "--at", ".7", "--bits", ".5", "--slopes", "6")
        assert limits(file, tmp_path / "out", *args, "--codec", codec)[0] == 2
        assert "codec.csv has no distortion, and no accuracy belongs to this loss" in capsys.readouterr().err
        _, found = limits(file, tmp_path / "out", *args, "--codec", tmp_path / "x.csv")
        (row,) = found["at_bits"]
        assert set(row["accuracy"].values()) == {None}
        assert 0 < row["oRD"] < row["TMRD"]
        _, back = limits(file, tmp_path / "back", *args, "--at", repr(row["oRD"]), "--no-plot")
        assert back["at"][1]["oRD"] == pytest.approx(0.5, abs=1e-8)
        first, second = found["codecs"][0]["points"]
        assert (first["distortion"], first["accuracy"]) == (1.1, None)
        bound = second["bounds"]["TMRD"]
        assert bound["accuracy_at_rate"] is None
        assert bound["excess_bits"] == pytest.approx(1.4 - bound["rate_bits"])
        printed = capsys.readouterr().out
        assert "least distortion at a rate" in printed
        assert "D = 0.6" in printed

    def test_another_error(self, file, tmp_path, capsys):
        (tmp_path / "x.csv").write_text("rate_bits,top1,accuracy_top2\n0.3,.4,.8\n")
        _, found = limits(file, tmp_path / "out", "--loss", "top2", "--codec", tmp_path / "x.csv", "--no-plot")
        (point,) = found["codecs"][0]["points"]
        assert point["accuracy"] == pytest.approx(0.8)
        assert point["bounds"]["oRD"]["accuracy_at_rate"] > 0.8
        (tmp_path / "x.csv").write_text("rate_bits,top1\n0.3,.4\n")
        assert limits(file, tmp_path / "out", "--loss", "top2", "--codec", tmp_path / "x.csv")[0] == 2
        assert "x.csv has no accuracy (accuracy_top2|top2|acc2|accuracy|" in capsys.readouterr().err


class TestOneMessage:
    def test_a_bound_for_every_distortion_asked_for(self, file, tmp_path, capsys):
        _, found = limits(file, tmp_path / "out", "--at", ".5", "--at", ".1", "--at", ".9", "--no-plot")
        inside, beyond, silent = found["one_message"]["at"]
        assert [row["distortion"] for row in (inside, beyond, silent)] == [0.5, 0.1, 0.9]
        for name in ("TMRD", "S&C"):
            bits = payload_bound(found["at"][0][name] * BIT, 300) / BIT
            assert inside[name] == pytest.approx(bits)
            assert (beyond[name], beyond["status"][name]) == (None, "beyond")
            assert silent[name] == 0
        assert set(inside) == {"distortion", "TMRD", "S&C", "status", "rate_bits", "encoded_bits"}
        assert inside["rate_bits"] == {name: found["at"][0][name] for name in ("TMRD", "S&C")}
        spent = inside["encoded_bits"]["TMRD"]
        assert inside["rate_bits"]["TMRD"] < spent < inside["TMRD"]
        assert (beyond["encoded_bits"]["TMRD"], silent["encoded_bits"]["TMRD"]) == (None, 0)
        decided = found["one_message"]["decisions"]
        assert decided["distortion"] == found["summary"]["task_model_distortion"]
        assert decided["entropy_bits"] == found["summary"]["estimate_entropy_bits"]
        assert decided["entropy_bits"] <= decided["message_bits"] < decided["entropy_bits"] + 1
        assert 0 <= decided["encoded_bits"] - decided["entropy_bits"] < 65 / 300
        printed = capsys.readouterr().out
        table = printed[printed.index("bits per image, if images are sent one by one") :]
        rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if "│" in line]
        assert [row[1:] for row in rows[:3]] == [
            [f"{inside['rate_bits']['TMRD']:.2f}", "-", "0.00"],
            [f"{inside['TMRD']:.2f}", "-", "0.00"],
            [f"{spent:.2f}", "-", "0.00"],
        ]
        assert "long blocks and shared randomness" in table

    def test_what_encode_really_spends(self, file, tmp_path):
        """The messages that the table measures are those of the file that jaxrd encode makes of all samples."""
        _, found = limits(file, tmp_path / "out", "--at", ".5", "--temperature", "1", "--no-plot")
        args = "--distortion", ".5", "--out", str(tmp_path / "x.jrd")
        (row,) = found["one_message"]["at"]
        assert found["one_message"]["coded_samples"] == 300
        lengths = []
        for seed in range(8):
            assert run(["encode", str(file), *args, "--seed", str(seed)]) == 0
            lengths.append(8 * json.loads((tmp_path / "x.json").read_text())["payload_bytes"] / 300)
        mean, spread = np.mean(lengths), np.std(lengths) / 8**0.5
        assert row["encoded_bits"]["TMRD"] == pytest.approx(mean - 32 / 300, abs=4 * spread + 32 / 300)


def mean_log_ratio(distortion, codec, bound):
    """The BD-rate by scipy's interpolator itself."""
    from scipy.interpolate import PchipInterpolator

    x = 1 - np.asarray(distortion)[::1]
    order = np.argsort(x)
    x, ours, theirs = x[order], np.log(codec)[order], np.log(bound)[order]
    ends = x[0], x[-1]
    areas = [PchipInterpolator(x, y).integrate(*ends) for y in (ours, theirs)]
    return 100 * np.expm1((areas[0] - areas[1]) / (ends[1] - ends[0]))


class TestBdRate:
    D, CODEC, BOUND = [0.5, 0.4, 0.3, 0.2, 0.1], [1.0, 2.0, 3.0, 5.0, 9.0], [0.2, 0.5, 1.0, 2.0, 4.0]

    @pytest.fixture
    def package(self, monkeypatch):
        """In place of bjontegaard, which is optional: what it is called with, and its answer."""
        calls = []

        def ours(rate_anchor, dist_anchor, rate_test, dist_test, **how):
            calls.append((rate_anchor, dist_anchor, rate_test, dist_test, how))
            return mean_log_ratio(1 - np.asarray(dist_test), rate_test, rate_anchor)

        monkeypatch.setattr(bd_rate, "_package", lambda: SimpleNamespace(bd_rate=ours))
        return calls

    def test_the_bound_is_the_anchor(self, package):
        found = bd_rate.bd_rate(self.D, self.CODEC, self.BOUND)
        assert found.percent == pytest.approx(mean_log_ratio(self.D, self.CODEC, self.BOUND))
        assert found.percent > 100
        assert (found.best, found.worst, found.points, found.reason) == (0.1, 0.5, 5, "")
        assert package[0][4] == {"method": "pchip", "require_matching_points": False}
        assert bd_rate.bd_rate(self.D, [2 * b for b in self.BOUND], self.BOUND).percent == pytest.approx(100)

    def test_by_the_package_itself(self):
        pytest.importorskip("bjontegaard", reason="the extra bd is not installed")
        found = bd_rate.bd_rate(self.D, self.CODEC, self.BOUND)
        assert found.percent == pytest.approx(mean_log_ratio(self.D, self.CODEC, self.BOUND), rel=1e-9)

    def test_the_overlap_is_stated(self, package):
        found = bd_rate.bd_rate([0.6, *self.D, 0.05], [0.5, *self.CODEC, 12], [0, *self.BOUND, np.inf])
        assert (found.best, found.worst, found.points) == (0.1, 0.5, 5)
        assert found.percent == pytest.approx(mean_log_ratio(self.D, self.CODEC, self.BOUND))

    @pytest.mark.parametrize(
        ("d", "codec", "bound", "reason"),
        [
            (
                [0.5, 0.4, 0.3],
                [1, 2, 3],
                [1, 2, 3],
                "3 of its points have both rates finite and positive; 4 are",
            ),
            ([0.5] * 4, [1, 2, 3, 4], [0, 0, np.inf, 0], "no point where both rates are finite and positive"),
            (
                [0.5, 0.4, 0.45, 0.3],
                [1, 2, 3, 4],
                [1, 1, 1, 1],
                "not monotone: D = 0.45 at 3 bits, 0.4 at 2",
            ),
            (
                [0.5, 0.4, 0.3, 0.3],
                [1, 2, 3, 4],
                [1, 1, 1, 1],
                "not monotone: D = 0.3 at 3 bits, 0.3 at 4",
            ),
        ],
    )
    def test_nonsense_has_a_reason_and_no_number(self, package, d, codec, bound, reason):
        found = bd_rate.bd_rate(d, codec, bound)
        assert found.percent is None
        assert reason in found.reason
        assert not package

    def test_no_finite_answer(self, monkeypatch):
        package = SimpleNamespace(bd_rate=lambda *args, **how: float("nan"))
        monkeypatch.setattr(bd_rate, "_package", lambda: package)
        assert bd_rate.bd_rate(self.D, self.CODEC, self.BOUND) == bd_rate.BdRate(reason="bjontegaard gives nan")

    def test_without_the_package(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "bjontegaard", None)
        assert bd_rate.bd_rate(self.D, self.CODEC, self.BOUND).reason == (
            "it needs bjontegaard, which is not installed: pip install bjontegaard"
        )

    def test_in_the_document_and_the_report(self, file, codec, tmp_path, package, capsys):
        codec.write_text(POINTS + "0.6,0.48\n")
        _, found = limits(file, tmp_path / "out", "--codec", codec, "--no-plot")
        rates = found["codecs"][0]["bd_rate"]
        points = [p for p in found["codecs"][0]["points"] if p["bounds"]["oRD"]["rate_bits"]]
        assert len(points) == 4  # at the fifth nothing needs to be sent
        d, ours = ([p[key] for p in points] for key in ("distortion", "rate_bits"))
        expected = mean_log_ratio(d, ours, [p["bounds"]["oRD"]["rate_bits"] for p in points])
        assert rates["oRD"]["percent"] == pytest.approx(expected)
        assert (rates["oRD"]["from_accuracy"], rates["oRD"]["to_accuracy"]) == pytest.approx((0.45, 0.8))
        assert (rates["oRD"]["status"], rates["oRD"]["method"]) == ("computed", "pchip")
        printed = capsys.readouterr().out
        assert f"BD-rate over accuracies 0.45 to 0.8 (4 points): {expected:+.4g} % over oRD" in printed


@pytest.fixture(scope="module")
def found():
    labels = np.arange(400) % 4
    return tosc.limits(np.where(np.arange(400) % 5, labels, 0), labels, at=[0.4], slopes=6)


class TestFigure:
    def drawn(self, found, tmp_path, content, pixels=None):
        from jaxrd import plots
        from jaxrd.cli import limits_codec

        (tmp_path / "mine.csv").write_text(content)
        codecs = limits_codec.read([tmp_path / "mine.csv"], pixels)
        wide = limits_codec.widened(found, codecs)
        _, compared = limits_codec.split(wide, 1, codecs, None, lambda *_: None)
        _, ax = plots.new_figure()
        summary = found.summary
        plots.limits_axes(
            ax, found.curves, task_model_distortion=summary["task_model_distortion"],
            zero_rate_distortion=summary["zero_rate_distortion"], meanings=tosc.CURVES,
        )  # fmt: skip
        analysed = Analysed("x", found, None, (), pixels, 0, False, beside=compared)
        codec_report.draw_codecs(ax, analysed)
        assert isinstance(ax.figure, Figure)
        return ax

    def test_points_and_legend(self, found, tmp_path):
        ax = self.drawn(found, tmp_path, "rate_bits,top1\n1,.5\n1.5,.7\n")
        line = next(line for line in ax.lines if line.get_label() == "mine")
        np.testing.assert_allclose(line.get_xydata(), [[0.5, 1], [0.3, 1.5]])
        assert "mine" in [text.get_text() for text in ax.get_legend().get_texts()]
        assert ax.get_yscale() == "linear"
        assert len(ax.child_axes) == 1  # the accuracies, and no bits a pixel

    def test_far_above_the_curves_the_axis_is_logarithmic(self, found, tmp_path):
        ax = self.drawn(found, tmp_path, "rate_bits,top1\n1000,.5\n1500,.05\n")
        assert ax.get_yscale() == "log"
        assert ax.get_ylim()[0] < 0.2
        assert ax.get_ylim()[1] > 1500
        assert ax.get_xlim()[1] > 0.95

    def test_bits_a_pixel(self, found, tmp_path):
        ax = self.drawn(found, tmp_path, "rate_bits,top1\n1,.5\n1.5,.7\n", pixels=784)
        beside = ax.child_axes[-1]
        assert beside.get_ylabel() == "rate  [bits per pixel], 784 pixels"
        ax.figure.draw_without_rendering()
        np.testing.assert_allclose(beside.get_ylim(), np.array(ax.get_ylim()) / 784)
