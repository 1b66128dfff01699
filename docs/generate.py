"""Pages made from the code: the command line, the files' schemas, the API, the notebooks; links made fit."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory

from docutils import nodes
from latex2mathml.converter import convert

DOCS = Path(__file__).parent
ROOT = DOCS.parent
MADE = DOCS / "_generated"
_ROOMS = {
    "jaxrd": "Problems, solvers, sweeps",
    "jaxrd.closed_form": "Classical sources, exact and differentiable",
    "jaxrd.tosc": "The limits of a classifier's outputs: paper [A]",
    "jaxrd.tosc.losses": "What a decision costs",
    "jaxrd.tosc.mixture": "The Gaussian mixture of paper [A]",
    "jaxrd.rdc": "Rate, distortion, classification, perception: paper [B]",
    "jaxrd.rdc.gaussian": "Gaussian sources with a label",
    "jaxrd.rdc.gaussian.vector": "Gaussian vectors with a label",
    "jaxrd.rdc.perception.measures": "How far two laws are apart",
    "jaxrd.rdc.representation.real_valued": "Theorems 4 and 5 of paper [B]",
    "jaxrd.blocklength": "Blocks of n letters",
    "jaxrd.side_information": "A receiver that knows something",
    "jaxrd.distortion": "Distortions that no matrix holds",
    "jaxrd.coding": "Streams and channel simulation",
    "jaxrd.testing": "Strategies, laws and the certificate in numpy",
    "jaxrd.neural": "Autoencoders",
    "jaxrd.datasets": "Embedded examples and MNIST",
    "jaxrd.plots": "Figures",
    "jaxrd.schemas": "Schemas of the files that are written",
}
_FIRST_LEVEL = re.compile(r"^# .*\n", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+)(#[^)]*)?\)")
_CODE = re.compile(r"(``.*?``|`.*?`)")


def repository() -> str:
    """The address of the repository, as pyproject.toml says it."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    return urls.get("Repository", "https://github.com/jaxrd/jaxrd").rstrip("/")


def setup(app) -> None:
    """Sphinx calls it."""
    (MADE / "site").mkdir(parents=True, exist_ok=True)  # Sphinx looks for it before the pages are made
    app.add_html_math_renderer("mathml", (_math("inline"), None), (_math("block"), None))
    app.connect("builder-inited", lambda _: pages())
    app.connect("source-read", _linked)
    app.connect("autodoc-skip-member", lambda _, what, name, obj, skip, options: skip or _is_field(obj))
    app.connect("autodoc-process-docstring", _escaped, priority=100)  # before napoleon


def _math(display: str):
    """Formulas as MathML, which browsers draw by themselves: no page asks the network for a script."""

    def visit(translator, node) -> None:
        translator.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit


def pages() -> None:
    """Write all of them."""
    MADE.mkdir(exist_ok=True)
    (MADE / "cli.md").write_text(_command_line())
    (MADE / "formats.md").write_text(_formats())
    (MADE / "site" / "example").mkdir(parents=True, exist_ok=True)
    options = ["--confidence", "0.95", "--accuracy", "0.7", "--accuracy", "0.6", "--html"]
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "jaxrd", "limits", *options, "--out", folder]
        subprocess.run(command, capture_output=True, check=True)
        environment = os.environ | {"COLUMNS": "100"}
        plain = subprocess.run(command[:4], cwd=folder, capture_output=True, text=True, check=True, env=environment)
        (MADE / "limits.txt").write_text(plain.stdout)
        for name in ("limits.html", "limits.png"):
            shutil.copy(Path(folder) / name, MADE / "site" / "example")
    for name in ("CHANGELOG", "CONTRIBUTING"):
        (MADE / f"{name}.md").write_text(_led(ROOT, (ROOT / f"{name}.md").read_text()))
    _api(DOCS / "api")
    shutil.rmtree(DOCS / "notebooks", ignore_errors=True)
    (DOCS / "notebooks").mkdir()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, DOCS / "notebooks")
    names = "\n".join(path.stem for path in sorted((DOCS / "notebooks").glob("*.ipynb")))
    (DOCS / "notebooks" / "index.md").write_text(
        f"# Notebooks\n\nAs the tests executed them.\n\n```{{toctree}}\n{names}\n```\n"
    )


