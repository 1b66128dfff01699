"""`jaxrd reproduce`: recompute a figure of the papers, with its numbers and claims."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from jaxrd.cli.common import Tick
from jaxrd.cli.mnist import Data, images_sha256, mnist_files, read_mnist, refuse_unless_mnist, without_networks
from jaxrd.cli.outputs import FirstLabel, LabelColumn, Labels, Probabilities, Reading, Scores, UnsafePickle
from jaxrd.cli.reproduce_networks import rdc_fig6_command, rdc_rates_command
from jaxrd.cli.reproduce_run import Out, reproduce
from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.figures.reproduction import Reproduction


class _Figures(TyperGroup):
    """The commands are figures: the error for an unknown one lists them."""

    # Any: the class of the context is not public: once click's, now a copy inside typer.
    def resolve_command(self, ctx: Any, args: list[str]):
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise InputError(f"no figure {args[0]!r}; there are: {', '.join(self.list_commands(ctx))}.")
        return super().resolve_command(ctx, args)


app: typer.Typer = typer.Typer(
    cls=_Figures,
    help="Recompute a figure of the papers: picture, numbers, and the paper's claims beside what was found.",
    no_args_is_help=True,
)


@app.command("identifiability")
def identifiability_command(
    out: Out = Path("reproduced"),
    data: Data = None,
    quick: Annotated[bool, typer.Option("--quick", help="fewer images and points: minutes become seconds")] = False,
) -> None:
    """Corrupted MNIST: what is known of H(Y|X), and which bounds change ([A], appendix)."""
    train, test = read_mnist(data)
    refuse_unless_mnist(test)
    try:
        from jaxrd.figures.identifiability.compute import CORRUPTIONS, identifiability
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    compute = identifiability
    if quick:
        train, test = (type(split)(split.images[:n], split.labels[:n]) for split, n in ((train, 6000), (test, 1000)))
        few = [c._replace(strengths=c.strengths[1::2]) for c in CORRUPTIONS]
        compute = partial(identifiability, accuracies=(0.7,), corruptions=few, slopes=4)
    sha256 = images_sha256(test, train)
    reproduce(
        "identifiability", lambda tick: compute(train, test, progress=tick), out, reads=mnist_files(data), sha256=sha256
    )


@app.command("tosc-fig1")
def tosc_fig1_command(
    prior: Annotated[float, typer.Option(help="q = P(Y = 1)")] = 0.5,
    separation: Annotated[float, typer.Option(help="a: the modes lie at -a and a, in deviations of the noise")] = 1.0,
    out: Out = Path("reproduced"),
) -> None:
    """Figure 1 of [A]: the Gaussian mixture; density, iRD, E&C, iE&C, oRD and C&E."""

    def compute(tick: Tick) -> Reproduction:
        from jaxrd.figures.tosc_fig1.compute import tosc_fig1

        return tosc_fig1(prior, separation, tick=tick)

    reproduce("tosc-fig1", compute, out)


@app.command("tosc-fig2")
def tosc_fig2_command(out: Out = Path("reproduced")) -> None:
    """Figure 2 of [A]: the order of all bounds, computed on a small example."""

    def compute(tick: Tick) -> Reproduction:
        from jaxrd.figures.tosc_fig2.compute import tosc_fig2

        return tosc_fig2(tick=tick)

    reproduce("tosc-fig2", compute, out)


_Classifiers = Annotated[Path | None, typer.Option(help="folder that holds classifiers/ (default: $JAXRD_DATA)")]


@app.command("tosc-fig3")
def tosc_fig3_command(out: Out = Path("reproduced"), data: _Classifiers = None) -> None:
    """The bounds on MNIST, and on CIFAR-100 and ImageNet if their outputs are there; the crossings of section IV-A."""
    from jaxrd.figures.classifiers import elsewhere, embedded
    from jaxrd.figures.tosc_fig3.compute import tosc_fig3
    from jaxrd.io.read import digest

    there, _ = elsewhere(data)
    reads = [one.path for one in embedded() + there]
    reproduce("tosc-fig3", lambda tick: tosc_fig3(data, tick=tick), out, reads=reads, sha256=digest(*reads))


@app.command("tosc-fig4")
def tosc_fig4_command(
    file: Annotated[
        Path | None, typer.Argument(help="your own outputs; none: ImageNet's if they are there, else the example's")
    ] = None,
    labels: Labels = None,
    scores: Scores = None,
    label_column: LabelColumn = None,
    probabilities: Probabilities = None,
    first_label: FirstLabel = None,
    unsafe_pickle: UnsafePickle = False,
    codec: Annotated[
        list[Path] | None,
        typer.Option(help="measured points: CompressAI .json, CompressAI-Vision summary.csv, a plain .csv; repeatable"),
    ] = None,
    pixels: Annotated[int | None, typer.Option(help="of a sample; ImageNet: 50176 (224 x 224); FILE needs it")] = None,
    data: _Classifiers = None,
    out: Out = Path("reproduced"),
) -> None:
    """Accuracy against bits per pixel: bounds, the merge baseline as range-coded bytes, codecs of yours and published.

    Published points are drawn where the outputs are ImageNet's (no FILE, and --data or JAXRD_DATA holds them).
    """
    from jaxrd.figures.classifiers import Classifier, elsewhere, embedded
    from jaxrd.figures.tosc_fig4.compute import tosc_fig4
    from jaxrd.figures.tosc_fig4.published import published
    from jaxrd.io import read_codec

    if pixels is not None and pixels < 1:
        raise InputError(f"--pixels must be at least 1; got {pixels}.")
    reading = Reading(labels, scores, label_column, probabilities, first_label, unsafe_pickle)
    reading.refuse_without(file)
    notes = []
    if file is None:
        there, notes = elsewhere(data, ["imagenet"])
        chosen = there[0] if there else embedded()[1]
        if not there:
            notes.append(f"{chosen.title} stands in")
    elif data is not None:
        raise InputError(f"pass FILE or --data, not both; got {file} and {data}.")
    elif pixels is None:
        raise InputError(f"say how many pixels a sample of {file.name} has: --pixels 50176 for 224 x 224.")
    else:
        chosen = Classifier(file.stem, file.name, file, pixels)
    count = pixels or chosen.pixels
    codecs = [points for path in codec or [] for points in read_codec(path, count)]
    known = published(count) if file is None and chosen.key == "imagenet" else []
    outputs, sha256 = reading.read(chosen.path)
    reproduce(
        "tosc-fig4",
        lambda tick: tosc_fig4(outputs, chosen.title, count, codecs=codecs, published=known, notes=notes, tick=tick),
        out,
        reads=(chosen.path, labels, *(codec or [])),
        sha256=sha256,
    )


@app.command("tosc-complexity")
def tosc_complexity_command(out: Out = Path("reproduced"), data: _Classifiers = None) -> None:
    """ResNet-50 cut at every block: bits of model at the transmitter, against rate and accuracy (section IV-B)."""
    from jaxrd.figures.classifiers import elsewhere
    from jaxrd.figures.tosc_complexity.compute import tosc_complexity
    from jaxrd.io import read_outputs

    there, notes = elsewhere(data, ["imagenet"])
    if not there:
        reproduce("tosc-complexity", lambda _: tosc_complexity(None, "1000 equally likely labels", notes=notes), out)
        return
    outputs, sha256 = read_outputs(there[0].path)
    reproduce(
        "tosc-complexity", lambda _: tosc_complexity(outputs, there[0].title), out, reads=[there[0].path], sha256=sha256
    )


@app.command("tosc-transmitter")
def tosc_transmitter_command(out: Out = Path("reproduced"), data: Data = None) -> None:
    """A pruned and quantised LeNet at the transmitter: accuracy and limits over its size (section IV-B of [A])."""
    _, test = read_mnist(data)
    refuse_unless_mnist(test)
    try:
        from jaxrd.figures.tosc_transmitter.compute import tosc_transmitter
    except ModuleNotFoundError as error:
        raise without_networks(error) from error
    reproduce(
        "tosc-transmitter", lambda tick: tosc_transmitter(test, progress=tick), out,
        reads=mnist_files(data), sha256=images_sha256(test),
    )  # fmt: skip


@app.command("rdc-fig3")
def rdc_fig3_command(out: Out = Path("reproduced")) -> None:
    """Figure 3 of [B]: what three representations of MNIST codewords can be decoded to, in each semantics."""
    from jaxrd.datasets import embedded_path
    from jaxrd.io.read import digest

    def compute(tick: Tick) -> Reproduction:
        from jaxrd.figures.rdc_fig3.compute import digits, rdc_fig3

        return rdc_fig3(*digits(), tick=tick)

    reproduce("rdc-fig3", compute, out, sha256=digest(embedded_path("rdc_digits.npz")), seed=0)


@app.command("rdc-fig4")
def rdc_fig4_command(out: Out = Path("reproduced")) -> None:
    """Figure 4 of [B]: a Gaussian source's distortion against classification loss, corrected and as printed."""

    def compute(tick: Tick) -> Reproduction:
        from jaxrd.figures.rdc_fig4.compute import rdc_fig4

        tick("rdc-fig4", 0, 1)
        return rdc_fig4()

    reproduce("rdc-fig4", compute, out)


@app.command("rdc-thm5")
def rdc_thm5_command(out: Out = Path("reproduced")) -> None:
    """Theorem 5 of [B]: bounds on distortion gap and ratio against the true ones, and where the premise fails."""
    from jaxrd.figures.rdc_thm5.compute import rdc_thm5

    reproduce("rdc-thm5", lambda tick: rdc_thm5(tick=tick), out)


# Figures of networks, which train for minutes to hours.
app.command("rdc-fig6")(rdc_fig6_command)
app.command("rdc-rates")(rdc_rates_command)
