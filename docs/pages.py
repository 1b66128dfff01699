"""What the pages of the gallery share."""

from pathlib import Path


def results() -> Path:
    """The folder of committed results."""
    return Path(__file__).parents[1] / "benchmarks" / "results"
