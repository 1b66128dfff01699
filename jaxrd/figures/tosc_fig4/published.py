"""Published points of codecs on ImageNet, drawn beside the bounds of figure 4 of [A], and which have no numbers."""

from __future__ import annotations

import numpy as np

from jaxrd.datasets import embedded_path
from jaxrd.io.codec import CodecPoints, read_codec
from jaxrd.io.tables import read_columns

_FILE = "imagenet_codecs.csv"

MISSING = (
    "SOTA1 and SOTA2, the codecs that [A] draws: points of A. Harell et al., TPAMI 2025, ResNet-50 cut at two places; "
    "[A] prints no numbers of them, what could be read of that paper has none, and the code of N. Ahuja et al., CVPR "
    "2023 (the same cuts) holds weights and settings, no results",
    "S. Singh et al., End-to-end learning of compressible features, ICIP 2020: no numbers were found",
    "SC2 benchmark, TMLR 2023 (CR + BQ, end-to-end, entropic students of ResNet-101, RegNetY-6.4GF and a hybrid ViT): "
    "figures and weights, no numbers",
    "BottleFit, WoWMoM 2022, and FrankenSplit, TMC 2024: their code has no results",
    "CompressAI-Vision: its repository has no classification of ImageNet",
)
"""Codecs one would look for here, whose points could not be established from published numbers."""


def published(pixels: float) -> list[CodecPoints]:
    """Points of codecs for ImageNet's classes, from `jaxrd/data/imagenet_codecs.csv`: numbers, none read off a picture.

    Args:
        pixels: of a sample, which turn bits per image into bits per pixel.

    Returns:
        One `CodecPoints` a codec; its notes name the classifier behind it, and how and where its points were published.
    """
    path = embedded_path(_FILE)
    columns = {key: np.asarray(values).astype(str) for key, values in read_columns(path).items()}
    found = []
    for points in read_codec(path, pixels):
        name = points.name.removeprefix(path.stem).strip()
        row = int((columns["codec"] == name).argmax())
        model, how, source = (columns[key][row] for key in ("task_model", "established", "source"))
        note = f"{name}: {len(points.bpp)} points; its classifier: {model}; {how}: {source}"
        found.append(points._replace(name=name, notes=(note,)))
    return found
