"""`jaxrd decode`: the decisions out of a stream, and nothing but the stream."""

import io
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from jaxrd.cli.common import console, write


def decode_command(
    file: Annotated[Path, typer.Argument(help="a stream that jaxrd encode wrote")],
    out: Annotated[Path, typer.Option(help="the decisions, int32, one a sample")] = Path("decisions.npy"),
) -> None:
    """The decisions that a stream holds, bit for bit; a damaged stream is refused."""
    from jaxrd._files import read_bytes
    from jaxrd.coding import decode
    from jaxrd.errors import InputError
    from jaxrd.io.save import check_target

    if out.suffix != ".npy":
        raise InputError(f"--out must be a name that ends in .npy; got {out}.")
    check_target(out.parent, [out.name], [file])
    stream = read_bytes(file)
    try:
        decisions = decode(stream)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    content = io.BytesIO()
    np.save(content, decisions)
    (written,) = write(out.parent, [(out.name, content.getvalue())])
    console.print(f"wrote {written}: {len(decisions)} decisions", soft_wrap=True, highlight=False)
