"""What is installed and released: pinned dependencies, one version and address everywhere, the wheel."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import jaxrd

ROOT = Path(__file__).parent.parent


def test_every_dependency_is_pinned():
    if not (ROOT / ".ci" / "constraints.txt").exists():
        pytest.skip("no .ci/constraints.txt here: this is no checkout")
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pinned = dict(re.fullmatch(r"(\S+)==(\S+)", line).groups() for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): Version(version) for name, version in pinned.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in ("neural", "io", "testing", "dev"):  # what CI installs
        asked += project["optional-dependencies"][extra]
    for requirement in map(Requirement, asked):
        if requirement.name != "jaxrd":
            assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_one_version_and_one_address_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    recipe = ROOT / "conda" / "recipe.yaml"
    if not recipe.exists():
        pytest.skip("no conda/recipe.yaml here: this is no checkout")
    citation, address = (ROOT / "CITATION.cff").read_text(), project["urls"]["Homepage"]
    assert project["version"] == jaxrd.__version__
    assert f"\n  version: {project['version']}\n" in recipe.read_text()
    assert f"\nversion: {project['version']}\n" in citation
    assert f"\nrepository-code: {address}\n" in citation
    assert recipe.read_text().count(f" {address}\n") == 2
    assert all(url.startswith(address) for url in project["urls"].values())


def test_the_recipe_asks_for_what_the_package_asks_for():
    recipe = ROOT / "conda" / "recipe.yaml"
    if not recipe.exists():
        pytest.skip("no conda/recipe.yaml here: this is no checkout")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run = recipe.read_text().split("\n  run:\n")[1].split("\n\n")[0]
    asked = {line.strip("- ") for line in run.splitlines()}
    names = {"flatbuffers": "python-flatbuffers", "matplotlib": "matplotlib-base"}  # on conda-forge
    needed = {f"{names.get(r.name, r.name)} {r.specifier}" for r in map(Requirement, project["dependencies"])}
    assert asked == needed | {"python >=${{ python_min }}"}
    assert f'python_min: "{project["requires-python"].removeprefix(">=")}"' in recipe.read_text()


def test_images_of_the_readme_are_found_from_anywhere():
    """The page of a package index knows no folders of ours."""
    if not (ROOT / "CITATION.cff").exists():
        pytest.skip("no CITATION.cff here: this is no checkout")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    raw = project["urls"]["Homepage"].replace("https://github.com", "https://raw.githubusercontent.com") + "/main/"
    images = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert images
    for image in images:
        assert image.startswith(raw)
        assert (ROOT / image.removeprefix(raw)).exists()


def test_what_else_is_in_the_wheel():
    held = {path.name for path in resources.files("jaxrd").iterdir()}
    assert {"py.typed", "schemas", "data"} <= held
    assert (resources.files("jaxrd") / "schemas" / "common.json").is_file()


def test_importing_jaxrd_loads_neither_jax_nor_numpy():
    """So it takes no part of the time of `import jax`; what needs JAX loads it."""
    script = "import sys, jaxrd; assert not {'jax', 'numpy', 'typing', 'hypothesis'} & set(sys.modules) - before"
    started = f"import sys; before = set(sys.modules); {script}"
    done = subprocess.run([sys.executable, "-c", started], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_wheel_works_outside_the_repository(tmp_path):
    """`.ci/wheel`: sdist and wheel built and checked, the wheel installed into an empty environment and used there."""
    if not (ROOT / ".ci" / "wheel").exists():
        pytest.skip("no .ci/wheel here: this is no checkout")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    done = subprocess.run(
        [ROOT / ".ci" / "wheel", tmp_path], env={**kept, "PYTHON": sys.executable}, capture_output=True, text=True
    )
    if "No matching distribution" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "they install and run" in done.stdout
