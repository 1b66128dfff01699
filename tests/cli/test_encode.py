"""`jaxrd encode` and `decode` for every scheme, with scores and with hard decisions, under any loss."""

import hashlib
import json

import numpy as np
import pytest

from jaxrd.cli.app import run
from jaxrd.coding import decode
from jaxrd.coding.file import unpack
from jaxrd.information import NATS_PER_BIT
from jaxrd.tosc import confusion_joint, estimate_and_compress, limits, merge_baseline
from jaxrd.tosc.losses import abstain, superclass, zero_one

SAMPLES, CLASSES = 500, 5
SIMULATED = {
    "TMRD": ["--slope", "3"], "S&C": [], "iE&C": ["--slope", "3"], "E&C": ["--estimate-distortion", "0.2"],
}  # fmt: skip
CODED = {"decisions": [], "merge": ["--merged", "2"]}
SCHEMES = SIMULATED | CODED
NULL_WHERE_CODED = (
    "slope", "block", "seed", "blocks", "index_entropy_bits", "index_entropy_ratio", "index_mean_log2",
    "largest_index", "candidates_drawn", "candidates_expected",
)  # fmt: skip


@pytest.fixture(scope="module")
def classifier():
    g = np.random.default_rng(8)
    v = g.dirichlet(0.03 * (2 + np.arange(CLASSES)), SAMPLES)
    return v, np.array([g.choice(CLASSES, p=row) for row in v])


@pytest.fixture
def soft(classifier, tmp_path):
    v, labels = classifier
    np.savez(tmp_path / "soft.npz", probabilities=v, labels=labels)
    return tmp_path / "soft.npz"


@pytest.fixture
def hard(classifier, tmp_path):
    v, labels = classifier
    np.savez(tmp_path / "hard.npz", predictions=v.argmax(1), labels=labels)
    return tmp_path / "hard.npz"


def encoded(file, *options):
    """The document and the decisions that `decode` finds in the stream."""
    out = file.parent / "o" / "X.jrd"
    assert run(["encode", str(file), *map(str, options), "--out", str(out)]) == 0
    document = json.loads(out.with_suffix(".json").read_text(), parse_constant=lambda c: pytest.fail(c))
    decisions = file.parent / "o" / "D.npy"
    assert run(["decode", str(out), "--out", str(decisions)]) == 0
    found = np.load(decisions)
    assert found.dtype == np.int32
    assert hashlib.sha256(found.astype("<i4").tobytes()).hexdigest() == document["sha256"]
    assert document["header_bytes"] + document["payload_bytes"] == out.stat().st_size
    assert document["stream_bits_per_sample"] == pytest.approx(8 * out.stat().st_size / SAMPLES)
    return document, found


def refused(capsys, file, *options):
    out = file.parent / "refused" / "X.jrd"
    assert run(["encode", str(file), *map(str, options), "--out", str(out)]) == 2
    assert not out.parent.exists()
    message = capsys.readouterr().err
    assert len(message.strip().splitlines()) == 1
    return message


def joint_of(classifier):
    v, labels = classifier
    return confusion_joint(labels, v.argmax(1), CLASSES)


