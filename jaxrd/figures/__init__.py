"""Figures of the papers, recomputed: each function returns a `Reproduction`, a picture with its numbers."""

from jaxrd.figures.reproduction import Claim, Reproduction

__all__ = ["Claim", "Reproduction"]
