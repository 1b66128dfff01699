"""What the public names promise to whoever types them: laziness, prints, signatures, and one line for a mistake."""

import dataclasses
import doctest
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrd
from jaxrd import Problem, Status, coding, rdc, testing, tosc

COIN = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
SCORES = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.arange(60) % 3


def test_rooms_are_imported_when_they_are_asked_for():
    script = """
import sys
import jaxrd
rooms = {"jaxrd." + room for room in ("tosc", "rdc", "io", "neural", "plots", "coding", "closed_form")}
heavy = {"flax", "optax", "orbax", "matplotlib", "pandas", "torch", *rooms}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert {"tosc", "rdc", "closed_form", "coding", "io", "solve"} <= set(dir(jaxrd))
assert set(dir(jaxrd)) == {*jaxrd._ROOMS, *jaxrd.__all__}
assert jaxrd.closed_form.binary.rate and jaxrd.tosc.limits and jaxrd.rdc.lifted_rate and jaxrd.coding.encode
assert not {"flax", "matplotlib"} & set(sys.modules)
try:
    jaxrd.nothing
except AttributeError as error:
    assert str(error) == "module 'jaxrd' has no attribute 'nothing'"
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_of_rdc_imports_what_it_needs():
    script = """
import sys
from jaxrd import rdc
assert rdc.lifted_rate and rdc.surface and rdc.Point
unneeded = {"scipy.optimize", "scipy.sparse", "jaxrd.closed_form", "jaxrd.rdc.perception", "jaxrd.rdc.literal"}
assert not unneeded & set(sys.modules), unneeded & set(sys.modules)
assert set(dir(rdc)) == {"gaussian", "measures", "real_valued", *rdc.__all__}
assert rdc.gaussian.vector and rdc.measures.TotalVariation and rdc.literal_rate
try:
    rdc.nothing
except AttributeError as error:
    assert str(error) == "module 'jaxrd.rdc' has no attribute 'nothing'"
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_commands_load_no_room_before_one_runs():
    script = """
import sys
import jaxrd.cli.app
ours = {name for name in sys.modules if name.startswith("jaxrd.") and not name.startswith("jaxrd.cli")}
assert ours <= {"jaxrd.errors", "jaxrd._files", "jaxrd._kept", "jaxrd._version"}, ours
heavy = {"matplotlib", "scipy", "scipy.optimize", "flax", "pyarrow", "constriction", "pandas"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_limits_loads_what_it_uses():
    script = """
import sys
import jaxrd.documents.limits, jaxrd.cli.limits
from jaxrd.tosc import limits
slow = {"scipy.special", "scipy.optimize", "pandas", "jaxrd.tosc.class_shares", "jaxrd.tosc.log_loss", "jaxrd.rdc"}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def public(kind):
    found = []
    for module in (jaxrd, rdc, tosc, coding):
        for name in module.__all__:
            value = getattr(module, name)
            if kind(value):
                found.append(pytest.param(value, id=f"{module.__name__}.{name}"))
    return found


def holds_fields(value):
    return isinstance(value, type) and (dataclasses.is_dataclass(value) or hasattr(value, "_fields"))


class TestPrints:
    @pytest.mark.parametrize("cls", public(holds_fields))
    def test_one_line_a_field_whatever_it_holds(self, cls):
        names = cls._fields if hasattr(cls, "_fields") else [f.name for f in dataclasses.fields(cls)]
        held = (np.zeros((3, 4)), jnp.float32(2.5), None, "a" * 1000, b"12", [np.ones(3)] * 9, {"x": 1.0}, object())
        for value in held:
            shown = repr(cls(*[value] * len(names)))
            assert shown.count("\n") == (len(names) + 1 if names else 0)
            assert max(map(len, shown.split("\n"))) < 150
        rows = repr(cls(*[np.zeros((3, 4), np.float32)] * len(names))).split("\n")[1:-1]
        for name, row in zip(names, rows, strict=True):
            assert row.startswith(f"  {name}=float32[3,4]")

    def test_values(self):
        assert repr(COIN) == "Problem(\n  source=float64[2],\n  distortion=float64[2,2],\n)"
        point = jaxrd.solve(COIN, 2.0)
        assert "\n  slope=2.0,\n" in repr(point)
        assert "\n  status=CONVERGED,\n" in repr(point)
        curve = dataclasses.replace(point, status=jnp.array([0, 0, 3], jnp.int32))
        assert "status=int32[3] 2 CONVERGED, 1 NONFINITE," in repr(curve)
        assert repr(rdc.measures.TotalVariation()) == "TotalVariation()"

    def test_tracers(self):
        seen = []

        def look(problem, scalar):
            seen.append(repr(problem) + repr(dataclasses.replace(POINT, rate=scalar, status=scalar)))
            return scalar

        jax.jit(look)(COIN, 1.0)
        jax.vmap(look, (None, 0))(COIN, jnp.ones(3))
        jax.grad(look, 1)(COIN, 1.0)
        assert "source=float64[2] traced" in seen[0]
        assert all("rate=float64[] traced" in text and "status=float64[] traced" in text for text in seen)


