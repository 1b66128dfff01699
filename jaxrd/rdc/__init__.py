"""Rate, distortion, classification and perception (paper [B]): computed, with certificates, the semantics named."""

from jaxrd.rdc import gaussian
from jaxrd.rdc.discrete import lifted_rate, lifted_solve
from jaxrd.rdc.point import Least, Point

__all__ = ["Least", "Point", "gaussian", "lifted_rate", "lifted_solve"]
