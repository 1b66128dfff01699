"""What `jaxrd limits` of several files prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from jaxrd.cli.common import Meta, console, headed, print_line
from jaxrd.cli.limits_report import measure

if TYPE_CHECKING:
    from jaxrd.documents.models import Compared
    from jaxrd.tosc.leads import Lead


def report(compared: Compared, meta: Meta) -> None:
    """Print the models, their rates, who needs the fewest bits where, and the warnings."""
    for model in compared.models:
        s = model.limits.summary
        kept = f" (of {s['samples_total']})" if s["samples"] != s["samples_total"] else ""
        line = f": {s['samples']} samples{kept}, {s['classes']} classes, {measure(model)}"
        line += f", temperature {s['temperature']:.4g}" if s["temperature"] is not None else ""
        print_line(headed(model.name, line))
        console.print("; ".join(model.notes), style="dim", highlight=False)
    console.print(_table(compared))
    for line in _legend(compared):
        print_line(line, style="dim")
    for line in _sentences(compared):
        print_line(line)
    for warning in compared.warnings:
        print_line(f"note: {warning}")
    seconds = meta["seconds"]
    print_line(f"compile {seconds['compile']:.1f} s, solve {seconds['solve']:.1f} s")


def _table(compared: Compared) -> Table:
    """Bits of each curve and model at the distortions asked for; below them what each other model needs more."""
    table = Table(title="bits per sample")
    table.add_column("curve")
    table.add_column("model")
    for d in compared.distortions:
        accuracy = f"{1 - d:.4g} acc.\n" if compared.is_error else ""
        table.add_column(f"{accuracy}D = {d:.4g}", justify="right")
    asked, first = range(len(compared.distortions)), compared.names[0]
    for curve in compared.curves:
        once = curve == "oRD" and compared.shared_oracle
        for k, name in enumerate(compared.names[:1] if once else compared.names):
            marks = [curve != "oRD" and k in compared.fewest(i, curve) for i in asked]
            rates = [_bits(compared.bits(i, curve, k), fewest=mark) for i, mark in zip(asked, marks, strict=True)]
            table.add_row("" if k else curve, "all" if once else name, *rates)
            less = [_difference(compared, i, curve, name) for i in asked] if curve in compared.comparison.leads else []
            if any(less):
                table.add_row("", f"  less {first}", *less, style="dim")
        table.add_section()
    return table


def _bits(bits: float | None, *, fewest: bool) -> str:
    from jaxrd.io.write import reach

    word = reach(bits)
    if word == "beyond":
        return word
    return "-" if word == "not computed" else f"{'* ' if fewest else ''}{bits:.4f}"


def _difference(compared: Compared, i: int, curve: str, name: str) -> str:
    less, inside, _ = compared.difference(i, curve, name)
    if less is None:
        return ""
    return f"{less:+.4f}" + (f"\n{inside[0]:+.3f}..{inside[1]:+.3f}" if inside is not None else "")


def _legend(compared: Compared) -> Iterator[str]:
    """What the signs in the table mean."""
    asked = range(len(compared.distortions))
    shown = [compared.bits(i, c, k) for i in asked for c in compared.curves for k in range(len(compared.names))]
    cells = {_bits(bits, fewest=False) for bits in shown}
    yield "'*': the fewest of the models, by the plug-in estimates"
    if "beyond" in cells:
        yield "'beyond': the curve does not reach that distortion"
    if "-" in cells:
        yield "'-': not computed, see the notes"
    if (confidence := compared.comparison.confidence) is not None:
        yield f"a..b: {100 * confidence:g} % bootstrap interval of a difference, both models resampled together"


def _sentences(compared: Compared) -> Iterator[str]:
    """Who needs the fewest bits at which accuracy; and which differences are more than noise."""
    for curve, leads in compared.comparison.leads.items():
        having = [name for name in compared.names if curve in compared.comparison.models[name].curves]
        among = "" if len(having) == len(compared.names) else f" (of {', '.join(having)})"
        yield f"{curve}{among}: {_led(leads, compared.is_error)}"
    for curve in compared.comparison.leads:
        for i in range(len(compared.distortions)):
            if words := _beyond_noise(compared, i, curve):
                yield words


def _led(leads: list[Lead], is_error: bool) -> str:
    """Ranges of accuracy, the lowest first; or of distortion, the largest first."""
    parts = []
    for lead in leads[::-1]:
        who = " and ".join([lead.model, *lead.equal])
        start = "from there" if parts else "" if is_error else "down"
        end = f"{1 - lead.least:.2%} accuracy" if is_error else f"D = {lead.least:.4g}"
        parts.append(" ".join(filter(None, (who, start, "up to" if is_error and not parts else "to", end))))
    return "fewest bits: " + ", ".join(parts)


def _beyond_noise(compared: Compared, i: int, curve: str) -> str:
    """Which models need fewer or more bits than the first one at distortion i, by intervals; empty without any."""
    first, verdicts = compared.names[0], {}
    for name in compared.names[1:]:
        _, inside, _ = compared.difference(i, curve, name)
        if inside is not None:
            word = "fewer bits" if inside[1] < 0 else "more bits" if inside[0] > 0 else "no difference beyond noise"
            verdicts.setdefault(word, []).append(name)
    if not verdicts:
        return ""
    level = f"{100 * (compared.comparison.confidence or 0):g} %"
    words = "; ".join(f"{word}: {', '.join(names)}" for word, names in verdicts.items())
    return f"{curve} at D = {compared.distortions[i]:.4g}, beside {first} ({level} each by itself): {words}"
