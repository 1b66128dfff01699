"""The options --codec and --bits of `jaxrd limits`: measured points of codecs, and rates, beside the curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from jaxrd.cli.common import Tick
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.at_bits import AtBits
    from jaxrd.documents.codec_points import Beside, Codec
    from jaxrd.tosc import Limits, Statistics
    from jaxrd.tosc.losses import Loss

Bits = Annotated[
    list[float] | None, typer.Option(help="rate in bits per sample: the best accuracy of every curve; repeatable")
]
Codecs = Annotated[
    list[Path] | None,
    typer.Option(
        "--codec",
        help="measured points of a codec, to be set beside every curve: CompressAI's .json, CompressAI-Vision's "
        "summary.csv, a log of sc2bench, jaxrd encode's .json, or a .csv with rate_bits (or bpp: needs --pixels) and "
        "accuracy; repeatable",
    ),
]


def check(bits: Sequence[float], codecs: Sequence[Path]) -> None:
    """Refuse impossible values before any work.

    Raises:
        InputError: quotes the value.
    """
    for rate in bits:
        if not 0 <= rate < np.inf:
            raise InputError(f"--bits must be a rate >= 0, in bits per sample; got {rate:g}.")
    for path in codecs:
        if not path.exists():
            raise InputError(f"{path} does not exist.")


def read(paths: Sequence[Path], pixels: int | None, loss: Loss | None = None) -> list[Codec]:
    """The codecs that the files hold.

    Args:
        paths: of the files.
        pixels: of a sample, if known.
        loss: of the task; None: 0/1.

    Raises:
        InputError: as `read_codec`; two codecs have one name.
    """
    if not paths:
        return []
    import hashlib

    from jaxrd.documents.codec_points import Codec
    from jaxrd.io import read_codec

    found: list[Codec] = []
    for path in paths:
        points = read_codec(path, pixels, accuracies=_accuracies(loss))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        found += [Codec(one, path.name, sha256) for one in points]
    names = [codec.points.name for codec in found]
    for name in names:
        if names.count(name) > 1:
            files = ", ".join(codec.file for codec in found if codec.points.name == name)
            raise InputError(f"two codecs are called {name!r} (in {files}): rename one.")
    return found


def _accuracies(loss: Loss | None) -> tuple[str, ...]:
    """The names of columns that hold 1 - D under a loss; none where it has no accuracy."""
    from jaxrd.io.codec import ACCURACY

    if loss is None or loss.is_zero_one:
        return ACCURACY
    if not loss.is_error:
        return ()
    kind = loss.name.partition(":")[0]
    return (f"accuracy_{kind}", *((kind, f"acc{kind[3:]}") if kind.startswith("top") else ()), "accuracy")


def widened(limits: Limits, codecs: Sequence[Codec]) -> Limits:
    """The limits at the codecs' distortions too: what `statistics` is to see."""
    if not codecs:
        return limits
    from jaxrd.documents.codec_points import extended

    return extended(limits, codecs)


def split(
    wide: Limits, rows: int, codecs: Sequence[Codec], statistics: Statistics | None, tick: Tick
) -> tuple[Statistics | None, Beside | None]:
    """The statistics at the distortions asked for alone, and the codecs beside the curves.

    Args:
        wide: from `widened`.
        rows: how many distortions were asked for.
        codecs: their points; none: nothing is compared.
        statistics: of `wide`, if they were asked for.
        tick: called as tick(what, done, total).
    """
    if not codecs:
        return statistics, None
    from jaxrd.documents.codec_points import beside, trimmed

    compared = beside(wide, codecs, rows, statistics, tick)
    return None if statistics is None else trimmed(statistics, rows), compared


def reached(limits: Limits, bits: Sequence[float], tick: Tick) -> AtBits | None:
    """The least distortions at the rates asked for; None where none were."""
    if not bits:
        return None
    from jaxrd.documents.at_bits import at_bits

    return at_bits(limits, bits, tick)
