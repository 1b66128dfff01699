"""Structures of different classes differ: jit finds what it compiled by them."""

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass
from itertools import combinations
from pathlib import Path

import jax
import numpy as np

import jaxrd
from jaxrd import Problem
from jaxrd.distortion import PointCloud
from jaxrd.rdc.perception.measures import RelativeEntropy, ReverseRelativeEntropy, TotalVariation, Wasserstein

LEAF = 1.0


def nodes():
    """Every dataclass of the package that is a pytree node, fields all leaves; static ones equal throughout."""
    found = {}
    for module in pkgutil.walk_packages(jaxrd.__path__, "jaxrd."):
        if "__main__" in module.name:
            continue
        for cls in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(cls) and is_dataclass(cls) and cls.__module__.startswith("jaxrd."):
                node = object.__new__(cls)  # without the checks that some classes make of their values
                for f in fields(cls):
                    object.__setattr__(node, f.name, LEAF)
                if not jax.tree_util.all_leaves([node]):
                    found[cls] = node
    return found


def test_structures_know_their_class():
    found = nodes()
    assert {Problem, TotalVariation, RelativeEntropy, ReverseRelativeEntropy, Wasserstein} <= set(found)
    for one, other in combinations(found, 2):
        assert jax.tree.structure(found[one]) != jax.tree.structure(found[other]), (one, other)


def test_each_measure_is_traced():
    # CI once answered for one measure with the program of another: their structures differed by hash alone.
    traced = []

    @jax.jit
    def name_of(measure):
        traced.append(type(measure))
        return 0

    measures = [TotalVariation(), RelativeEntropy(), ReverseRelativeEntropy()]
    for measure in measures + measures:
        name_of(measure)
    assert traced == [type(measure) for measure in measures]


def test_nothing_is_registered_otherwise():
    root = Path(jaxrd.__file__).parent
    spelt = {p.name for p in root.rglob("*.py") if "register_dataclass" in p.read_text()}
    assert spelt == {"pytree.py"}, "use jaxrd.pytree.register, which says why"


def test_goes_there_and_back():
    problem = Problem(np.ones(2) / 2, 1 - np.eye(2))
    leaves, structure = jax.tree.flatten(problem)
    again = jax.tree.unflatten(structure, leaves)
    assert again.source is problem.source
    assert again.distortion is problem.distortion
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(problem)[0]]
    assert paths == [".source", ".distortion"]


def test_static_fields_are_structure():
    one, other = (
        PointCloud(np.ones((2, 3)), np.ones((4, 3))),
        PointCloud(np.ones((2, 3)), np.ones((4, 3)), block_bytes=8),
    )
    leaves, structure = jax.tree.flatten(other)
    assert structure != jax.tree.structure(one)
    assert jax.tree.unflatten(structure, leaves).block_bytes == 8
    assert jax.tree.leaves(jax.tree.unflatten(structure, [None, object()])) != []
    assert len({structure, jax.tree.structure(one), jax.tree.structure(other)}) == 2
