"""Figures of the papers, recomputed: each a function to a `Reproduction`, its numbers beside its picture."""

from jaxrd.figures.reproduction import Claim, Reproduction

__all__ = ["Claim", "Reproduction"]
