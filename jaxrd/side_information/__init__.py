"""Side information: a receiver that already knows something, S, when the message about X arrives.

`rate`, `sweep` and `rate_at` give Wyner and Ziv's curve, where the decoder alone knows S, or with `both=True` the
conditional rate-distortion function, where the encoder knows it, too; certified as all points of this library. Rates
in nats.
"""

from jaxrd.side_information.points import rate, sweep
from jaxrd.side_information.problem import JointProblem, strategies
from jaxrd.side_information.target import rate_at

__all__ = ["JointProblem", "rate", "rate_at", "strategies", "sweep"]
