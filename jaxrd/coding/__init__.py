"""Channel simulation: send a sample of a channel's output in about as many bits as its mutual information."""

from jaxrd.coding.codec import Encoded, decode, encode
from jaxrd.coding.law import index_entropy, mean_index, payload_bound
from jaxrd.coding.poisson import Simulation, expected_candidates, quantised_law, reproduce, simulate

__all__ = [
    "Encoded",
    "Simulation",
    "decode",
    "encode",
    "expected_candidates",
    "index_entropy",
    "mean_index",
    "payload_bound",
    "quantised_law",
    "reproduce",
    "simulate",
]
