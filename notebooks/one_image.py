# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How many bits for one image?
#
# A rate-distortion curve is a promise for endless blocks. A camera that sends one message an image pays more; a
# receiver with a weak model of its own needs less. This notebook goes from a classifier's outputs to bits in a file:
#
# 1. the certified rate at an accuracy, for endless blocks;
# 2. what a message an image costs, by bound and in real bytes, and what coding a few images together gives back;
# 3. what *any* code of n labels must spend, proved, and what some code is proved to reach;
# 4. what is saved where both ends know the receiver's own decisions, and where the receiver alone knows something.
#
# To run it: `pip install -e '.[notebooks]'`, then open it, or run its source, `python one_image.py`: half a minute on
# two CPU cores. `JAXRD_DATA` names the folder that holds `classifiers/`; without it the outputs embedded in the package
# are used. `JAXRD_NOTEBOOK_SMALL=1` makes it a smoke test. Most numbers come from the command line, too:
# `jaxrd limits FILE --accuracy 0.6 --known RECEIVER.npz`, `jaxrd sweep PROBLEM.npz --block 1,10,100 --excess .01`.

# %%
import os
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

from jaxrd import Problem, blocklength, coding, optimal_channel, side_information, solve, tosc
from jaxrd.datasets import example_path
from jaxrd.io import read_outputs
from jaxrd.tosc.known import given_decisions

jax.config.update("jax_enable_x64", True)
SMALL = os.environ.get("JAXRD_NOTEBOOK_SMALL", "") not in ("", "0")
BIT = np.log(2)

file = Path(os.environ.get("JAXRD_DATA", "")) / "classifiers" / "mnist_probs.npz"
if os.environ.get("JAXRD_DATA") and file.exists():
    outputs, _ = read_outputs(file)
    source = "a classifier of MNIST"
else:
    outputs, _ = read_outputs(example_path("mnist-noisy"))
    source = "FALLBACK, no classifiers in $JAXRD_DATA: the embedded LeNet on noisy MNIST"
if SMALL:
    outputs = outputs.take(np.arange(1200))
print(source)
right = (outputs.decisions == outputs.labels).mean()
ACCURACY = round(0.8 * right, 2)
D = 1 - ACCURACY
print(f"{len(outputs.labels)} samples, {right:.1%} right; what do {ACCURACY:.0%} cost?")

# %% [markdown]
# ## 1. Endless blocks
#
# `limits` gives the fewest bits per image of every kind of scheme. oRD is what nobody beats; TMRD is the best that this
# model can do if it is calibrated; iE&C codes its decisions knowing what they will be used for.

# %%
found = tosc.limits(outputs, at=[D], slopes=8 if SMALL else 32)
row = found.at[0]
for name in ("oRD", "TMRD", "iE&C"):
    print(f"{name:5} {row[name] / BIT:.4f} bits per image at {ACCURACY:.0%} accuracy, in endless blocks")
decisions_entropy = found.summary["estimate_entropy_nats"] / BIT
print(f"the decisions as they are: H = {decisions_entropy:.4f} bits, {1 - found.summary['task_model_distortion']:.1%}")

# %% [markdown]
# ## 2. One message an image
#
# TMRD is a channel from an image to a decision. With shared randomness it is simulated by sending an index; a message
# of its own for each image takes at most I + log2(I + 2) + 3 bits on average. `encode` makes the bytes; `decode` reads
# them without the images. Coding n images together spreads the overhead, and the search for an index grows
# exponentially with n.

# %%
place = found.workings.places[0]["TMRD"]
v = np.exp(np.asarray(found.workings.log_v))
problem = Problem(np.full(len(v), 1 / len(v)), 1 - v)
channel = np.asarray(optimal_channel(problem, solve(problem, place.parameter)))
labels = found.workings.outputs.labels
rate = row["TMRD"]
print(f"bound for a message an image: {coding.payload_bound(rate, len(v)) / BIT:.2f} bits")
spent = {}
for block in (1, 2, 3):
    sent = coding.encode(channel, block=block, seed=1)
    decoded = coding.decode(sent.stream)
    spent[block] = 8 * sent.payload_bytes / len(v)
    right = (decoded == labels).mean()
    print(f"{block} images a message: {spent[block]:.3f} bits per image in the file, {right:.1%} of the decoded right")
coded = coding.encode_decisions(found.workings.actions, outputs.classes)
print(f"all decisions in one file: {8 * coded.payload_bytes / len(v):.3f} bits per image")

# %% [markdown]
# A simulated channel needs blocks before it pays: image by image, the plain decision can be the cheaper message. That
# is what the table "bits per image, if images are sent one by one" of `jaxrd limits` shows.
#
# ## 3. What any code of n labels must spend
#
# For the labels themselves (ten classes, equally likely, wrong with frequency at most D in all but 5 % of the blocks)
# both sides are proved: `lower` by the converse of Kostina and Verdu, `upper` by random words. The approximation
# between them is neither.

# %%
classes = outputs.classes
lengths = [1, 10, 100, 1000]
blocks = blocklength.rate(Problem(np.full(classes, 1 / classes), 1 - np.eye(classes)), D, lengths, excess=0.05)
print(f"endless blocks: {blocks.rate / BIT:.4f} bits a label")
for n, low, near, high in zip(lengths, blocks.lower, blocks.approximation, blocks.upper, strict=True):
    print(f"n = {n:4}: at least {low / BIT:.4f}, approximately {near / BIT:.4f}, some code {high / BIT:.4f}")

# %%
figure, ax = plt.subplots(figsize=(6.4, 4))
ax.fill_between(
    lengths, blocks.lower / BIT, blocks.upper / BIT, color="#0072B2", alpha=0.25, label="between the bounds"
)
ax.plot(lengths, blocks.approximation / BIT, "--", color="#0072B2", label="approximation")
ax.axhline(blocks.rate / BIT, color="0.3", linewidth=1, label="endless blocks")
ax.set_xscale("log")
ax.set_xlabel("n, labels of a block")
ax.set_ylabel("rate  [bits per label]")
ax.legend(frameon=False)
plt.close(figure) if SMALL else plt.show()

# %% [markdown]
# ## 4. A receiver that already knows something
#
# Let the receiver have a weak classifier of its own: here the same scores, coarser and noisy. Where both ends know its
# decisions, each of them leaves a smaller problem, all at one slope.

# %%
noise = np.random.default_rng(0).standard_normal(v.shape)
weak = (0.25 * np.log(v) + 2 * noise).argmax(1)
known = given_decisions(found, weak, slopes=8 if SMALL else 32)
print(f"the receiver alone: {(weak == labels).mean():.1%} right")
for name in ("oRD", "TMRD", "iE&C"):
    print(f"{name:5} {known.at[0][name] / BIT:.4f} bits per image, saves {known.saving[0][name] / BIT:.4f}")

# %% [markdown]
# If only the receiver knows, the encoder must bet. Wyner and Ziv's rate is certified as all others where the strategies
# are few. A receiver that tells low from high digits, right 80 % of the time:

# %%
tells = 0.8
low_digit = np.arange(classes) < classes // 2
joint = np.where(low_digit[:, None], [tells, 1 - tells], [1 - tells, tells]) / classes
informed = side_information.JointProblem(joint, 1 - np.eye(classes))
alone = side_information.rate_at(informed, D)
both = side_information.rate_at(informed, D, both=True)
print(f"nobody knows     {blocks.rate / BIT:.6f} bits a label")
print(f"the receiver     {float(alone.rate) / BIT:.6f} (certified gap {float(alone.gap):.0e} nat)")
print(f"both ends        {float(both.rate) / BIT:.6f}")
