r"""
Any label prior, in closed form
===============================

The rate-distortion function of unequal letters under Hamming distortion (Erokhin): the least likely letters are given
up one after another, so the curve is made of pieces. It is the oracle curve oRD of paper [A]. The solver's certificate
holds it at every point.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
import jaxrd

p = np.array([0.5, 0.25, 0.15, 0.07, 0.03])
d = np.linspace(0, 0.55, 200)
rate = np.array([float(jaxrd.closed_form.categorical.rate(p, at)) for at in d])
asked = [0.05, 0.15, 0.25, 0.35, 0.45]
points = [jaxrd.rate_at(jaxrd.Problem(p, 1 - np.eye(5)), at) for at in asked]

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(d, rate / np.log(2), color="black", label="closed form, exact")
ax.plot(asked, [q.rate / np.log(2) for q in points], "o", color="#D55E00", label="solved at D, certified")
ax.set(xlabel="distortion D, probability of a wrong label", ylabel="rate, bits per label")
ax.set_title("labels with probabilities .5, .25, .15, .07, .03")
ax.legend()
plt.show()

# %%
# The closed form lies inside every certificate.

for at, q in zip(asked, points, strict=True):
    exact = float(jaxrd.closed_form.categorical.rate(p, at))
    print(f"D = {at}: {q.lower:.10f} <= {exact:.10f} <= {q.rate:.10f} nat")
    assert q.lower - 1e-12 <= exact <= q.rate + 1e-12
