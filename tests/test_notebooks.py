"""Notebooks run at small size without data, and what is committed belongs to their sources."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
jupytext = pytest.importorskip("jupytext", reason="jupytext is in the dev and notebooks extras")
nbformat = pytest.importorskip("nbformat", reason="nbformat is in the dev extra")

each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def committed(source: Path):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def test_there_are_notebooks_and_none_without_a_source():
    assert SOURCES
    assert sorted((ROOT / "notebooks").glob("*.ipynb")) == [path.with_suffix(".ipynb") for path in SOURCES]


@pytest.mark.slow
@each
def test_runs_small_without_data(source, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "JAXRD_DATA"}
    environment |= {"JAXRD_NOTEBOOK_SMALL": "1", "JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg"}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # nearly all of a small run is compiling
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    run = subprocess.run([sys.executable, source], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "FALLBACK" in run.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_limits_runs_small_with_more_classes_than_intervals_are_given_for(data, tmp_path):
    environment = os.environ | {"JAXRD_NOTEBOOK_SMALL": "1", "JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    source = ROOT / "notebooks" / "limits.py"
    run = subprocess.run([sys.executable, source], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "no interval: 100 classes" in run.stdout


@each
def test_the_committed_cells_are_the_source(source):
    def cells(notebook):
        return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]

    hint = f"write it anew: jupytext --to ipynb --update notebooks/{source.name}, then execute it (notebooks/README.md)"
    assert cells(committed(source)) == cells(jupytext.read(source)), hint


@each
def test_the_committed_outputs_are_those_of_a_full_run(source):
    notebook = committed(source)
    nbformat.validate(notebook)
    assert source.with_suffix(".ipynb").stat().st_size < 400_000
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    text = "".join(output.get("text", "") for output in outputs)
    assert "FALLBACK" not in text
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert not re.search(r"(?<![\w.])/(home|root|tmp|work|usr|Users)/|0x[0-9a-f]{6,}", str(outputs))
