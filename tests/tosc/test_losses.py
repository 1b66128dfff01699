"""Losses of a label and an action, and the words that name them."""

import numpy as np
import pytest

from jaxrd.errors import InputError
from jaxrd.io.losses import read_loss
from jaxrd.tosc import losses


class TestValues:
    def test_zero_one(self):
        loss = losses.zero_one(3)
        assert loss.is_zero_one
        assert loss.is_error
        assert loss.span == 1
        np.testing.assert_array_equal(loss.of_label, [0, 1, 2])

    def test_top(self):
        loss = losses.top(2, 4)
        assert (loss.labels, loss.actions) == (4, 6)
        np.testing.assert_array_equal(loss.values.sum(0), 2)  # each set misses two labels
        assert not loss.is_zero_one
        assert loss.is_error
        v = np.array([[0.1, 0.4, 0.2, 0.3]])
        np.testing.assert_allclose(loss.expected(v).min(), 0.3)
        with pytest.raises(InputError, match="75287520"):
            losses.top(5, 100)

    def test_top_1_is_zero_one(self):
        assert losses.top(1, 5).is_zero_one

    def test_abstain(self):
        loss = losses.abstain(0.3, 3)
        assert loss.actions == 4
        assert not loss.is_error
        np.testing.assert_array_equal(loss.decide(np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2]])), [0, 3])
        for cost in (0, 1, -1, np.nan):
            with pytest.raises(InputError, match="abstaining"):
                losses.abstain(cost, 3)

    def test_superclass(self):
        loss = losses.superclass([7, 3, 7, 3])
        np.testing.assert_array_equal(loss.of_label, [1, 0, 1, 0])
        np.testing.assert_array_equal(loss.decide(np.array([[0.3, 0.2, 0.1, 0.4]])), [0])
        with pytest.raises(InputError, match="all are 4"):
            losses.superclass([4, 4])

    def test_hierarchy(self):
        tree = np.array([["animal", "dog"], ["animal", "cat"], ["thing", "car"], ["thing", "bus"]])
        expected = [[0, 1, 2, 2], [1, 0, 2, 2], [2, 2, 0, 1], [2, 2, 1, 0]]
        for columns in (tree, tree[:, ::-1], tree[:, :1]):
            np.testing.assert_array_equal(losses.hierarchy(columns).values, expected)
        with pytest.raises(InputError, match="refine"):
            losses.hierarchy([[0, 0], [0, 1], [1, 0], [1, 1]])

    def test_a_loss_must_be_finite_and_not_negative(self):
        with pytest.raises(InputError, match="label 1, action 0"):
            losses.of_matrix([[0, 1], [-2, 0]])
        with pytest.raises(InputError, match="numbers"):
            losses.of_matrix([["a", "b"], ["c", "d"]])
        with pytest.raises(InputError, match="shape"):
            losses.of_matrix([1.0, 2.0])


class TestWords:
    def test_words(self, tmp_path):
        assert read_loss("zero-one", 4).is_zero_one
        assert read_loss("top2", 4).name == "top2"
        assert read_loss("top-2", 4).name == "top2"
        assert read_loss("abstain:0.25", 4).values[0, 4] == 0.25
        np.save(tmp_path / "m.npy", np.arange(8.0).reshape(4, 2))
        np.testing.assert_array_equal(read_loss(str(tmp_path / "m.npy"), 4).values, np.arange(8).reshape(4, 2))
        (tmp_path / "m.csv").write_text("a,b\n0,1\n2,0\n")
        np.testing.assert_array_equal(read_loss(str(tmp_path / "m.csv"), 2).values, [[0, 1], [2, 0]])

    def test_maps(self, tmp_path):
        np.save(tmp_path / "c.npy", np.array([0, 0, 1]))
        (tmp_path / "words.csv").write_text("animal\nanimal\nthing\n")
        (tmp_path / "pairs.csv").write_text("label,coarse\n0,animal\n1,animal\n2,thing\n")
        for name in ("c.npy", "words.csv", "pairs.csv"):
            loss = read_loss(f"superclass:{tmp_path / name}", 3)
            np.testing.assert_array_equal(loss.of_label, [0, 0, 1])
        loss = read_loss(f"hierarchy:{tmp_path / 'c.npy'}", 3)
        np.testing.assert_array_equal(loss.values, [[0, 1, 2], [1, 0, 2], [2, 2, 0]])

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("top0", "1..2"), ("top3", "1..2"), ("topx", "no loss"), ("abstain:much", "abstain:0.3"),
            ("superclass:", "needs a file"), ("superclass:/nowhere.npy", "does not exist"), ("squirrel", "there are"),
            ("/nowhere.csv", "does not exist"),
        ],
    )  # fmt: skip
    def test_refused(self, words, message):
        with pytest.raises(InputError, match=message):
            read_loss(words, 3)

    def test_another_number_of_labels(self, tmp_path):
        np.save(tmp_path / "c.npy", np.array([0, 0, 1]))
        with pytest.raises(InputError, match="3 rows for 4 labels"):
            read_loss(f"superclass:{tmp_path / 'c.npy'}", 4)

    def test_text_that_is_no_number(self, tmp_path):
        (tmp_path / "m.csv").write_text("0,x\n2,0\n")
        with pytest.raises(InputError, match="numbers"):
            read_loss(str(tmp_path / "m.csv"), 2)
