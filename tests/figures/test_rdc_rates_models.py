"""The models of rdc-rates: rows of every target, three kinds of resumption, on toy images."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxrd.figures.rdc_rates.compute import Job, Sample, models
from jaxrd.figures.rdc_rates.plan import FULL, QUICK, Plan, Target
from jaxrd.neural import Schedule

SHORT = Schedule(epochs=2, batch=32, rate=1e-3)
PLAN = Plan(
    bits=(3,),
    first=Target("mse", (0.0, 0.0)),
    others=(Target("labels", (0.01, 0.01)), Target("realism", (0.0, 0.0), 0.01, 2)),
    frozen="labels",
    begin=SHORT, tune=SHORT, decoder=SHORT, critic=SHORT,
    seeds=(0, 1),
    headline=("mse", "labels"),
    hidden=(16,),
)  # fmt: skip


def sample(seed, count=96):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 2))
    mix = np.random.default_rng(9).normal(size=(2, 25))
    images = np.round(255 / (1 + np.exp(-2 * hidden @ mix))).astype(np.uint8).reshape(-1, 5, 5)
    return Sample(images, tuple((hidden[:, k] > 0).astype(np.int32) for k in range(2)))


def classifier(k):
    return lambda images: images.reshape(len(images), -1)[:, k : k + 2] * jnp.array([-1.0, 1.0])


CLASSIFIERS = [classifier(0), classifier(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def test_rows_and_what_is_kept(folder):
    lines = []
    found = models(PLAN, sample(0), sample(1, 64), CLASSIFIERS, folder, say=lines.append)
    assert [rate["bits"] for rate in found] == [3]
    for rate in found:
        assert [row["target"] for row in rate["conventional"]] == ["mse", "labels", "realism"]
        for kind in ("conventional", "universal"):
            assert [row["seeds"] for row in rate[kind]] == [[0, 1], [0, 1], [0]]
            assert rate[kind][0]["mse_std"] > 0
            assert rate[kind][2]["mse_std"] is None
        assert {row["encoder_target"] for row in rate["universal"]} == {"labels"}
        # One frozen encoder: the same symbols, so the same bits and the same H(S | M) where no decoder gives less.
        assert len({row["coded_bits"] for row in rate["universal"] if len(row["seeds"]) == 2}) == 1
        for row in rate["conventional"] + rate["universal"]:
            assert len(row["ce_nats"]) == len(row["label_entropy_nats"]) == 2
            assert 0 < row["coded_bits"] <= rate["bits"] + 0.5
            if "realism" not in row["target"]:
                assert (np.array(row["label_entropy_nats"]) <= row["ce_nats"]).all()
    assert sum("epoch" in line for line in lines) == 2 * (5 + 5)
    json.dumps(found, allow_nan=False)

    (folder / "rows" / "3 conventional mse 1.json").rename(folder / "kept")
    partly = models(PLAN, sample(0), sample(1, 64), CLASSIFIERS, folder, finished=True)
    assert partly[0]["conventional"][0]["seeds"] == [0]
    assert partly[0]["conventional"][1:] == found[0]["conventional"][1:]
    (folder / "kept").rename(folder / "rows" / "3 conventional mse 1.json")

    later = []
    assert models(PLAN, sample(0), sample(1, 64), CLASSIFIERS, folder, say=later.append) == found
    assert later == []


def test_a_lost_row_is_measured_again_without_training(folder):
    job = Job(PLAN, sample(0), sample(1, 64), CLASSIFIERS, folder, print)
    row = job.row(3, PLAN.others[0], 0, universal=False)
    (folder / "rows" / "3 conventional labels 0.json").unlink()
    lines = []
    again = Job(PLAN, sample(0), sample(1, 64), CLASSIFIERS, folder, lines.append)
    found = again.row(3, PLAN.others[0], 0, universal=False)
    assert [line for line in lines if "epoch" in line] == []
    assert {**found, "seconds": 0} == {**row, "seconds": 0}


def test_plans_have_folders_of_their_own():
    assert len({FULL.digest("x"), QUICK.digest("x"), FULL.digest("y")}) == 3
