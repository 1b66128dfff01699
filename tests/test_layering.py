"""Imports point one way."""

import ast
import importlib
import tomllib
from pathlib import Path
from types import ModuleType

import jaxrd

ROOT = Path(jaxrd.__file__).parent

# What each room may import of ours, besides itself. A room imports only rooms listed above it, so that no arrow points
# upwards; the longest prefix of a module's name is its room.
ALLOWED = {
    "_host": set(),
    "_kept": set(),
    "_room": set(),
    "_version": set(),
    "_threads": set(),
    "errors": set(),
    "information": set(),
    "rdc.master": set(),
    "rdc.quantiser": set(),
    "_eager": {"errors"},
    "schemas": {"errors"},
    "_exported": {"_kept", "_version"},
    "_files": {"errors"},
    "figures.rows": {"information"},
    "tosc.scores": {"errors"},
    "_processes": {"_threads", "errors"},
    "tosc.rows": {"_processes", "tosc.scores"},
    "_readable": {"_eager"},
    "closed_form": {"_eager", "errors", "information"},
    "_envelope": set(),
    "datasets": {"_files", "errors"},
    "coding": {"_eager", "_files", "_readable", "errors", "information"},
    "curve": {"_eager", "_host", "_readable", "errors"},
    "figures.classifiers": {"datasets", "errors"},
    "pytree": {"_readable"},
    "tosc.estimate": {"_eager", "_readable"},
    "tosc.losses": {"_readable", "errors"},
    "tosc.regression.laws": {"errors"},
    "tosc.weights": {"errors", "tosc.scores"},
    "tosc.labels": {"errors", "tosc.scores"},
    "tosc.frames": {"errors", "tosc.rows", "tosc.scores"},
    "tosc.outputs": {
        "_eager", "_readable", "errors", "tosc.frames", "tosc.labels", "tosc.rows", "tosc.scores", "tosc.weights",
    },
    "distortion": {"_eager", "_processes", "errors", "pytree"},
    "figures.comparison": {"curve"},
    "figures.entropy_coding": {"coding"},
    "neural": {"_eager", "_files", "coding", "datasets", "errors", "pytree"},
    "solution": {"curve", "errors", "pytree"},
    "tosc.joint": {"_eager", "errors", "pytree"},
    "tosc.model": {"errors", "tosc.outputs", "tosc.rows", "tosc.scores"},
    "tosc.split": {"_eager", "tosc.outputs", "tosc.rows"},
    "kernels": {"_threads", "distortion", "pytree"},
    "plots": {"curve", "information", "solution"},
    "problem": {"_eager", "distortion", "errors", "pytree"},
    "rdc.point": {"pytree", "solution"},
    "tosc._checked": {"_eager", "errors", "tosc.joint"},
    "tosc.posterior": {"_processes", "distortion", "problem", "tosc.losses", "tosc.rows"},
    "_bracket": {"distortion", "problem", "solution"},
    "_next_slope": {"_bracket"},
    "_optimum": {"problem"},
    "_points": {"_eager", "_exported", "distortion", "problem", "solution"},
    "channel": {"errors", "information", "kernels", "problem", "solution"},
    "critical": {"_eager", "_host", "distortion", "information", "problem"},
    "ends": {"information", "problem"},
    "io": {
        "_files", "curve", "datasets", "errors", "information", "problem", "solution", "tosc.losses", "tosc.outputs",
        "tosc.regression.laws", "tosc.rows", "tosc.scores",
    },
    "rdc.gaussian": {"_eager", "_envelope", "closed_form", "errors", "pytree", "rdc.point", "solution"},
    "_callback": {"_envelope", "errors"},
    "rdc.inputs": {"_eager", "_room", "errors", "problem"},
    "rdc._traced": {"_callback", "errors", "problem", "rdc.inputs", "rdc.point", "solution"},
    "tosc.calibration": {"_host", "_processes", "_readable", "errors", "tosc._checked", "tosc.rows"},
    "tosc.resampling": {"kernels", "tosc.joint"},
    "figures.reproduction": {"io", "plots", "solution"},
    "implicit": {"_optimum", "problem", "solution"},
    "rdc.alternating": {"rdc.inputs", "rdc.point"},
    "tosc.identifiability": {
        "_readable", "closed_form", "errors", "information", "tosc._checked", "tosc.calibration",
        "tosc.estimate", "tosc.outputs", "tosc.split",
    },
    "tosc.preparation": {
        "errors", "tosc.calibration", "tosc.losses", "tosc.outputs", "tosc.posterior", "tosc.rows", "tosc.split",
    },
    "figures": {"figures.reproduction"},
    "figures.rdc_fig4": {"figures.reproduction", "information", "plots", "rdc.gaussian", "solution"},
    "figures.rdc_fig6": {"_files", "_version", "datasets", "figures.reproduction", "neural", "rdc.quantiser"},
    "figures.rdc_rates": {
        "_files", "_version", "closed_form", "datasets", "errors", "figures.reproduction", "information", "neural",
    },
    "rdc.lifted": {
        "_eager", "_threads", "errors", "problem", "rdc._traced", "rdc.alternating", "rdc.inputs", "rdc.master",
        "rdc.point", "solution",
    },
    "solvers": {
        "_eager", "_points", "_room", "distortion", "errors", "implicit", "information", "kernels", "problem",
        "solution",
    },
    "_sweep": {"_eager", "_points", "_room", "_threads", "distortion", "errors", "problem", "solution", "solvers"},
    "_resume": {"_files", "_points", "_sweep", "_version", "errors", "io", "problem", "solution"},
    "rdc.fixed": {
        "_eager", "_threads", "errors", "problem", "rdc._traced", "rdc.inputs", "rdc.lifted", "rdc.master", "rdc.point",
        "solution",
    },
    "rdc.perception": {
        "_callback", "_eager", "_envelope", "_room", "_threads", "closed_form", "errors", "information", "problem",
        "pytree", "rdc._traced", "rdc.inputs", "rdc.lifted", "rdc.point", "solution",
    },
    "rdc.inverse": {
        "_eager", "_sweep", "errors", "problem", "rdc._traced", "rdc.fixed", "rdc.inputs", "rdc.lifted", "rdc.point",
        "solution",
    },
    "rdc.literal": {
        "_threads", "problem", "rdc.alternating", "rdc.fixed", "rdc.inputs", "rdc.lifted", "rdc.point",
        "solution",
    },
    "target": {
        "_bracket", "_eager", "_next_slope", "_points", "_sweep", "distortion", "errors", "implicit", "problem",
        "solution", "solvers",
    },
    "blocklength": {"_eager", "_optimum", "_readable", "errors", "problem", "solution", "target"},
    "side_information": {
        "_bracket", "_eager", "_envelope", "_exported", "_next_slope", "_points", "_room", "_sweep", "errors",
        "information", "problem", "pytree", "solution", "solvers",
    },
    "rdc._surface": {
        "_threads",
        "_readable", "_sweep", "errors", "problem", "rdc.inputs", "rdc.inverse", "rdc.lifted", "rdc.point", "solution",
    },
    "rdc.representation": {
        "_eager", "_readable", "_sweep", "errors", "problem", "pytree", "rdc.gaussian", "rdc.inputs", "rdc.inverse",
        "rdc.lifted", "rdc.perception", "rdc.point", "solution",
    },
    "tosc.curves": {
        "_eager", "_exported", "_readable", "_sweep", "_threads", "channel", "closed_form", "critical", "curve",
        "distortion", "errors", "information", "kernels", "problem", "solution", "solvers", "target", "tosc._checked",
        "tosc.joint", "tosc.losses", "tosc.posterior", "tosc.resampling",
    },
    "tosc.schemes": {
        "channel", "errors", "problem", "solution", "solvers", "target", "tosc.curves", "tosc.losses",
    },
    "figures.rdc_fig3": {
        "curve", "datasets", "figures.reproduction", "information", "problem", "rdc.fixed", "rdc.inputs",
        "rdc.inverse", "rdc.lifted", "rdc.literal", "rdc.point", "rdc.representation", "solution",
    },
    "figures.rdc_thm5": {
        "figures.reproduction", "information", "problem", "rdc.gaussian", "rdc.inverse", "rdc.point",
        "rdc.representation", "solution",
    },
    "rdc": {
        "rdc._surface", "rdc.fixed", "rdc.gaussian", "rdc.inverse", "rdc.lifted", "rdc.literal",
        "rdc.perception", "rdc.point", "rdc.representation",
    },
    "tosc.doubts": {"curve", "tosc.curves", "tosc.losses", "tosc.outputs"},
    "tosc.arguments": {"_eager", "errors", "tosc.losses", "tosc.outputs"},
    "tosc.tasks": {
        "_eager", "_readable", "_room", "errors", "problem", "solution", "target", "tosc.calibration", "tosc.losses",
        "tosc.outputs", "tosc.posterior", "tosc.split", "tosc.weights",
    },
    "tosc._limits": {
        "_eager", "_readable", "_room", "curve", "errors", "solution", "tosc.arguments", "tosc.calibration",
        "tosc.curves", "tosc.doubts", "tosc.losses", "tosc.outputs", "tosc.posterior", "tosc.preparation",
        "tosc.rows",
    },
    "tosc.class_shares": {"_readable", "errors", "tosc._limits", "tosc.curves", "tosc.outputs", "tosc.posterior"},
    "tosc.inverse": {"errors", "tosc._checked", "tosc._limits", "tosc.curves"},
    "tosc.mixture": {"errors", "information", "tosc.curves"},
    "tosc.confidence": {
        "_eager", "_readable", "_sweep", "closed_form", "curve", "errors", "information", "problem", "solution",
        "solvers", "target", "tosc._limits", "tosc.calibration", "tosc.curves", "tosc.estimate", "tosc.joint",
        "tosc.losses", "tosc.resampling",
    },
    "tosc.regression": {
        "_eager", "_readable", "_room", "_threads", "curve", "errors", "problem", "solution", "solvers",
        "tosc.curves", "tosc.outputs", "tosc.regression.laws",
    },
    "tosc.log_loss": {
        "_eager", "_readable", "_threads", "curve", "errors", "information", "solution", "tosc._limits",
        "tosc.outputs", "tosc.regression",
    },
    "tosc.known": {
        "_readable", "curve", "errors", "side_information", "solution", "tosc._limits", "tosc.curves", "tosc.outputs",
        "tosc.posterior", "tosc.rows", "tosc.split",
    },
    "tosc.leads": {"curve", "tosc._limits", "tosc.curves", "tosc.outputs"},
    "tosc.comparison": {
        "_eager", "_readable", "errors", "tosc._limits", "tosc.arguments", "tosc.confidence", "tosc.curves",
        "tosc.estimate", "tosc.leads", "tosc.outputs", "tosc.rows", "tosc.split",
    },
    "tosc": {
        "tosc._limits", "tosc.calibration", "tosc.class_shares", "tosc.comparison", "tosc.confidence", "tosc.curves",
        "tosc.identifiability", "tosc.inverse", "tosc.joint", "tosc.log_loss", "tosc.mixture", "tosc.outputs",
        "tosc.regression", "tosc.tasks",
    },
    "report": {"errors", "plots", "solution", "tosc"},
    "testing": {"errors", "problem", "solvers", "target"},
    "__init__": {
        "_kept", "_sweep", "_version", "blocklength", "channel", "closed_form", "coding", "critical", "curve",
        "datasets", "ends", "errors", "figures", "information", "io", "neural", "plots", "problem", "rdc", "schemas",
        "side_information", "solution", "solvers", "target", "testing", "tosc", "tosc.model",
    },
    "documents": {
        "_files", "blocklength", "coding", "curve", "errors", "information", "io", "neural", "rdc", "rdc.gaussian",
        "solution", "tosc", "tosc.class_shares", "tosc.confidence", "tosc.curves", "tosc.inverse", "tosc.known",
        "tosc.leads", "tosc.losses", "tosc.posterior", "tosc.schemes",
    },
    "figures.identifiability": {
        "datasets", "figures.reproduction", "information", "neural", "plots", "tosc", "tosc.identifiability",
    },
    "figures.panel": {"curve", "figures.comparison", "tosc", "tosc.calibration", "tosc.curves", "tosc.posterior"},
    "figures.tosc_complexity": {"closed_form", "figures.reproduction", "information", "plots", "tosc", "tosc.curves"},
    "figures.tosc_fig1": {
        "_sweep", "channel", "closed_form", "curve", "errors", "figures.reproduction", "figures.rows",
        "information", "io", "plots", "problem", "solution", "solvers", "tosc", "tosc.curves", "tosc.mixture",
    },
    "figures.tosc_fig2": {
        "_sweep", "channel", "critical", "curve", "distortion", "figures.reproduction", "figures.rows",
        "information", "io", "plots", "problem", "solution", "target", "tosc", "tosc.curves",
    },
    "figures.tosc_fig3": {
        "closed_form", "curve", "figures.classifiers", "figures.comparison", "figures.panel",
        "figures.reproduction", "information", "io", "plots", "tosc", "tosc.confidence",
    },
    "figures.tosc_fig4": {
        "datasets", "figures.comparison", "figures.entropy_coding", "figures.panel", "figures.reproduction",
        "information", "io", "plots", "tosc", "tosc.curves",
    },
    "figures.tosc_transmitter": {
        "datasets", "figures.identifiability", "figures.reproduction", "information", "neural", "plots", "tosc",
    },
    "cli": {
        "_files", "_kept", "_resume", "_sweep", "_version", "blocklength", "channel", "coding", "critical", "curve",
        "datasets", "documents", "ends", "errors",
        "figures.classifiers", "figures.identifiability", "figures.rdc_fig3", "figures.rdc_fig4",
        "figures.rdc_fig6", "figures.rdc_rates",
        "figures.rdc_thm5", "figures.reproduction", "figures.tosc_complexity", "figures.tosc_fig1",
        "figures.tosc_fig2", "figures.tosc_fig3", "figures.tosc_fig4", "figures.tosc_transmitter", "information", "io",
        "neural", "plots", "problem", "rdc", "rdc.gaussian", "rdc.inputs", "rdc.perception", "rdc.point",
        "rdc.representation", "report", "solution", "solvers", "target", "tosc", "tosc.class_shares", "tosc.comparison",
        "tosc.confidence", "tosc.curves", "tosc.known", "tosc.leads", "tosc.losses", "tosc.posterior", "tosc.schemes",
        "tosc.tasks",
    },
    "__main__": {"cli"},
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
            names = {a.name for a in node.names if a.name.split(".")[0] == "jaxrd"}
            found |= {"__init__" if name == "jaxrd" else name.removeprefix("jaxrd.") for name in names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxrd":
            base = node.module.removeprefix("jaxrd").lstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".lstrip(".")
                is_module = (ROOT / Path(*name.split("."))).with_suffix(".py").exists() or (
                    ROOT / Path(*name.split("."))
                ).is_dir()
                found.add(name if is_module else base or jaxrd._HOMES.get(alias.name, "__init__"))
    return found


def test_imports_point_one_way():
    for path in ROOT.rglob("*.py"):
        module = module_of(path)
        room = room_of(module)
        for imported in imports(path):
            target = room_of(imported)
            assert target == room or target in ALLOWED[room], f"{module} imports {imported}"


def test_rooms_import_only_what_is_listed_above_them():
    above = set()
    for room, allowed in ALLOWED.items():
        assert allowed <= above, f"{room} would import {allowed - above}"
        above.add(room)


def test_kernels_alone_know_how_a_distortion_is_stored():
    """No file outside kernels/ and distortion/ reads `.matrix` or names a class of storage to ask for it."""
    storages = {"PointCloud", "SparseDiscount", "DenseKernel", "CloudKernel", "SparseKernel"}
    for path in ROOT.rglob("*.py"):
        if room_of(module_of(path)) in {"kernels", "distortion"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr == "matrix"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
                assert not asked & storages, f"{path}:{node.lineno}"


def test_no_private_part_of_jax_is_used():
    for path in ROOT.rglob("*.py"):
        assert not any(name in path.read_text() for name in ("jax.core", "jax._src", "jax.interpreters")), path


def test_every_room_exists():
    modules = {module_of(path) for path in ROOT.rglob("*.py")}
    assert set(ALLOWED) <= modules, set(ALLOWED) - modules


def test_files_stay_small():
    long = {str(p): n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long, long


def lines_of(function: ast.FunctionDef) -> int:
    """Lines without the docstring."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    return len(range(function.lineno, function.end_lineno + 1)) - (
        len(range(docstring.lineno, docstring.end_lineno + 1)) if docstring else 0
    )


def test_functions_stay_short_or_say_why():
    """Where a function is longer its docstring gives the reason; where it is not there is none."""
    wrong = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                excused = "Longer than 60 lines:" in (ast.get_docstring(node) or "")
                if excused != (lines_of(node) > 60):
                    wrong.add(f"{module_of(path)}.{node.name}")
    assert not wrong


def test_no_function_hides_its_module():
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
    assert not found
    options = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "importlib" not in options["addopts"]
