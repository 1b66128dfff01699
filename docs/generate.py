"""Pages made from the code: the command line's help, the files' schemas, the notebooks; links and docstrings made fit."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
MADE = DOCS / "_generated"
_FIRST_LEVEL = re.compile(r"^# .*\n", re.MULTILINE)
_LINK = re.compile(r"\]\(\.\./([^)#]*)(#[^)]*)?\)")
_CODE = re.compile(r"(``.*?``|`.*?`)")
_NOTEBOOK = re.compile(r"notebooks/(\w+)\.ipynb$")


def repository() -> str:
    """The address of the repository, as pyproject.toml says it."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    return urls.get("Repository", "https://github.com/jaxrd/jaxrd").rstrip("/")


def setup(app) -> None:
    """Sphinx calls it."""
    app.connect("builder-inited", lambda _: pages())
    app.connect("source-read", _linked)
    app.connect("autodoc-process-docstring", _escaped, priority=100)  # before napoleon


def pages() -> None:
    """Write all of them."""
    MADE.mkdir(exist_ok=True)
    (MADE / "cli.md").write_text(_command_line())
    (MADE / "formats.md").write_text(_formats())
    shutil.rmtree(DOCS / "notebooks", ignore_errors=True)
    (DOCS / "notebooks").mkdir()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, DOCS / "notebooks")


def _command_line() -> str:
    command = [sys.executable, "-m", "typer", "jaxrd.cli.app", "utils", "docs", "--name", "jaxrd"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return _FIRST_LEVEL.sub("", text, count=1).replace("{", "&#123;")


def _formats() -> str:
    """One table a file: its keys, their types, what they mean."""
    from jaxrd import schemas

    parts = []
    for name in schemas.names():
        schema = schemas.load(name)
        parts += [f"## `{name}`", "", schema.get("description", schema.get("title", "")), ""]
        parts += ["| key | type | meaning |", "|---|---|---|", *_rows(schema, schema, ""), ""]
    return "\n".join(parts)


def _rows(schema: dict, root: dict, path: str) -> list[str]:
    """The keys of an object, those of objects inside it after them."""
    rows = []
    for key, value in schema.get("properties", {}).items():
        value = _resolved(value, root)
        optional = "" if key in schema.get("required", []) else ", may be absent"
        rows.append(f"| `{path}{key}` | {_type(value, root)}{optional} | {_cell(value.get('description', ''))} |")
        inner, suffix = value, "."
        while "items" in inner:
            inner, suffix = _resolved(inner["items"], root), "[]" + suffix
        if path.count(".") < 2:
            rows += _rows(inner, root, f"{path}{key}{suffix}")
    return rows


def _resolved(schema: dict, root: dict) -> dict:
    while isinstance(schema, dict) and "$ref" in schema:
        target = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema if isinstance(schema, dict) else {}


def _type(schema: dict, root: dict) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(_type(_resolved(part, root), root) for part in schema[word]))
    kind = schema.get("type", "any")
    words = " or ".join(kind) if isinstance(kind, list) else kind
    if kind == "array" and "items" in schema:
        return f"array of {_type(_resolved(schema['items'], root), root)}"
    return words


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _linked(app, name: str, source: list[str]) -> None:
    """Links that leave docs/ lead to the notebooks' pages, or to the repository."""

    def target(match: re.Match) -> str:
        path, anchor = match[1], match[2] or ""
        depth = name.count("/")
        if depth:
            return match[0]
        if notebook := _NOTEBOOK.fullmatch(path):
            return f"](notebooks/{notebook[1]}.ipynb)"
        if path.endswith(".png"):
            return match[0]
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({repository()}/{kind}/main/{path}{anchor})"

    source[0] = _LINK.sub(target, source[0])


def _escaped(app, what, name, obj, options, lines: list[str]) -> None:
    """The docstrings are plain text with `code` and doctests: |, * and a trailing _ mean nothing more in them."""
    example = False
    for i, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = _CODE.split(line)
            parts[::2] = [re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
            lines[i] = "".join(parts)
