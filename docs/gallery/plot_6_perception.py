r"""
R(D, P): realism costs rate
===========================

The rate-distortion-perception function: the reproductions' law must lie within P of the source's, here in total
variation. P = ∞ is ordinary R(D); P = 0 asks for reproductions that are distributed as the source.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import Problem, rdc

p = np.array([0.55, 0.25, 0.15, 0.05])
problem = Problem(p, 1 - np.eye(4))
d = np.linspace(0.05, 0.44, 14)

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for limit, colour, marker in ((np.inf, "#000000", "."), (0.1, "#0072B2", "s"), (0.0, "#D55E00", "o")):
    points = [rdc.perceptual_rate(problem, at, limit) for at in d]
    rate = np.array([point.rate for point in points]) / np.log(2)
    ax.plot(d, rate, marker=marker, color=colour, label=f"total variation ≤ {limit}")
    print(f"P = {limit}: widest gap {max(point.rate - point.lower for point in points) / np.log(2):.1e} bit")
ax.set(xlabel="distortion D, probability of a wrong letter", ylabel="rate, bits per letter")
ax.legend()
plt.show()
