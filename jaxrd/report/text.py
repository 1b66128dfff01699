"""Words and tables of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bokeh.models import Div

_TEXT = """
:host { font: 15px/1.5 system-ui, sans-serif; color: #222; }
h1 { font-size: 24px; margin: 16px 0 4px; } h2 { font-size: 17px; margin: 20px 0 4px; } p { margin: 6px 0; }
h1, p, li, td { overflow-wrap: anywhere; } .warning { border-left: 4px solid #D55E00; padding-left: 10px; }
table { border-collapse: collapse; } td, th { padding: 2px 16px 2px 0; text-align: left; vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
"""


def text(html: str) -> Div:
    """A part of the page, as wide as the window."""
    from bokeh.models import Div, InlineStyleSheet

    return Div(text=html, sizing_mode="stretch_width", stylesheets=[InlineStyleSheet(css=_TEXT)])
