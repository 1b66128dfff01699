"""Files in and out: classifier outputs, problems, curves, a codec's measured points."""

from jaxrd.io.codec import CodecPoints, read_codec
from jaxrd.io.read import read_outputs, read_problem
from jaxrd.io.save import differing, save_all
from jaxrd.io.write import compressai, csv_rows, to_json

__all__ = [
    "CodecPoints",
    "compressai",
    "csv_rows",
    "differing",
    "read_codec",
    "read_outputs",
    "read_problem",
    "save_all",
    "to_json",
]