class TestEveryScheme:
    @pytest.mark.parametrize(("curve", "options"), SCHEMES.items())
    def test_with_scores(self, soft, classifier, curve, options, capsys):
        document, decisions = encoded(soft, "--curve", curve, *options)
        assert (document["schema"], document["curve"]) == ("jaxrd.encode/1", curve)
        assert (document["loss"], document["actions"], document["classes"]) == ("zero-one", CLASSES, CLASSES)
        assert document["distortion"] == pytest.approx((decisions != classifier[1]).mean())
        assert document["measured_accuracy"] == pytest.approx((decisions == classifier[1]).mean())
        assert document["payload_bits_per_sample"] < document["bound_bits_per_sample"]
        assert document["ratio_to_mutual_information"] == pytest.approx(
            document["payload_bits_per_sample"] / document["mutual_information_bits"]
        )
        coded = curve in CODED
        assert document["code"] == ("entropy coding" if coded else "channel simulation")
        for key in NULL_WHERE_CODED[1:]:
            assert (document[key] is None) == coded, key
        assert (document["slope"] is None) == (coded or curve == "S&C")
        printed = capsys.readouterr().out
        assert f"decisions {'as they are' if curve == 'decisions' else 'by ' + curve}" in printed
        assert ("entropy " in printed.splitlines()[2]) == coded

    @pytest.mark.parametrize("curve", ["iE&C", "E&C", "decisions", "merge"])
    def test_with_hard_decisions_alone(self, soft, hard, curve):
        documents, decisions = zip(
            *(encoded(file, "--curve", curve, *SCHEMES[curve]) for file in (soft, hard)), strict=True
        )
        np.testing.assert_array_equal(*decisions)
        assert [d["temperature"] for d in documents] == [1, None]
        assert documents[0]["payload_bytes"] == documents[1]["payload_bytes"]

    def test_decisions_cost_their_entropy(self, hard, classifier):
        document, decisions = encoded(hard, "--curve", "decisions")
        np.testing.assert_array_equal(decisions, classifier[0].argmax(1))
        p = np.bincount(decisions) / SAMPLES
        entropy = -(p[p > 0] @ np.log2(p[p > 0]))
        assert document["mutual_information_bits"] == pytest.approx(entropy)
        assert document["reproduction_entropy_bits"] == pytest.approx(entropy)
        assert entropy - 32 / SAMPLES < document["payload_bits_per_sample"] < entropy + 64 / SAMPLES
        assert document["distortion_expected"] == document["distortion"]
        assert document["status"] == "ACHIEVABLE"

    @pytest.mark.parametrize(("curve", "options"), SCHEMES.items())
    def test_bits_are_no_fewer_than_the_limit(self, soft, classifier, curve, options):
        """At the distortion of its channel; what is drawn and its bits differ from the mean by sampling."""
        v, labels = classifier
        document, _ = encoded(soft, "--curve", curve, *options)
        expected = document["distortion_expected"]
        row = limits(np.log(np.maximum(v, 1e-300)), labels, at=[expected], temperature=1.0).at[0]
        same = "S&C" if curve == "S&C" else "iE&C" if curve == "decisions" else curve
        assert document["mutual_information_bits"] >= row[same] / NATS_PER_BIT - 1e-6
        assert document["mutual_information_bits"] >= row["oRD"] / NATS_PER_BIT
        assert document["payload_bits_per_sample"] >= row["oRD"] / NATS_PER_BIT
        spread = np.sqrt(expected * (1 - expected) / SAMPLES)
        assert abs(document["distortion"] - expected) < 4 * spread

    @pytest.mark.parametrize(("curve", "options"), SIMULATED.items())
    def test_block_and_seed(self, soft, curve, options):
        found = {}
        for block, seed in ((1, 0), (2, 0), (1, 7)):
            document, found[block, seed] = encoded(
                soft, "--curve", curve, *options, "--block", block, "--seed", seed, "--temperature", 1
            )
            assert (document["block"], document["seed"]) == (block, seed)
            header, _ = unpack((soft.parent / "o" / "X.jrd").read_bytes())
            assert (header.block, header.seed) == (block, seed)
        assert (found[1, 0] != found[1, 7]).any()


