"""Files in and out: classifier outputs, problems, curves."""

from jaxrd.io.read import read_outputs, read_problem
from jaxrd.io.write import compressai, csv_rows, save_all, to_json

__all__ = ["compressai", "csv_rows", "read_outputs", "read_problem", "save_all", "to_json"]
