"""What is installed: every dependency has a version that CI pins, and it satisfies what the package asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent


def test_every_dependency_is_pinned():
    if not (ROOT / ".ci" / "constraints.txt").exists():
        pytest.skip("no .ci/constraints.txt here: this is no checkout")
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    pinned = dict(re.fullmatch(r"(\S+)==(\S+)", line).groups() for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): Version(version) for name, version in pinned.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in ("neural", "io", "dev"):  # what CI installs
        asked += project["optional-dependencies"][extra]
    for requirement in map(Requirement, asked):
        if requirement.name != "jaxrd":
            assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement
