"""Distortion measures: as matrices, or as the data of a matrix too large to hold."""

from jaxrd.distortion.discounts import SparseDiscount
from jaxrd.distortion.measures import hamming, log_loss, pairwise_squares, remote, squared_error
from jaxrd.distortion.points import PointCloud
from jaxrd.distortion.streamed import Streamed
from jaxrd.distortion.structured import Structured, expected, is_matrix, resident

__all__ = [
    "PointCloud",
    "SparseDiscount",
    "Streamed",
    "Structured",
    "expected",
    "hamming",
    "is_matrix",
    "log_loss",
    "pairwise_squares",
    "remote",
    "resident",
    "squared_error",
]
