"""Rate, distortion and classification (paper [B]): computed, with certificates, the semantics named."""

from jaxrd.rdc.discrete import lifted_rate, lifted_solve
from jaxrd.rdc.point import Least, Point

__all__ = ["Least", "Point", "lifted_rate", "lifted_solve"]
