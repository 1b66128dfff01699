r"""
Figure 1 of paper [A]: a Gaussian mixture
=========================================

A label of two equal classes is observed as X ~ N(±1, 1). iRD is what any scheme needs (exact); sending the decision
(E&C, here equal to iE&C) costs more, and so does compressing X itself under squared error and deciding from that (C&E,
exact). C&E turns back on itself: with more bits its accuracy first does not rise.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import plots, tosc
from jaxrd.tosc import mixture

source = mixture.GaussianMixture()
indirect = jax.vmap(lambda s: mixture.indirect(source, s))(np.geomspace(0.02, 60, 60))
compressed = jax.vmap(lambda s: mixture.compress_and_estimate(source, s))(np.geomspace(0.26, 30, 120))
joint = mixture.decision_joint(source)
decided = jax.vmap(lambda d: tosc.estimate_and_compress(joint, d))(np.linspace(0, 0.499, 60))

fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, curve in {"iRD": indirect, "E&C": decided, "C&E": compressed}.items():
    colour, _, dashes = plots.STYLE[name]
    usable = np.isfinite(curve.rate)
    ax.plot(curve.distortion[usable], curve.rate[usable] / np.log(2), color=colour, linestyle=dashes, label=name)
ax.set(xlabel="distortion D, probability of a wrong label", ylabel="rate, bits per sample", ylim=(0, 1.6))
ax.legend()
plt.show()

# %%
# iRD at some points, in bits.

for s in (0.5, 1.0, 2.0, 4.0, 8.0):
    point = mixture.indirect(source, s)
    print(f"slope {s}: D = {point.distortion:.6f}, R = {point.rate / np.log(2):.6f}")
