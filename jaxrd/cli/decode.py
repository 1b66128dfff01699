"""`jaxrd decode`: read the decisions from a stream; nothing else is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from jaxrd.cli.common import Tick
from jaxrd.cli.run import run_decoder
from jaxrd.errors import InputError, StreamError


def decode_command(
    file: Annotated[Path, typer.Argument(help="a stream that jaxrd encode wrote")],
    out: Annotated[Path, typer.Option(help="the decisions, int32, one a sample")] = Path("decisions.npy"),
) -> None:
    """The decisions that a stream holds, bit for bit; a damaged stream is refused."""
    run_decoder(file, out, _decisions, lambda decisions: f"{len(decisions)} decisions")


def _decisions(stream: bytes, _: Tick) -> np.ndarray:
    from jaxrd.coding import decode

    try:
        return decode(stream)
    except InputError as error:
        raise StreamError(str(error)) from None
