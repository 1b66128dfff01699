"""Figures of the papers, recomputed: each module or folder holds one, a function that returns a
`Reproduction`: a picture with its numbers and claims. `jaxrd.cli.reproduce` has a command for each."""

from jaxrd.figures.reproduction import Claim, Reproduction

__all__ = ["Claim", "Reproduction"]
