"""The options that say how a FILE of a classifier's outputs is read; several verbs share them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.cli.common import Tick
    from jaxrd.tosc import Outputs

_KINDS = ".npz, .npy with --labels, a folder, .csv, .tsv, .parquet, .json, .jsonl, .h5, .mat, .safetensors or .pt"
OutputsFile = Annotated[Path | None, typer.Argument(help=f"outputs: {_KINDS}; none: the example")]
OutputsFiles = Annotated[
    list[Path] | None,
    typer.Argument(help=f"outputs: {_KINDS}; several models are compared with the first; none: the example"),
]
Labels = Annotated[Path | None, typer.Option(help="file of labels, where FILE has none")]
# For files whose names and rows are ambiguous:
Scores = Annotated[
    str | None,
    typer.Option(
        help="the array or columns of the scores: a name, a list a,b,c in the order of the classes, or 'prob_*', "
        "quoted, in numeric order"
    ),
]
LabelColumn = Annotated[str | None, typer.Option(help="the array or column of the labels, in FILE or in --labels")]
Probabilities = Annotated[
    bool | None,
    typer.Option("--probabilities/--logits", help="what the scores are; rows of probabilities are renormalised"),
]
FirstLabel = Annotated[int | None, typer.Option(help="the number of the first class in the labels, 0 or 1", min=0)]
UnsafePickle = Annotated[
    bool,
    typer.Option("--unsafe-pickle", help="read pickles too: they can run any code, so only from a source you trust"),
]


Weights = Annotated[
    str | None,
    typer.Option(
        help="of the samples: an array or column of FILE, or a file; one named weights in FILE is used anyway"
    ),
]


class Reading(NamedTuple):
    """The values of these options."""

    labels: Path | None
    scores: str | None
    label_column: str | None
    probabilities: bool | None
    first_label: int | None
    unsafe_pickle: bool
    weights: str | None = None

    def refuse_without(self, file: Path | None) -> None:
        """Refuse options that say how FILE is read where the example is used instead.

        Raises:
            InputError: names the first option that was given.
        """
        for name, value in self._asdict().items() if file is None else ():
            if name == "probabilities" and value is False:
                name = "logits"
            elif value is None or value is False:
                continue
            verb = "are" if name in ("labels", "scores", "logits", "probabilities", "weights") else "is"
            raise InputError(f"--{name.replace('_', '-')} {verb} for a FILE of outputs; none was named.")

    def read(self, path: Path, tick: Tick | None = None, *, shared: bool = False) -> tuple[Outputs, str]:
        """The outputs, and the SHA-256 of their files; `tick` is called while they are read.

        Raises:
            InputError: as `read_outputs`.
        """
        from jaxrd.io import read_outputs

        return read_outputs(
            path, self.labels, scores=self.scores, label_column=self.label_column, probabilities=self.probabilities,
            first_label=self.first_label, unsafe_pickle=self.unsafe_pickle, weights=self.weights, progress=tick,
            shared=shared,
        )  # fmt: skip