class TestPoints:
    @pytest.mark.parametrize("curve", ["TMRD", "iE&C", "E&C", "merge"])
    def test_an_accuracy_or_a_distortion(self, soft, classifier, curve):
        v, labels = classifier
        row = limits(np.log(np.maximum(v, 1e-300)), labels, at=[0.4], temperature=1.0).at[0]
        by_accuracy, by_distortion = (
            encoded(soft, "--curve", curve, *asked)[0] for asked in (("--accuracy", 0.6), ("--distortion", 0.4))
        )
        assert by_accuracy["mutual_information_bits"] == pytest.approx(row[curve] / NATS_PER_BIT, abs=1e-6)
        assert by_accuracy["mutual_information_bits"] == by_distortion["mutual_information_bits"]
        assert (by_accuracy["accuracy"], by_distortion["accuracy"]) == (0.6, None)
        assert by_accuracy["asked_distortion"] == by_distortion["asked_distortion"] == 0.4
        if curve != "merge":
            assert by_distortion["distortion_expected"] == pytest.approx(0.4, abs=1e-5)

    def test_an_estimate_distortion(self, hard, classifier):
        for apart in (0.1, 0.3):
            point = estimate_and_compress(joint_of(classifier), apart)
            document, _ = encoded(hard, "--curve", "E&C", "--estimate-distortion", apart)
            assert document["estimate_distortion"] == pytest.approx(apart, abs=1e-6)
            assert document["mutual_information_bits"] == pytest.approx(float(point.rate) / NATS_PER_BIT, abs=1e-6)

    def test_a_slope_of_each_curve(self, soft):
        for curve in ("TMRD", "iE&C", "E&C"):
            slow, fast = (encoded(soft, "--curve", curve, "--slope", slope)[0] for slope in (2, 5))
            assert (slow["slope"], fast["slope"]) == (2, 5)
            assert slow["mutual_information_bits"] < fast["mutual_information_bits"]

    def test_merged(self, hard, classifier):
        baseline = merge_baseline(joint_of(classifier))
        for k in (0, 2, 3):
            document, decisions = encoded(hard, "--curve", "merge", "--merged", k)
            assert document["merged_classes"] == k
            assert len(np.unique(decisions)) == CLASSES - k
            assert document["mutual_information_bits"] == pytest.approx(float(baseline.rate[k]) / NATS_PER_BIT)
            assert document["distortion"] == pytest.approx(float(baseline.distortion[k]))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--curve", "iE&C"], "iE&C needs a point: --slope, --accuracy or --distortion"),
            (["--curve", "E&C"], "E&C needs a point: --slope, --estimate-distortion, --accuracy or --distortion"),
            (["--curve", "merge"], "merge needs a point: --merged, --accuracy or --distortion"),
            (["--curve", "decisions", "--accuracy", "0.7"], "decisions has no --accuracy"),
            (["--curve", "S&C", "--distortion", "0.3"], "S&C has no --distortion; use --temperature"),
            (["--curve", "merge", "--slope", "2"], "merge has no --slope; take --merged, --accuracy or --distortion"),
            (["--merged", "2"], "TMRD has no --merged; take --slope, --accuracy or --distortion"),
            (["--slope", "1", "--estimate-distortion", "0.1"], "TMRD has no --estimate-distortion"),
            (
                ["--accuracy", "0.7", "--distortion", "0.3"],
                "pass --accuracy or --distortion, not both; got 0.7 and 0.3",
            ),
            (["--distortion", "-1"], "--distortion must be a number >= 0; got -1"),
            (
                ["--curve", "E&C", "--estimate-distortion", "nan"],
                "--estimate-distortion must be a number >= 0; got nan",
            ),
            (["--curve", "merge", "--merged", "5"], "--merged must lie in 0..4, all but one of the actions; got 5"),
            (["--curve", "merge", "--merged", "-1"], "--merged must lie in 0..4"),
            (["--curve", "merge", "--merged", "1", "--block", "2"], "--block is for simulated channels"),
            (["--curve", "decisions", "--seed", "2"], "--seed is for simulated channels; decisions is entropy-coded"),
            (["--curve", "decisions", "--most-candidates", "9"], "--most-candidates is for simulated channels"),
            (["--curve", "iE&C", "--accuracy", "0.999"], "iE&C does not reach distortion 0.001 (accuracy 0.999)"),
            (["--curve", "iE&C", "--accuracy", "0.1"], "needs no bits: always the same action has"),
            (["--curve", "iE&C", "--slope", "4", "--most-candidates", "5"], "candidates, more than 5"),
        ],
    )
    def test_refusals(self, soft, options, message, capsys):
        assert message in refused(capsys, soft, *options)

    def test_hard_decisions_have_no_posterior(self, hard, capsys):
        for curve, options in (("TMRD", ["--slope", 1]), ("S&C", [])):
            message = refused(capsys, hard, "--curve", curve, *options)
            assert f"hard decisions only; {curve} needs scores. Take iE&C, E&C, decisions, merge." in message
        message = refused(capsys, hard, "--curve", "decisions", "--temperature", 2)
        assert "--temperature 2 has no effect" in message


def test_weights_are_not_used(classifier, tmp_path, soft, capsys):
    v, labels = classifier
    np.savez(tmp_path / "weighted.npz", probabilities=v, labels=labels, weights=1 + np.arange(SAMPLES))
    weighted, plain = (encoded(file, "--accuracy", 0.6) for file in (tmp_path / "weighted.npz", soft))
    np.testing.assert_array_equal(weighted[1], plain[1])
    assert "note: the weights are not used: a stream holds every sample once" in capsys.readouterr().out
    assert weighted[0]["distortion"] == plain[0]["distortion"]


