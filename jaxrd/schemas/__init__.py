"""JSON Schemas (2020-12) of the files that the command line writes, by the `schema` that each file begins with.

A key may be added to a file under the same number, so a reader ignores keys that it does not know: objects are open.
The number rises when a key goes, or means something else. Our tests read the schemas closed: a key that a schema does
not name fails them.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from jaxrd.errors import InputError

_NAME = re.compile(r"jaxrd\.([a-z0-9-]+)/(\d+)")


def names() -> list[str]:
    """What `schema` may say in a file of this version.

    >>> "jaxrd.limits/1" in names()
    True
    """
    found = sorted(path.name for path in resources.files(__name__).iterdir() if path.name.endswith(".json"))
    parts = [name.removesuffix(".json").rpartition("-") for name in found if name != "common.json"]
    return [f"jaxrd.{kind}/{number}" for kind, _, number in parts]


def load(name: str, *, closed: bool = False) -> dict[str, Any]:
    """The schema of a kind of file, self-contained: for `jsonschema.validate(document, load(document["schema"]))`.

    Args:
        name: as the file says it, such as "jaxrd.limits/1".
        closed: refuse keys that the schema does not name, where it does not allow any.

    Raises:
        InputError: there is no such schema here; lists those that are.

    >>> load("jaxrd.sweep/1")["properties"]["schema"]["const"]
    'jaxrd.sweep/1'
    """
    if name not in names():
        raise InputError(f"there is no schema {name!r} in this version; it has {', '.join(names())}.")
    kind, number = _NAME.fullmatch(name).groups()  # pyright: ignore[reportOptionalMemberAccess]
    parts: dict[str, Any] = {}
    schema = _gathered(f"{kind}-{number}.json", "#", parts)
    schema["$defs"] = schema.get("$defs", {}) | parts
    return _closed(schema) if closed else schema


def _gathered(file: str, place: str, parts: dict[str, Any]) -> dict[str, Any]:
    """A file whose references stay within one document: other files are put among its `parts`.

    Args:
        file: name.
        place: where the file lies in that document, a pointer.
        parts: files gathered so far, by name.
    """
    text = (resources.files(__name__) / file).read_text(encoding="utf-8")

    def moved(part: Any) -> Any:
        if isinstance(part, list):
            return [moved(one) for one in part]
        if not isinstance(part, dict):
            return part
        part = {key: moved(value) for key, value in part.items()}
        if isinstance(target := part.get("$ref"), str):
            other, _, pointer = target.partition("#")
            if other and other not in parts:
                parts[other] = {}  # it may refer to itself
                parts[other] = _gathered(other, f"#/$defs/{other}", parts)
            part["$ref"] = (f"#/$defs/{other}" if other else place) + pointer
        return part

    return moved(json.loads(text))


def _closed(part: Any) -> Any:
    """A schema whose objects have no other keys than those that it names, where it names some and allows none."""
    if isinstance(part, list):
        return [_closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    part = {key: _closed(value) for key, value in part.items()}
    if part.get("type") == "object" and "properties" in part:
        part.setdefault("additionalProperties", False)
    return part
