"""The kernel exp(-s d) as an operator: the one seam between the solvers and how a distortion is stored."""

from jaxrd.kernels import blocked, sparse
from jaxrd.kernels.dense import kernel_of
from jaxrd.kernels.protocol import HeldKernel, Kernel, ratio

__all__ = ["HeldKernel", "Kernel", "blocked", "kernel_of", "ratio", "sparse"]
