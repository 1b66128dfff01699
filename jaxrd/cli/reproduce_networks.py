"""The figures of `jaxrd reproduce` that train networks, with progress in lines and runs that can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jaxrd.cli.common import Tick, errors
from jaxrd.cli.mnist import (
    ClassifierFile,
    Data,
    fixed_classifier,
    images_sha256,
    mnist_files,
    read_mnist,
    refuse_unless_mnist,
    without_networks,
)
from jaxrd.cli.reproduce_run import Out, reproduce

if TYPE_CHECKING:
    from jaxrd.figures.reproduction import Reproduction


def _say(line: str) -> None:
    errors.print(line, style="dim", soft_wrap=True, highlight=False)


def rdc_fig6_command(
    out: Out = Path("reproduced"),
    data: Data = None,
    classifier: ClassifierFile = None,
    quick: Annotated[bool, typer.Option("--quick", help="few images, models and epochs: hours become minutes")] = False,
) -> None:
    """Figure 6 of [B]: autoencoders on MNIST at 4.75 bits, conventional and universal, beside a quantiser.

    After an interruption the same command continues from the last finished epoch: OUT/rdc-fig6.runs holds its
    checkpoints, which may be deleted once the figure is there.
    """
    train, test = read_mnist(data)
    try:
        from jaxrd.figures.rdc_fig6.compute import rdc_fig6
        from jaxrd.figures.rdc_fig6.plan import FULL, QUICK
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    sha256, model = images_sha256(test, train), fixed_classifier(classifier, train, test)

    def compute(tick: Tick) -> Reproduction:
        plan = QUICK if quick else FULL
        return rdc_fig6(train, test, out / "rdc-fig6.runs", sha256=sha256, model=model, plan=plan, tick=tick, say=_say)

    reads = (*mnist_files(data), classifier)
    reproduce("rdc-fig6", compute, out, reads=reads, sha256=sha256, seed=0, float32=True)


def rdc_rates_command(
    out: Out = Path("reproduced"),
    data: Data = None,
    quick: Annotated[bool, typer.Option("--quick", help="few images, models and epochs: hours become minutes")] = False,
) -> None:
    """Autoencoders on MNIST at 16, 32 and 64 bits, universal decoders of two labels and realism, and plain codes.

    After an interruption the same command continues from the last finished epoch: OUT/rdc-rates.runs holds its
    checkpoints, which may be deleted once the figure is there.
    """
    train, test = read_mnist(data)
    refuse_unless_mnist(test)
    try:
        from jaxrd.figures.rdc_rates.figure import rdc_rates
        from jaxrd.figures.rdc_rates.plan import FULL, QUICK
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    sha256, plan = images_sha256(test, train), QUICK if quick else FULL

    def compute(tick: Tick) -> Reproduction:
        return rdc_rates(train, test, out / "rdc-rates.runs", sha256=sha256, plan=plan, tick=tick, say=_say)

    reproduce("rdc-rates", compute, out, reads=mnist_files(data), sha256=sha256, seed=0, float32=True)
