"""Channel simulation, a sample of a channel's output in about its mutual information; entropy-coded decisions."""

from jaxrd.coding.codec import Encoded, decode, encode
from jaxrd.coding.decisions import Coded, decisions_bound, encode_decisions
from jaxrd.coding.law import index_entropy, mean_index, payload_bound
from jaxrd.coding.poisson import Simulation, expected_candidates, quantised_law, reproduce, simulate

__all__ = [
    "Coded",
    "Encoded",
    "Simulation",
    "decisions_bound",
    "decode",
    "encode",
    "encode_decisions",
    "expected_candidates",
    "index_entropy",
    "mean_index",
    "payload_bound",
    "quantised_law",
    "reproduce",
    "simulate",
]