class TestLoss:
    @pytest.mark.parametrize("curve", ["TMRD", "S&C", "iE&C", "decisions", "merge"])
    def test_actions_are_sent(self, soft, classifier, curve, capsys):
        v, labels = classifier
        loss = abstain(0.2, CLASSES)
        document, actions = encoded(soft, "--curve", curve, *SCHEMES[curve], "--loss", "abstain:0.2")
        assert (document["loss"], document["actions"], document["classes"]) == ("abstain:0.2", CLASSES + 1, CLASSES)
        assert document["distortion"] == pytest.approx(loss.values[labels, actions].mean())
        assert document["measured_accuracy"] is None
        printed = capsys.readouterr().out
        assert "mean loss (abstain:0.2) 0." in printed
        assert "accuracy" not in printed
        if curve == "decisions":
            np.testing.assert_array_equal(actions, loss.decide(v))
            assert (actions == CLASSES).any()

    def test_coarse_labels_have_an_accuracy(self, soft, hard, classifier, tmp_path):
        (tmp_path / "coarse.csv").write_text("a\na\nb\nb\nc\n")
        loss, (v, labels) = superclass(list("aabbc")), classifier
        for file, expected in ((soft, loss.decide(v)), (hard, loss.of_label[v.argmax(1)])):
            words = f"superclass:{tmp_path / 'coarse.csv'}"
            document, actions = encoded(file, "--curve", "decisions", "--loss", words)
            np.testing.assert_array_equal(actions, expected)
            assert document["actions"] == 3
            assert document["measured_accuracy"] == pytest.approx(1 - loss.values[labels, expected].mean())
        document, _ = encoded(soft, "--accuracy", 0.8, "--loss", words)
        assert document["distortion_expected"] == pytest.approx(0.2, abs=1e-6)

    def test_a_distortion_of_a_loss_that_is_no_error(self, soft, capsys):
        for curve in ("TMRD", "iE&C"):
            document, _ = encoded(soft, "--curve", curve, "--distortion", 0.15, "--loss", "abstain:0.2")
            assert document["distortion_expected"] == pytest.approx(0.15, abs=1e-6)
        message = refused(capsys, soft, "--accuracy", 0.8, "--loss", "abstain:0.2")
        assert "--accuracy is for losses of 0 and 1; abstain:0.2 has others. Take --distortion." in message

    def test_the_temperature_moves_the_actions(self, soft):
        counts = []
        for temperature in (0.5, 4):
            options = "--loss", "abstain:0.2", "--temperature", temperature
            document, actions = encoded(soft, "--curve", "decisions", *options)
            assert document["temperature"] == temperature
            counts.append((actions == CLASSES).sum())
        assert counts[0] < counts[1]

    def test_zero_one_by_name_is_the_default(self, soft):
        named, default = encoded(soft, "--slope", 2, "--loss", "zero-one"), encoded(soft, "--slope", 2)
        np.testing.assert_array_equal(named[1], default[1])
        assert named[0]["loss"] == zero_one(CLASSES).name

    def test_refusals(self, soft, capsys):
        assert "no loss 'nothing'" in refused(capsys, soft, "--slope", 1, "--loss", "nothing")
        message = refused(capsys, soft, "--curve", "E&C", "--slope", 1, "--loss", "abstain:0.2")
        assert "E&C needs a loss between actions; abstain:0.2 has 6 actions for 5 labels. Take iE&C." in message


@pytest.mark.parametrize(
    ("options", "bits", "accuracy"),
    [
        (["--curve", "decisions"], 3.32, 0.807),
        (["--curve", "merge", "--accuracy", "0.51"], 2.18, 0.514),
        (["--curve", "E&C", "--accuracy", "0.51", "--block", "4"], 1.92, 0.5065),
        (["--curve", "iE&C", "--accuracy", "0.51", "--block", "4"], 1.91, 0.5067),
        (["--slope", "4", "--temperature", "2.16", "--block", "4"], 1.87, 0.510),
    ],
)
def test_the_figures_of_the_docs(tmp_path, options, bits, accuracy):
    """docs/limits.md, for the embedded example."""
    assert run(["encode", *options, "--out", str(tmp_path / "x.jrd")]) == 0
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["payload_bits_per_sample"] == pytest.approx(bits, abs=0.005)
    assert found["measured_accuracy"] == pytest.approx(accuracy, abs=0.001)


def test_a_stream_is_told_apart_by_its_first_bytes(soft):
    for curve, magic in (("iE&C", b"JRD1"), ("decisions", b"JRD2")):
        encoded(soft, "--curve", curve, *SCHEMES[curve])
        stream = (soft.parent / "o" / "X.jrd").read_bytes()
        assert stream[:4] == magic
        assert len(decode(stream)) == SAMPLES