POINT = jaxrd.Solution(*[jnp.zeros(())] * 7)


def test_rdc_has_few_names():
    assert len(rdc.__all__) <= 25


@pytest.mark.parametrize("function", public(lambda value: callable(value) and not isinstance(value, type)))
def test_help_is_readable(function):
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    signature = str(inspect.signature(function))
    assert "ArrayLike" in signature or "Union[" not in signature
    assert "jaxlib" not in text
    assert "Union[" not in text
    assert "*args" not in signature


# Names that no equation defines, and why: they need no source.
WITHOUT_EQUATION = {
    "jaxrd.cache": "keeps programs",
    "jaxrd.ConvergenceError": "an exception",
    "jaxrd.Curve": "holds points of any curve",
    "jaxrd.InputError": "an exception",
    "jaxrd.Status": "how a point was obtained: words of this library",
    "jaxrd.check": "reads statuses",
    "jaxrd.validate": "reads the values of a problem",
}
# Functions that raise nothing of their own, and why.
RAISING_NOTHING = {
    "jaxrd.cache": "warns",
    "jaxrd.rdc.gaussian.differential_entropy": "a formula: NaN outside its domain",
    "jaxrd.rdc.measures.move": "works on traced pmfs alone",
}
SOURCE = re.compile(r"^Reference: \S|\[[AB]\],? (eq\.|section|definition)|^Equation \(\d+\) of \[[AB]\]", re.MULTILINE)


def documented(module: ModuleType, path: str) -> Iterator[tuple[str, object]]:
    """The public names of a module, and of the modules among them, with what they mean."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    for name in getattr(module, "__all__", None) or [name for name in own if not name.startswith("_")]:
        value = getattr(module, name)
        yield f"{path}.{name}", value
        if inspect.ismodule(value):
            yield from documented(value, f"{path}.{name}")


NAMES = {name: value for module in (jaxrd, tosc, rdc, testing) for name, value in documented(module, module.__name__)}


def described(text: str, heading: str) -> dict[str, str]:
    """The entries of a section of a docstring, by name; "measure, tol: ..." describes both."""
    section = re.search(rf"^{heading}:\n((?:    .*\n|\n)+)", text + "\n", re.MULTILINE)
    entries = re.findall(r"^    (\w+(?:, \w+)*): +(\S.*)$", section[1] if section else "", re.MULTILINE)
    return {name: words for names, words in entries for name in names.split(", ")}


def missing(name: str, value: object, text: str) -> set[str]:
    """The parts that a docstring lacks."""
    function = callable(value) and not isinstance(value, type)
    arguments = list(inspect.signature(value).parameters) if function else []
    if holds_fields(value):
        arguments = value._fields if hasattr(value, "_fields") else [f.name for f in dataclasses.fields(value)]
    lacks = {f"Args: {argument}" for argument in set(arguments) - set(described(text, "Args"))}
    if not re.match(r"\S.{9,}", text) or not text.split("\n\n")[0].rstrip().endswith("."):
        lacks.add("a sentence")
    if inspect.ismodule(value):
        return lacks
    if function and name not in RAISING_NOTHING and not described(text, "Raises"):
        lacks.add("Raises")
    if not isinstance(value, dict) and not any(one.want for one in doctest.DocTestParser().get_examples(text)):
        lacks.add("a doctest with a result")
    if name not in WITHOUT_EQUATION and not SOURCE.search(text):
        lacks.add("the source")
    return lacks


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented(name):
    """A sentence, Args (fields for a class), Raises, a doctest, the source. Modules need the sentence alone."""
    value = NAMES[name]
    if isinstance(value, dict):  # it has no docstring: a text stands below it, which no doctest runs
        code = Path(inspect.getfile(tosc.Limits)).read_text()
        text = re.search(rf'^{name.split(".")[-1]} = [^\n]*\n"""(.*?)"""$', code, re.MULTILINE | re.DOTALL)[1]
    else:
        text = inspect.getdoc(value) or ""
    assert not missing(name, value, text)


def test_exceptions_to_the_documentation_are_public_names():
    assert {*WITHOUT_EQUATION, *RAISING_NOTHING} <= set(NAMES)


class Tensor:
    """What PyTorch's tensors have that matters here."""

    shape, requires_grad = (2,), True

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


