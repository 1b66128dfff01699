"""What `jaxrd limits --confidence` shows: bands in the figure, a table, sentences."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.table import Table

from jaxrd import plots
from jaxrd.cli.common import console
from jaxrd.cli.confidence import band_columns
from jaxrd.curve import Curve
from jaxrd.information import NATS_PER_BIT
from jaxrd.tosc import Limits, Statistics
from jaxrd.tosc.intervals import Interval


def add_bands(ax: Any, found: Statistics, curves: dict[str, Curve]) -> None:
    """Draw TMRD's band and the rigorous bounds; before the curves, whose legend names them too."""

    top = 1.02 * max(float(np.nanmax(c.rate)) for c in curves.values()) / NATS_PER_BIT
    percent = f"{100 * found.confidence:g} %"
    if "TMRD" in curves:
        band = band_columns(found, "TMRD")
        if "clt_lower_bits" in band:
            plots.band(
                ax, curves["TMRD"].distortion, band["clt_lower_bits"], np.minimum(band["clt_upper_bits"], top),
                colour=plots.STYLE["TMRD"][0], label=f"TMRD, {percent} (CLT)",
            )  # fmt: skip
        if found.lower is not None and found.upper is not None:
            grid = np.linspace(0, 1, 201)
            lower, upper = (
                np.array([f(float(d)) for d in grid]) / NATS_PER_BIT for f in (found.lower.rate, found.upper.at)
            )
            for rate, label in ((lower, f"rigorous {percent}: McDiarmid, Hoeffding"), (upper, None)):
                ax.plot(
                    grid, np.where(rate <= top, rate, np.nan), color=plots.STYLE["TMRD"][0], linewidth=0.7, label=label
                )


def report(found: Statistics, limits: Limits) -> None:
    """The intervals at the distortions asked for, in words and bits."""
    distortions, percent = [float(row["distortion"] or 0) for row in limits.at], f"{100 * found.confidence:g} %"
    table = Table(title=f"{percent} intervals, bits per sample")
    table.add_column("curve")
    table.add_column("by")
    for d in distortions:
        table.add_column(f"D = {d:.4g}", justify="right", no_wrap=True)

    def rows(name: str, shown: str) -> None:
        at = [row[name] for row in found.at]
        table.add_row(shown, "bootstrap", *("-" if u is None else _pair(u.bootstrap) for u in at))
        if any(u is not None and np.isfinite(u.clt.lower) for u in at):
            table.add_row("", "CLT", *("-" if u is None else _pair(u.clt) for u in at))

    for name in ("oRD", "TMRD", "iE&C", "S&C", "E&C", "TS"):
        if name in found.bands:
            rows(name, name)
            if name == "oRD":
                table.add_row("", "McDiarmid", *(f">= {_bits(found.oracle_lower.rate(d))}" for d in distortions))
            if name == "TMRD" and found.upper is not None:
                table.add_row("", "Hoeffding", *(f"<= {_bits(found.upper.at(d))}" for d in distortions))
        if name in found.cross_fitted:
            table.add_row("", "cross-fitted", *(_bits(at[name]) for at in found.cross_fitted_at))
        if name == "TMRD" and found.lower is not None and found.upper_model is not None:
            rows("TMRD_model", "  believed")
            table.add_row("", "McDiarmid", *(f">= {_bits(found.lower.rate(d))}" for d in distortions))
            table.add_row("", "Hoeffding", *(f"<= {_bits(found.upper_model.at(d))}" for d in distortions))
    console.print(table)
    for line in _sentences(found, distortions, percent):
        console.print(line, soft_wrap=True, highlight=False)


def _sentences(found: Statistics, distortions: list[float], percent: str) -> Iterator[str]:
    """Whether TMRD lies below every achievable curve beyond the noise of a common sample, and what kappa leaves."""
    for d, excess in zip(distortions, found.excess, strict=True):
        if excess:
            pairs = ", ".join(f"{name} {_pair(more.bootstrap)}" for name, more in excess.items())
            below = all(more.bootstrap.lower > 0 for more in excess.values())
            words = "lies below every achievable curve" if below else "is not below every achievable curve beyond noise"
            yield f"at D = {d:.4g} TMRD {words}; they cost more by ({percent}): {pairs}"
    if found.kappa is not None and found.sandwich:
        yield f"if the posterior is off by kappa = {found.kappa:.3g}, the limit of any scheme that sees it alone lies"
        for d, (lower, upper, rigorous) in zip(distortions, found.sandwich, strict=True):
            ends = _pair(Interval(lower, upper))
            yield f"  at D = {d:.4g} in {ends} bits, plug-in; with {percent} confidence above {_bits(rigorous)}"


def _pair(interval: Interval) -> str:
    return f"{_bits(interval.lower)}..{_bits(interval.upper)}"


def _bits(rate: float) -> str:
    return "-" if np.isnan(rate) else f"{rate / NATS_PER_BIT:.3f}" if np.isfinite(rate) else "beyond"
