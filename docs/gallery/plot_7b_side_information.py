r"""
A receiver that already knows something
=======================================

Two symmetric coins that agree with probability 3/4: X is sent, S is known to the receiver. Wyner and Ziv's rate lies
between that of a sender who also knows S, and that of nobody knowing it. Its closed form is the lower convex envelope
of h(p * D) - h(D) and the point (p, 0).
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import Problem, rate_at
from jaxrd import side_information as si

problem = si.JointProblem(np.array([[0.375, 0.125], [0.125, 0.375]]), 1 - np.eye(2))  # p(x, s), d(x, y)
d = np.linspace(0.01, 0.25, 13)
rates = {
    "nobody knows S": [rate_at(Problem([0.5, 0.5], 1 - np.eye(2)), at) for at in d],
    "the receiver knows S: Wyner-Ziv": [si.rate_at(problem, at) for at in d],
    "both know S": [si.rate_at(problem, at, both=True) for at in d],
}

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for (name, points), colour, marker in zip(rates.items(), ("#000000", "#D55E00", "#0072B2"), ".os", strict=True):
    ax.plot(d, [p.rate / np.log(2) for p in points], marker=marker, color=colour, label=name)
ax.set(xlabel="distortion D, probability of a wrong letter", ylabel="rate, bits per letter")
ax.legend()
plt.show()

# %%
# The widest gap between the bounds of a point, in bits.

for name, points in rates.items():
    print(f"{name}: {max(float(p.gap) for p in points) / np.log(2):.1e}")