D = COIN.distortion
MISTAKES = {
    "an array for a problem": (lambda: jaxrd.solve(D, 1.0), "a Problem is needed; got an array of shape (2, 2)."),
    "a tuple for a problem": (lambda: jaxrd.rate_at((1, D), 0.1), "a Problem is needed; got (1, array("),
    "an array to sweep": (lambda: jaxrd.sweep(D, [1.0]), "Write Problem(source, distortion)"),
    "an array to check": (lambda: jaxrd.validate(D), "a Problem is needed"),
    "an array for its slope": (lambda: jaxrd.critical_slope(D), "a Problem is needed"),
    "an array to a solver": (lambda: jaxrd.interior_point(D, 1.0), "a Problem is needed"),
    "an array to rdc": (lambda: rdc.lifted_rate(D, np.eye(2), 0.1, 0.1), "a Problem is needed"),
    "an array to perception": (lambda: rdc.perceptual_rate(D, 0.1, 0.1), "a Problem is needed"),
    "a tensor with grad": (lambda: jaxrd.solve(Problem(Tensor(), D), 1.0), "source is a PyTorch tensor that requires"),
    "a name for a solver": (lambda: jaxrd.sweep(COIN, [1.0], solver="ba"), "solver must be a function such as"),
    "a name for its solver": (lambda: jaxrd.rate_at(COIN, 0.1, solver="ba"), "got 'ba'"),
    "a name for their solver": (lambda: jaxrd.distortion_at(COIN, 0.1, solver="ba"), "got 'ba'"),
    "a name for semantics": (lambda: rdc.surface(COIN, np.eye(2), [1], [1], solver="literal"), "got 'literal'"),
    "a name to invert": (lambda: rdc.least_distortion(COIN, np.eye(2), 1, 1, solver="literal"), "got 'literal'"),
    "a name for a measure": (
        lambda: rdc.perceptual_rate(COIN, 0.1, 0.1, measure="W2"),
        "measure must be one of jaxrd.rdc.measures' TotalVariation(), Wasserstein(cost), RelativeEntropy(), "
        "ReverseRelativeEntropy(); got 'W2'.",
    ),
    "a measure's class": (
        lambda: rdc.perceptual_rate(COIN, 0.1, 0.1, measure=rdc.measures.TotalVariation),
        "got the class TotalVariation, not",
    ),
    "many slopes": (lambda: jaxrd.solve(COIN, [1.0, 2.0]), "one scalar at a time; got shape (2,)"),
    "many distortions": (lambda: jaxrd.rate_at(COIN, [0.1, 0.2]), "one scalar at a time; got shape (2,)"),
    "one target": (lambda: tosc.limits(SCORES, LABELS, at=0.3), "at must be a list of task distortions"),
    "a word for targets": (lambda: tosc.limits(SCORES, LABELS, at="0.3"), "such as at=[0.3]; got '0.3'"),
    "scores alone": (lambda: tosc.limits(SCORES), "got an array of shape (60, 3) and no labels"),
    "labels twice": (lambda: tosc.limits(tosc.from_scores(SCORES, LABELS), LABELS), "Outputs hold labels already"),
    "a path": (lambda: tosc.limits("x.npz"), "got 'x.npz' and no labels"),
    "a temperature of decisions": (
        lambda: tosc.limits(LABELS, LABELS, temperature=2.0), "temperature 2 has no effect",
    ),
    "statistics of outputs": (
        lambda: tosc.statistics(tosc.from_scores(SCORES, LABELS)), "statistics takes what limits returned; got Outputs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name):
    mistake, message = MISTAKES[name]
    with pytest.raises(ValueError, match=r".") as caught:
        mistake()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_negative_slope_that_is_traced_certifies_nothing():
    traced = jax.jit(partial(jaxrd.solve, COIN))(-2.0)
    assert traced.status == Status.NONFINITE
    assert traced.gap == np.inf


def test_limits_of_scores_and_labels():
    asked = {"at": [0.3], "temperature": 1.0, "slopes": 4}
    for first, second in (
        (tosc.limits(SCORES, LABELS, **asked), tosc.limits(tosc.from_scores(SCORES, LABELS), **asked)),
        (
            tosc.limits(LABELS, LABELS[::-1], at=np.array([0.3])),
            tosc.limits(tosc.from_decisions(LABELS, LABELS[::-1]), at=[0.3]),
        ),
    ):
        assert first.at == second.at
