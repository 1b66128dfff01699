"""Blocks of n letters: what a code of finite length needs for a distortion that few blocks may exceed.

`rate` gives a rigorous lower bound, the normal approximation, and a rate that a code is proved to reach; `dispersion`
and `tilted_information` are those of any solved point. Rates in nats a letter.
"""

from jaxrd.blocklength.blocks import Blocks, rate
from jaxrd.blocklength.tilted import dispersion, tilted_information

__all__ = ["Blocks", "dispersion", "rate", "tilted_information"]
