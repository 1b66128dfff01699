"""What `jaxrd limits --bottleneck` adds: the object `bottleneck` of limits.json, and bottleneck.csv."""

from __future__ import annotations

from jaxrd.information import NATS_PER_BIT
from jaxrd.io.write import columns, csv_rows
from jaxrd.tosc import LogLoss


def _columns(found: LogLoss) -> dict[str, object]:
    table = columns(found.curve, accuracy=False)
    believed = found.curve.model_distortion
    assert believed is not None
    table |= {
        "log_loss_bits": found.curve.distortion / NATS_PER_BIT,
        "believed_log_loss_bits": believed / NATS_PER_BIT,
        "oracle_rate_bits": found.oracle / NATS_PER_BIT,
    }
    del table["distortion"], table["model_distortion"]
    return table


def as_object(found: LogLoss) -> dict[str, object]:
    """The object of limits.json."""
    return {
        "label_entropy_bits": found.label_entropy / NATS_PER_BIT,
        "least_believed_log_loss_bits": found.least / NATS_PER_BIT,
        "least_log_loss_bits": found.least_measured / NATS_PER_BIT,
        "curve": _columns(found),
    }


def table(found: LogLoss) -> bytes:
    """bottleneck.csv: a row a point."""
    return csv_rows({"bottleneck": _columns(found)})
