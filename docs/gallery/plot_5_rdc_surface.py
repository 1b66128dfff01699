r"""
R(D, C): a source with a label
==============================

The lifted rate-distortion-classification function of a Bernoulli source whose label is the letter, flipped with
probability .1: the rate must serve a distortion D (Hamming) and leave at most C of the label's uncertainty. Every point
has a certificate; the closed form is the line.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import Problem, rdc

p, f = 0.3, 0.1
problem = Problem([1 - p, p], 1 - np.eye(2))
label = np.array([[1 - f, f], [f, 1 - f]])
d = np.linspace(0.01, 0.3, 12)
bits = np.array([0.55, 0.65, 0.75, 0.85])
found = rdc.surface(problem, label, d, bits * np.log(2))

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
colours = ["#D55E00", "#0072B2", "#009E73", "#CC79A7"]
for j, (c, colour, marker) in enumerate(zip(bits, colours, "os^D", strict=True)):
    ax.plot(d, found.rate[:, j] / np.log(2), marker=marker, color=colour, label=f"H(S | reproduction) ≤ {c} bit")
ax.set(xlabel="distortion D, probability of a wrong letter", ylabel="rate, bits per letter")
ax.legend()
plt.show()

# %%
# The widest gap between the two bounds of a point, in bits. Where D is small the classification costs nothing more;
# where D is large the rate is that of C alone.

print(f"{np.nanmax(found.gap) / np.log(2):.1e}")
