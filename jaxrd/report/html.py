"""One self-contained HTML page for a document that the command line writes.

Bokeh draws it: its script, put into the page, is 1.7 MB, where plotly's is 4.8 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from typing import Any

from jaxrd.errors import InputError
from jaxrd.report.text import text

_CSS = "body { margin: 0 auto; max-width: 1100px; padding: 0 1rem 2rem; font-family: system-ui, sans-serif; }"
_TEMPLATE = """{% block head %}{{ super() }}<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>{{ css }}</style>{% endblock %}"""


def require() -> None:
    """Say at once, before any work, what is missing.

    Raises:
        InputError: Bokeh is not installed.
    """
    if find_spec("bokeh") is None:
        raise InputError("--html needs Bokeh: pip install 'jaxrd[report]'.")


def page(document: Mapping[str, Any]) -> bytes:
    """The page of a `limits.json`, `sweep.json` or `rdc.json`, UTF-8.

    Args:
        document: as the file holds it; rates in bits.

    Raises:
        InputError: Bokeh is not installed, or the document is of another kind.
    """
    require()
    from bokeh.document import Document
    from bokeh.embed import file_html
    from bokeh.models import Column
    from bokeh.resources import INLINE

    from jaxrd.report.curves import curves
    from jaxrd.report.surface import surface

    kind = str(document.get("schema", "")).removeprefix("jaxrd.").split("/")[0]
    if kind not in ("limits", "sweep", "rdc"):
        raise InputError(
            f"there is no page for schema {document.get('schema')!r}; there is one for limits, sweep and rdc."
        )
    whole = Document()
    if kind == "rdc":
        middle = surface(document)
    else:
        middle, read = curves(document)
        whole.js_on_event("document_ready", read)
    parts = [text(_head(document)), *middle, text(_foot(document))]
    whole.add_root(Column(children=parts, sizing_mode="stretch_width"))
    name = f"{document['name']}: {kind}"
    made = file_html(whole, INLINE, title=name, template=_TEMPLATE, template_variables={"css": _CSS})
    return made.encode()


def _head(document: Mapping[str, Any]) -> str:
    """Title, what was read, and every warning."""
    parts = [f"<h1>{escape(str(document['name']))}</h1>", f"<p>{escape(_summary(document))}</p>"]
    parts += [f'<p class="warning">{escape(str(word))}</p>' for word in document.get("warnings", [])]
    return "".join(parts)


def _summary(document: Mapping[str, Any]) -> str:
    s = document["summary"]
    if "samples" in s:
        words = [f"{s['samples']} samples", f"{s['classes']} classes"]
        if s.get("loss") in (None, "zero-one"):
            words.append(f"accuracy {1 - s['task_model_distortion']:.2%}")
        else:
            words.append(f"mean loss {s['task_model_distortion']:.4g} under {s['loss']}")
        if s.get("temperature") is not None:
            words.append(f"temperature {s['temperature']:.4g}")
        return ", ".join(words) + ". Rates are estimates from these samples; certificates speak of the optimisation."
    if "meaning" in document:
        return f"{_size(s)}. {document['meaning']}."
    statuses = [status for curve in document["curves"].values() for status in curve["status"]]
    good = sum(status in ("CONVERGED", "EXACT") for status in statuses)
    return f"{_size(s)}; {good} of {len(statuses)} points within the tolerance asked for."


def _size(summary: Mapping[str, Any]) -> str:
    """How large the problem is, in words."""
    if "source_letters" in summary:
        return f"{summary['source_letters']} source letters, {summary['reproduction_letters']} reproduction letters"
    return f"a Gaussian source of {summary.get('dimensions', 1)} dimensions"


def _foot(document: Mapping[str, Any]) -> str:
    """Notes, and where the numbers come from."""
    meta = document["meta"]
    rows = {
        "versions": ", ".join(f"{name} {number}" for name, number in meta["versions"].items()),
        "computed on": meta["device"], "precision": f"{meta['dtype']}, gap asked for {meta['tolerance']:g} nat",
        "SHA-256 of the data": meta["sha256"], "seed": meta["seed"], "schema": document["schema"],
    }  # fmt: skip
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in document.get("notes", []))
    table = "".join(f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in rows.items() if v is not None)
    return (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "") + f"<h2>Provenance</h2><table>{table}</table>"
