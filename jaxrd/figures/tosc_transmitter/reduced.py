"""A network in fewer bits, without retraining: rounded to floats, pruned by magnitude, or uniformly quantised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_HALF = 16
"""Bits of a number in fp16: what stays a float is kept in it."""

Parameters = Mapping[str, np.ndarray]
"""Arrays by dotted name; kernels are reduced, biases (0.15 % of the LeNet's numbers) stay floats."""


class Reduced(NamedTuple):
    """A network as the transmitter computes with it, and its size."""

    parameters: dict[str, np.ndarray]
    """Float32, whatever they are stored in."""
    bits: float
    """Of storage."""


def _is_kernel(name: str) -> bool:
    return name.endswith("kernel")


def _rounded(array: np.ndarray) -> np.ndarray:
    """To fp16 and back."""
    return np.asarray(array, np.float16).astype(np.float32)


def whole(parameters: Parameters, width: int) -> Reduced:
    """All numbers as floats.

    Args:
        parameters: of the network, float32.
        width: bits a number, 32 or 16.
    """
    kept = {name: _rounded(array) if width == _HALF else array for name, array in parameters.items()}
    return Reduced(kept, width * sum(array.size for array in kept.values()))


def pruned(parameters: Parameters, sparsity: float) -> Reduced:
    """The kernels without their smallest numbers, all kernels ranked together; what stays is in fp16.

    Size: 16 bits a number that stays, and the entropy of which stay, N h(sparsity).

    Args:
        parameters: of the network.
        sparsity: share of the kernels' numbers that become zero, in [0, 1).

    >>> pruned({"a.kernel": np.array([4.0, -1.0, 2.0, -3.0])}, 0.5).parameters["a.kernel"].tolist()
    [4.0, 0.0, 0.0, -3.0]
    """
    kept = {name: _rounded(array) for name, array in parameters.items()}
    kernels = [name for name in kept if _is_kernel(name)]
    magnitudes = np.concatenate([np.abs(kept[name]).ravel() for name in kernels])
    count, stays = round(sparsity * magnitudes.size), np.ones(magnitudes.size, bool)
    stays[np.argsort(magnitudes, kind="stable")[:count]] = False
    ends = np.cumsum([kept[name].size for name in kernels])[:-1]
    for name, part in zip(kernels, np.split(stays, ends), strict=True):
        kept[name] = np.where(part.reshape(kept[name].shape), kept[name], 0)
    floats = sum(array.size for array in kept.values()) - count
    share = np.array([count, magnitudes.size - count]) / magnitudes.size
    entropy = -sum(p * np.log2(p) for p in share if p > 0)
    return Reduced(kept, _HALF * floats + float(magnitudes.size * entropy))


def quantised(parameters: Parameters, width: int) -> Reduced:
    """Each kernel rounded to the levels step * {-L, .., L}, L = 2^(width - 1) - 1, step = max |w| / L.

    Size: `width` bits a number, an fp32 step a kernel, biases in fp16.

    Args:
        parameters: of the network.
        width: bits a number of a kernel, at least 2.

    >>> quantised({"a.kernel": np.array([3.0, -1.4, 1.6, 0.4])}, 3).parameters["a.kernel"].tolist()
    [3.0, -1.0, 2.0, 0.0]
    """
    kept, bits = {}, 0
    for name, array in parameters.items():
        if not _is_kernel(name):
            kept[name], bits = _rounded(array), bits + _HALF * array.size
            continue
        step = float(np.abs(array).max()) / (2 ** (width - 1) - 1)
        kept[name] = np.asarray(step * np.round(array / step) if step else array, np.float32)
        bits += width * array.size + 32
    return Reduced(kept, bits)
