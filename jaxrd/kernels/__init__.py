"""The kernel exp(-s d) as an operator: the only interface between the solvers and the storage of a distortion."""

from jaxrd.kernels import blocked, sparse
from jaxrd.kernels.dense import kernel_of
from jaxrd.kernels.letters import AllLetters
from jaxrd.kernels.protocol import HeldKernel, Kernel, ratio

__all__ = ["AllLetters", "HeldKernel", "Kernel", "blocked", "kernel_of", "ratio", "sparse"]
