r"""
A solved curve beside its closed form
=====================================

A Gaussian source on a grid, squared error. The band between `lower` and `rate` is certified: it holds
R(D) of the source *on the grid*. It cannot be seen in the figure, so the second axis shows its width. The closed form,
ln(σ / √D), is that of the continuous source; the grid ends at four standard deviations.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
import jaxrd

x = np.linspace(-4, 4, 101)
p = np.exp(-(x**2) / 2)
problem = jaxrd.Problem(p / p.sum(), (x[:, None] - x) ** 2)
curve = jaxrd.check(jaxrd.sweep(problem, np.geomspace(0.5, 40, 40)))

d = np.asarray(curve.distortion)
fig, (ax, width) = plt.subplots(2, 1, figsize=(7, 6), height_ratios=(3, 1), sharex=True, layout="constrained")
ax.plot(d, jaxrd.closed_form.gaussian.rate(d, 1.0) / np.log(2), color="black", dashes=(4, 2), label="closed form")
ax.plot(d, curve.rate / np.log(2), "o", ms=4, color="#D55E00", label="solved, certified")
ax.set(ylabel="rate, bits per letter", title="Gaussian source, squared error")
ax.legend()
width.semilogy(d, np.maximum(curve.gap, 1e-16) / np.log(2), ".", color="#0072B2")
width.set(xlabel="distortion D, mean squared error", ylabel="gap, bits")
plt.show()

# %%
# The numbers: distortion, the lower bound and the rate, in bits.

for k in range(0, len(d), 8):
    print(f"{d[k]:.6f}  {curve.lower[k] / np.log(2):.9f} <= R(D) <= {curve.rate[k] / np.log(2):.9f}")
