"""Rate, distortion, classification, perception (paper [B]): computed, with certificates."""

from jaxrd.rdc import gaussian

__all__ = ["gaussian"]
