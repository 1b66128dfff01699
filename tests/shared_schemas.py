"""Hold a document to its schema, read closed."""

from functools import cache

from jsonschema import Draft202012Validator

from jaxrd import schemas

TEST = "jaxrd.test/1"
"""Of documents that tests make up."""


@cache
def validator(name, closed=True):
    return Draft202012Validator(schemas.load(name, closed=closed))


def refuse_unless_valid(document, *, closed=True):
    """Fail at the first departure of one of our documents from its schema; others, such as CompressAI's, have none."""
    name = document.get("schema") if isinstance(document, dict) else None
    if not str(name).startswith("jaxrd.") or name == TEST:
        return
    error = next(validator(name, closed).iter_errors(document), None)
    assert error is None, f"{name} at {error.json_path}: {error.message[:300]}"