def _api(folder: Path) -> None:
    """A page a room, from the docstrings."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    rooms = [name for name in _ROOMS if find_spec(name) is not None]
    for name in rooms:
        title = f"``{name}``"
        inside = [one.name for one in iter_modules([str(DOCS.parent / "jaxrd" / "closed_form")]) if one.name[0] != "_"]
        of = [f"{name}.{one}" for one in inside] if name == "jaxrd.closed_form" else []
        parts = [title, "=" * len(title), "", _ROOMS[name] + ".", ""]
        parts += [f".. automodule:: {name}", "   :members:", ""]
        for one in of:
            parts += [f"``{one}``", "-" * (len(one) + 4), "", f".. automodule:: {one}", "   :members:", ""]
        (folder / f"{name}.rst").write_text("\n".join(parts))
    index = ["# API", "", "| module | what it holds |", "|---|---|"]
    index += [f"| [`{name}`]({name}.rst) | {_ROOMS[name]} |" for name in rooms]
    index += ["", "```{toctree}", ":hidden:", "", *rooms, "```", ""]
    (folder / "index.md").write_text("\n".join(index))


def _command_line() -> str:
    command = [sys.executable, "-m", "typer", "jaxrd.cli.app", "utils", "docs", "--name", "jaxrd"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return _FIRST_LEVEL.sub("", text, count=1)


def _formats() -> str:
    """One table a file: its keys, their types, what they mean."""
    from jaxrd import schemas

    first = schemas.load(schemas.names()[0])
    parts = ["## `meta`", "", "In every file: where, when and with what versions it was computed.", ""]
    meta = {"properties": {"meta": first["properties"]["meta"]}}
    parts += ["| key | type | meaning |", "|---|---|---|", *_rows(meta, first, "")[1:], ""]
    for name in schemas.names():
        schema = schemas.load(name)
        parts += [f"## `{name}`", "", schema.get("description", schema.get("title", "")), ""]
        parts += ["| key | type | meaning |", "|---|---|---|", *_rows(schema, schema, ""), ""]
    return "\n".join(parts)


def _rows(schema: dict, root: dict, path: str) -> list[str]:
    """The keys of an object, those of objects inside it after them."""
    rows = []
    for key, value in schema.get("properties", {}).items():
        if key == "meta" and schema is root:
            continue
        value = _resolved(value, root)
        optional = "" if key in schema.get("required", []) else ", may be absent"
        rows.append(f"| `{path}{key}` | {_type(value, root)}{optional} | {_meaning(value)} |")
        inner, suffix = _inside(value, root)
        if path.count(".") < 2:
            rows += _rows(inner, root, f"{path}{key}{suffix}.")
    return rows


def _inside(schema: dict, root: dict) -> tuple[dict, str]:
    """The object in a value, and what stands before its keys: in a list, in a map by name, beside a null."""
    suffix = ""
    while "properties" not in schema:
        if "items" in schema:
            schema, step = schema["items"], "[]"
        elif isinstance(schema.get("additionalProperties"), dict):
            schema, step = schema["additionalProperties"], ".NAME"
        elif "anyOf" in schema:
            schema, step = schema["anyOf"][0], ""
        else:
            break
        schema, suffix = _resolved(schema, root), suffix + step
    return schema, suffix


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


def _meaning(schema: dict) -> str:
    """What the schema says, but for the sentence on nulls: the page begins with it."""
    text = schema.get("description", "")
    return "" if text.startswith("A number; null") else _cell(text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _linked(app, name: str, source: list[str]) -> None:
    """Sphinx's event: links that leave docs/ lead to the notebooks' pages, or to the repository."""
    source[0] = _led((DOCS / name).parent, source[0])


def _led(folder: Path, text: str) -> str:
    """Markdown of a file of this folder, with links that the site can follow from docs/."""

    def target(match: re.Match) -> str:
        path, anchor = (folder / match[1]).resolve(), match[2] or ""
        if not path.exists() or path.suffix == ".png":
            return match[0]
        if path.parent == ROOT / "notebooks":
            return f"](notebooks/{path.stem}.ipynb)" if path.suffix == ".ipynb" else "](notebooks/index.md)"
        if path.is_relative_to(DOCS):
            return f"]({path.relative_to(DOCS)}{anchor})" if folder == ROOT else match[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({repository()}/{kind}/main/{path.relative_to(ROOT)}{anchor})"

    return _LINK.sub(target, text)


def _is_field(obj: object) -> bool:
    """Of a named tuple: the class's docstring says what it is."""
    return (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")


def _escaped(app, what, name, obj, options, lines: list[str]) -> None:
    """The docstrings are plain text with `code` and doctests: |, * and a trailing _ mean nothing more in them."""
    example = False
    for i, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            parts = _CODE.split(line)
            for k, part in enumerate(parts):
                if k % 2 == 0:
                    parts[k] = re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part)
                else:  # reStructuredText wants a space, or some signs, on both sides of code
                    before = "\\ " if re.search(r"[\w.)]$", parts[k - 1]) else ""
                    after = "\\ " if re.match(r"[\w(^=+]", parts[k + 1]) else ""
                    parts[k] = before + part + after
            lines[i] = "".join(parts)
