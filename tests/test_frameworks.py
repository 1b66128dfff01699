"""The recipes of docs/frameworks.md, run where the framework is installed."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parent.parent / "docs" / "frameworks.md"


def recipe(heading):
    if not PAGE.exists():
        pytest.skip("no docs here: this is no checkout")
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


@pytest.mark.parametrize("heading", ["scikit-learn", "timm", "Hugging Face", "JAX"])
def test_each_recipe_is_python(heading):
    compile(recipe(heading), heading, "exec")


def test_scikit_learn(capsys):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    names = {}
    exec(recipe("scikit-learn"), names)
    rates = names["found"].at[0]
    assert 0 < rates["oRD"] < rates["TMRD"] < np.log(10)
    assert "TMRD" in capsys.readouterr().out
    frame = pytest.importorskip("pandas", reason="pandas is not installed").DataFrame
    model, x, y = names["model"], names["x_test"], names["y_test"]
    same = names["jaxrd"].tosc.from_scores(frame(model.predict_proba(x), columns=model.classes_), y)
    np.testing.assert_allclose(same.logits, names["outputs"].logits, rtol=1e-12)  # rows summed in another order
