"""The schemas of the files we write: each file has one, it fits, and it would notice. `conftest` holds every test's
files to theirs."""

import copy
import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from shared_schemas import TEST, refuse_unless_valid, validator

import jaxrd
from jaxrd import InputError, schemas

ROOT = Path(jaxrd.__file__).parent
MODELS = {"jaxrd.classifier/1", "jaxrd.universal/1"}
"""Of model files, which are no JSON."""
RESULTS = ROOT.parent / "benchmarks" / "results"


def test_every_file_that_is_written_has_a_schema():
    code = "".join(path.read_text() for path in ROOT.rglob("*.py") if ROOT / "schemas" not in path.parents)
    written = set(re.findall(r'"(jaxrd\.[a-z0-9-]+/\d+)"', code))
    assert written - MODELS == set(schemas.names()) - {TEST}


def properties(part, path="$"):
    """Every property of a schema with its place, at any depth."""
    if isinstance(part, list):
        for one in part:
            yield from properties(one, path)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "properties":
                yield from ((f"{path}.{name}", own) for name, own in value.items())
            yield from properties(value, f"{path}.{key}")


def described(part, root):
    """Its description, of its own or of what it refers to."""
    while "description" not in part and "$ref" in part:
        target = root
        for key in part["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        part = target
    return part.get("description", "").strip()


@pytest.mark.parametrize("name", schemas.names())
class TestEach:
    def test_it_is_a_schema_that_stands_alone(self, name):
        schema = schemas.load(name)
        Draft202012Validator.check_schema(schema)
        assert all(target.startswith("#/") for target in re.findall(r'"\$ref": "([^"]*)"', json.dumps(schema)))
        assert schema["properties"]["schema"]["const"] == name
        assert "schema" in schema["required"]

    def test_every_reference_leads_somewhere(self, name):
        schema = schemas.load(name)
        for target in re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(schema)):
            part = schema
            for key in target.split("/"):
                part = part[key]
            assert isinstance(part, dict)

    def test_every_key_says_what_it_means(self, name):
        schema = schemas.load(name)
        silent = {"", schema["$defs"]["common.json"]["$defs"]["number"]["description"]}  # of a type, not of a key
        assert [path for path, part in properties(schema) if described(part, schema) in silent] == []

    def test_something_else_is_refused(self, name):
        for document in ({}, {"schema": name}, {"schema": "jaxrd.other/1"}):
            assert not validator(name).is_valid(document)


def committed():
    found = []
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text())
        if isinstance(document, dict) and document.get("schema") in schemas.names():
            found.append(pytest.param(document, id=path.name))
    return found


@pytest.mark.parametrize("document", committed())
def test_committed_results_fit(document):
    refuse_unless_valid(document)


TASKS = json.loads((RESULTS / "tasks_mnist.json").read_text())


def test_open_for_readers_and_closed_for_our_tests():
    document = TASKS | {"more": 1}
    refuse_unless_valid(document, closed=False)
    with pytest.raises(AssertionError, match="'more' was unexpected"):
        refuse_unless_valid(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("samples",), "many"), (("rows", 0, "status"), "converged"), (("rows", 0, "joint_bits"), "1.2"),
        (("meta", "sha256"), 7), (("meta", "more"), 1), (("tasks", 0, "sha256"), "xyz"), (("files", "a.csv"), "xyz"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_noticed(path, value):
    document = copy.deepcopy(TASKS)
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(AssertionError, match=r"jaxrd\.tasks/1 at \$"):
        refuse_unless_valid(document)


def test_a_missing_key_is_noticed():
    for key in set(TASKS) - {"files"}:
        document = {name: value for name, value in TASKS.items() if name != key}
        if key != "schema":
            with pytest.raises(AssertionError, match=f"'{key}' is a required property"):
                refuse_unless_valid(document)


def test_a_null_stands_for_infinity():
    document = copy.deepcopy(TASKS)
    document["rows"][0] |= {"joint_bits": None, "status": "INFEASIBLE"}
    refuse_unless_valid(document)


def test_no_such_schema():
    with pytest.raises(InputError, match=r"there is no schema 'jaxrd.limits/9' in this version; it has jaxrd.codec"):
        schemas.load("jaxrd.limits/9")
