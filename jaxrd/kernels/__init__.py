"""The kernel exp(-s d) as an operator: the one seam between the solvers and how a distortion is stored."""
