r"""
Blocks of n letters
===================

R(D) is a promise for endless blocks. For n letters of a Bernoulli(.11) source, D = .05, exceeded in one block of a
hundred: no code has less than the lower line, some code has the upper one, and the normal approximation
is neither: at n = 10 it lies above the upper line.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import Problem, blocklength, rate_at

coin = Problem([0.89, 0.11], 1 - np.eye(2))
n = [10, 20, 50, 100, 200, 500, 1000]
blocks = blocklength.rate(coin, 0.05, n, excess=0.01)
limit = float(rate_at(coin, 0.05).rate)

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.fill_between(n, blocks.lower / np.log(2), blocks.upper / np.log(2), color="#0072B2", alpha=0.2)
ax.plot(n, blocks.upper / np.log(2), "s-", color="#0072B2", label="achievable: some code has this")
ax.plot(n, blocks.lower / np.log(2), "o-", color="#D55E00", label="converse: no code has less")
ax.plot(n, blocks.approximation / np.log(2), "k--", label="normal approximation, neither bound")
ax.axhline(limit / np.log(2), color="0.4", linestyle=":", label="R(D), endless blocks")
ax.set(xscale="log", xlabel="letters in a block", ylabel="rate, bits per letter")
ax.legend()
plt.show()

# %%
# In bits per letter.

for row in zip(n, blocks.lower, blocks.approximation, blocks.upper, strict=True):
    print("n = {:5d}: {:.4f} <= rate, about {:.4f}, <= {:.4f}".format(row[0], *(float(v) / np.log(2) for v in row[1:])))
