"""The interactive page of a result: one HTML file that needs no network (`--html`, extra `report`)."""

from jaxrd.report.html import page, require

__all__ = ["page", "require"]
