r"""
The limits of a classifier
==========================

What `jaxrd limits` draws, from Python: how few bits per sample any scheme needs for an accuracy, given a classifier's
outputs and the labels of the same samples. The outputs are the embedded ones: a LeNet on noisy MNIST.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import datasets, plots, tosc
from jaxrd.io import read_outputs

outputs, _ = read_outputs(datasets.example_path("mnist-noisy"))
limits = tosc.limits(outputs, at=[0.3], slopes=16)

fig, ax = plt.subplots(figsize=(7.5, 5.2), layout="constrained")
ends = {key: limits.summary[key] for key in ("task_model_distortion", "zero_rate_distortion")}
plots.limits_axes(ax, limits.curves, meanings=tosc.CURVES, **ends)
plt.show()

# %%
# Bits per sample at accuracy 0.7. `TMRD_model` is over the distortion that the model believes; all others are over the
# errors counted on the labels.

for name, rate in limits.at[0].items():
    if name != "distortion" and rate is not None:
        print(f"{name:10s} {rate / np.log(2):.4f}")
