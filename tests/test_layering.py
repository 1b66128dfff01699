"""Imports point one way."""

import ast
import importlib
import tomllib
from pathlib import Path
from types import ModuleType

import jaxrd

ROOT = Path(jaxrd.__file__).parent

# What each room may import of ours, besides itself; longest prefix wins.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "eager": {"errors"},
    "information": set(),
    "room": set(),
    "threads": set(),
    "readable": {"eager"},
    "pytree": {"readable"},
    "distortion": {"errors", "pytree"},
    "problem": {"distortion", "eager", "errors", "pytree"},
    "kernel": {"pytree"},
    "blocks": {"distortion", "kernel", "pytree"},
    "sparse": {"distortion", "kernel", "pytree"},
    "curve": {"errors", "readable"},
    "solution": {"curve", "errors", "pytree"},
    "optimum": {"problem"},
    "implicit": {"errors", "optimum", "problem", "solution"},
    "solvers": {
        "blocks", "distortion", "eager", "errors", "implicit", "information", "kernel", "problem", "room",
        "solution", "sparse",
    },
    "channel": {"kernel", "errors", "information", "problem", "solution"},
    "ends": {"distortion", "information", "problem"},
    "critical": {"information", "problem", "errors"},
    "sweep": {"distortion", "eager", "errors", "problem", "room", "solution", "solvers", "threads"},
    "target": {"distortion", "errors", "implicit", "problem", "solution", "solvers", "sweep"},
    "closed_form": {"eager", "information", "errors"},
    "tosc.scores": {"errors"},
    "tosc.outputs": {"eager", "errors", "readable", "tosc.scores"},
    "tosc": {
        "channel", "closed_form", "critical", "curve", "distortion", "eager", "errors", "information", "problem",
        "pytree", "readable", "room", "solution", "solvers", "sweep", "target", "threads",
    },
    "simulation": {"eager", "errors", "files", "information", "readable"},
    "rdc": {
        "channel", "closed_form", "critical", "curve", "distortion", "eager", "errors", "information", "problem",
        "pytree", "readable", "room", "solution", "solvers", "sweep", "target", "threads",
    },
    "datasets": {"errors", "files"},
    "neural": {"datasets", "eager", "errors", "files"},
    "io": {"curve", "datasets", "errors", "files", "information", "problem", "solution", "tosc.outputs", "tosc.scores"},
    "plots": {"curve", "errors", "information", "solution"},
    "reproduce": None,  # anything but cli
    "cli": None,  # anything
    "__init__": None,
    "__main__": None,
}  # fmt: skip


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def room_of(module: str) -> str:
    matches = [room for room in ALLOWED if module == room or module.startswith(room + ".")]
    assert matches, f"{module} belongs to no room; add it to ALLOWED"
    return max(matches, key=len)


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, at any depth; public names of the package by where they come from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name.removeprefix("jaxrd.") for a in node.names if a.name.startswith("jaxrd.")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxrd":
            base = node.module.removeprefix("jaxrd").lstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".lstrip(".")
                is_module = (ROOT / Path(*name.split("."))).with_suffix(".py").exists() or (
                    ROOT / Path(*name.split("."))
                ).is_dir()
                found.add(name if is_module else base)
    return found - {""}


def test_imports_point_one_way():
    for path in ROOT.rglob("*.py"):
        module = module_of(path)
        allowed = ALLOWED[room_of(module)]
        if allowed is None:
            continue
        for imported in imports(path):
            target = room_of(imported)
            assert target == room_of(module) or target in allowed or target.split(".")[0] == module.split(".")[0], (
                f"{module} imports {imported}"
            )


def test_files_stay_small():
    long = {str(p): n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long, long


# Functions that hide the module they live in: jaxrd.tosc.limits is one, however the module is imported.
# Whoever sets a module as an attribute of its package anew (pytest's importlib mode did) takes the function away.
HIDING = {
    "jaxrd.sweep", "jaxrd.rdc.surface", "jaxrd.solvers.blahut_arimoto", "jaxrd.solvers.interior_point",
    "jaxrd.solvers.working_set", "jaxrd.tosc.limits", "jaxrd.tosc.mixture.indirect", "jaxrd.tosc.reliability",
    "jaxrd.tosc.statistics",
}  # fmt: skip


def test_no_other_function_hides_its_module():
    """Regression: the doctest of reliability, run first, put the module where the function was."""
    found = set()
    for package in ROOT.rglob("__init__.py"):
        name = ".".join(("jaxrd", *package.parent.relative_to(ROOT).parts))
        if name == "jaxrd.cli":
            continue
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            getattr(module, public)  # jaxrd's own are imported when they are asked for
        held = vars(module)
        names = {path.stem for path in package.parent.iterdir() if path.suffix == ".py"} & set(held)
        found |= {f"{name}.{child}" for child in names if not isinstance(held[child], ModuleType)}
    assert found == HIDING
    options = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "importlib" not in options["addopts"]
