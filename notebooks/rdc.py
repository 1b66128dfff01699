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
# %% [markdown]
# # Rate, distortion and classification: four meanings of one function
#
# A code sends $X$ at a rate $R$; the decoder wants $\hat X$ close to $X$ (distortion $D$) and a label $S$ of $X$ still
# to be told from what it got (classification loss $C$, nats). What exactly must tell the label? There are four answers
# and four functions $R(D, C)$, and they differ:
#
# * **literal**: $H(S|\hat X) \le C$, the letter $\hat X$ of a fixed alphabet must tell it;
# * **time-shared**: literal codes may take turns;
# * **lifted**: the decoder may emit a soft label beside $\hat X$; this is an ordinary rate-distortion function;
# * **fixed classifier**: a given classifier must do well on $\hat X$, as in most experiments.
#
# On one alphabet lifted $\le$ time-shared $\le$ literal $\le$ fixed classifier. The lifted and the fixed-classifier
# function are convex and come with certificates; the others are searched, with the lifted bound from below.
#
# To run it: `pip install -e '.[notebooks]'`, then open it, or run its source, `python rdc.py`: a minute on two CPU
# cores, no data. `JAXRD_NOTEBOOK_SMALL=1` makes it a smoke test. How the `.ipynb` is written stands in the README.

# %%
import os
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from jaxrd import Problem
from jaxrd.rdc import (
    cross_entropies,
    fixed_classifier_rate,
    lifted_rate,
    literal_rate,
    time_shared_rate,
    universal_lifted_rate,
)
from jaxrd.rdc.gaussian import vector as vector_gaussian
from jaxrd.rdc.representation.literal import literal_boundary
from jaxrd.rdc.representation.region import lifted_region, time_shared_region
from jaxrd.rdc.representation.universal import universal_vector_gaussian_rate

jax.config.update("jax_enable_x64", True)
SMALL = os.environ.get("JAXRD_NOTEBOOK_SMALL", "") not in ("", "0")
POINTS, STARTS = (3, 2) if SMALL else (17, 8)
BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#999999"  # Okabe and Ito
if SMALL:
    print(f"FALLBACK: {POINTS} points a curve in place of 17")

# %% [markdown]
# ## A small source
#
# $X$ is 1 with probability 0.3; the label $S$ is 0 when $X = 0$ and a fair coin when $X = 1$. Hamming distortion. The
# classifier of the fourth meaning takes $\hat X$ for $X$: $c(s|\hat x) = P(S=s|X=\hat x)$, made a little unsure of 0 so
# that no mistake costs infinitely much.

# %%
problem = Problem(np.array([0.7, 0.3]), 1 - np.eye(2))
labels = np.array([[1.0, 0.0], [0.5, 0.5]])
loss = cross_entropies(labels, np.array([[0.9, 0.1], [0.5, 0.5]]))
meanings = {
    "lifted": (lifted_rate, labels),
    "time-shared": (partial(time_shared_rate, starts=2 * STARTS), labels),
    "literal": (partial(literal_rate, starts=STARTS), labels),
    "fixed classifier": (fixed_classifier_rate, loss),
}
print("R(0.25, 0.325) in nats")
for name, (solver, label) in meanings.items():
    point = solver(problem, label, 0.25, 0.325)
    print(f"  {name:17s} {point.rate:.6f}   certainly at least {point.lower:.6f}   {point.status.name}")

# %% [markdown]
# `ACHIEVABLE` says that a code was found and that no proof of its being the best was: the lower bound shown beside it
# is that of the lifted function, which no code of any kind undercuts.
#
# ## Why the literal function is not convex
#
# $H(S|\hat X)$ is *concave* in the channel: mixing two channels loses more about $S$ than the mean of what each loses.
# So the channels that keep $H(S|\hat X) \le C$ are no convex set, and the printed claim that $R(D, C)$ is convex fails.
# Along the segment from $(0.25, 0.325)$ to $(0.3, H(S))$, where nothing need be sent:

# %%
entropy = -(0.85 * np.log(0.85) + 0.15 * np.log(0.15))  # H(S)
share = np.linspace(0, 1, POINTS)
along = {
    name: np.array(
        [meanings[name][0](problem, labels, 0.25 + 0.05 * t, 0.325 + t * (entropy - 0.325)).rate for t in share]
    )
    for name in ("literal", "time-shared", "lifted")
}
chord = (1 - share) * along["literal"][0] + share * along["literal"][-1]
middle = POINTS // 2
print(f"literal rate at the middle {along['literal'][middle]:.6f} nat, mean of the ends {chord[middle]:.6f} nat:")
print(f"above the chord by {along['literal'][middle] - chord[middle]:.6f} nat")

figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
look = {"literal": (ORANGE, "-", "o"), "time-shared": (GREEN, "--", "s"), "lifted": (BLUE, "-", "^")}
for name, (colour, line, marker) in look.items():
    axes[0].plot(share, along[name], color=colour, linestyle=line, label=name)
    axes[1].plot(
        share, 1e3 * (along[name] - chord), color=colour, linestyle=line, marker=marker, markersize=4, label=name
    )
axes[0].plot(share, chord, color=GREY, linestyle=":", label="chord of the literal ends")
axes[1].axhline(0, color=GREY, linestyle=":")
axes[0].set_ylabel("rate  [nats per symbol]")
axes[1].set_ylabel("rate above the chord  [millinats per symbol]")
for ax in axes:
    ax.set_xlabel("share of the way from (0.25, 0.325) to (0.3, H(S))")
    ax.grid(alpha=0.25)
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# The literal curve rises above its chord, which a convex function cannot. Time sharing repairs that, by definition. The
# lifted function lies lower still: with two letters $\hat X$ cannot name the three soft labels that the best code uses.
#
# ## What one representation offers
#
# Fix the encoder $Z$ and ask which pairs $(D, C)$ a decoder can reach. With soft labels it is a quadrant: the best
# guess of $X$ and everything that $Z$ knows of $S$, at once. Deterministic decoders and time sharing between them span
# a polygon; a single random decoder gives less, its boundary bulging upwards between the polygon's corners.

# %%
three = Problem(np.array([0.5, 0.3, 0.2]), 1 - np.eye(3))
graded = np.array([[0.95, 0.05], [0.5, 0.5], [0.1, 0.9]])
encoder = np.array([[0.7, 0.2, 0.05, 0.05], [0.1, 0.5, 0.3, 0.1], [0.05, 0.05, 0.3, 0.6]])
corner, polygon = lifted_region(three, graded, encoder), time_shared_region(three, graded, encoder)
d = np.linspace(polygon.distortion[0], polygon.distortion[-1] + 0.01, 20 if SMALL else 301)
single = literal_boundary(three, graded, encoder, d)

figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
top = single.max() + 0.003
for region, colour, name in ((corner, BLUE, "lifted: a quadrant"), (polygon, GREEN, "time-shared: a polygon")):
    ds, cs = region.distortion, region.classification
    ax.plot([ds[0], *ds, d[-1]], [top, *cs, cs[-1]], color=colour, label=name)
ax.plot([d[0], *d], [top, *single], color=ORANGE, linestyle="--", label="literal: one decoder, random or not")
ax.set_xlabel("distortion  D")
ax.set_ylabel("classification loss  C  [nats]")
ax.set_ylim(corner.classification[0] - 0.002, top)
ax.grid(alpha=0.25)
ax.legend(frameon=False, loc="upper right")
plt.show()
chord = np.interp(d, polygon.distortion, polygon.classification)
print(f"one decoder loses up to {np.max(single - chord):.5f} nat more than two that take turns")

# %% [markdown]
# ## Improving an encoder by gradient
#
# That encoder sends $I(X;Z)$ nats and offers its corner $(D, C)$, for which $R(D, C)$ would do. All have derivatives in
# its entries: $R$ too, for `lifted_rate` may stand inside `jax.grad` (the solver runs on the host, as a callback, and
# the multipliers of $D$ and $C$ are the derivatives). So the excess $I(X;Z) - R(D, C)$ falls by gradient descent on the
# logits of $P(z|x)$; where it is zero no code does better, which the lower bound on $R$ certifies.


# %%
def offered(logits):
    """I(X;Z), D and C of an encoder, the decoder being the best one."""
    channel = jax.nn.softmax(logits)
    joint = three.source[:, None] * channel
    weights = joint.sum(0)
    soft = (joint / weights).T @ graded
    information = (joint * jnp.log(channel / weights)).sum()
    return information, (joint.T @ three.distortion).min(1).sum(), -(weights @ (soft * jnp.log(soft)).sum(1))


def excess(logits):
    information, d, c = offered(logits)
    return information - lifted_rate(three, graded, d, c).rate


step = jax.jit(jax.value_and_grad(excess))
logits, momentum, steps = jnp.log(encoder), 0.0, 3 if SMALL else 200
path, gaps = [], []
for _ in range(steps):
    gap, slope = step(logits)
    path.append([float(x) for x in offered(logits)])
    gaps.append(float(gap))
    momentum = 0.9 * momentum - slope
    logits = logits + momentum
information, d_end, c_end = (float(x) for x in offered(logits))
certified = lifted_rate(three, graded, d_end, c_end)
print(f"at first {path[0][0]:.6f} nat at D = {path[0][1]:.4f}, C = {path[0][2]:.4f}: {gaps[0]:.6f} nat too many")
print(f"after {steps} steps {information:.6f} nat at D = {d_end:.4f}, C = {c_end:.4f}: "
      f"at most {information - certified.lower:.1e} nat above any code")  # fmt: skip

figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
axes[0].semilogy(np.maximum(gaps, 1e-13), color=BLUE)
axes[0].set_xlabel("gradient steps")
axes[0].set_ylabel("I(X;Z) above R(D, C)  [nats per symbol]")
axes[1].plot(*np.array(path)[:, 1:].T, color=BLUE)
axes[1].plot(*path[0][1:], color=ORANGE, marker="o", label="the encoder given")
axes[1].plot(d_end, c_end, color=GREEN, marker="s", label="improved")
axes[1].set_xlabel("distortion  D")
axes[1].set_ylabel("classification loss  C  [nats]")
axes[1].legend(frameon=False)
for ax in axes:
    ax.grid(alpha=0.25)
plt.show()

# %% [markdown]
# Nothing holds $D$ and $C$ in place: the descent ends at some point of the surface, near where it began. Gradient
# descent is no way to solve for $R$; it is for encoders that are more than a table, with a network in the place of the
# logits.
#
# ## What universality costs
#
# One encoder is to serve $(D, \infty)$ and $(\infty, C)$, each with its own decoder. It must spend what the corner
# $(D, C)$ asks for; each pair alone may ask for less. The difference is the rate penalty $A$, between bounds here. It
# is zero for a scalar Gaussian (the paper's Theorem 3) and for two letters whose label comes through a symmetric
# channel; in general it is not.

# %%
symmetric = np.array([[0.9, 0.1], [0.1, 0.9]])
cases = {
    "symmetric label": (problem, symmetric, 0.1, 0.5),
    "the small source": (problem, labels, 0.1, 0.3),
    "three letters": (three, graded, 0.2, 0.5),
}
for name, (one, label, d_asked, c_asked) in cases.items():
    found = universal_lifted_rate(one, label, [d_asked, np.inf], [np.inf, c_asked])
    alone = ", ".join(f"{r:.6f}" for r in found.rates)
    print(f"{name:18s} alone {alone}; one encoder {found.rate:.6f}; penalty in "
          f"[{found.penalty_lower:.8f}, {found.penalty:.8f}] nat")  # fmt: skip

covariance = np.array([[2.0, 0.6, 0.2], [0.6, 1.0, 0.3], [0.2, 0.3, 0.5]])
gaussian = vector_gaussian.VectorSource(covariance, np.array([0.2, -0.5, 1.0]), 0.3)
found = universal_vector_gaussian_rate(gaussian, [1.0, np.inf], [np.inf, 1.0])
print(f"{'Gaussian vector':18s} penalty in [{found.penalty_lower:.8f}, {found.penalty:.8f}] nat: Theorem 3 is scalar")

# %%
losses = np.linspace(0.22, 0.4, POINTS)
penalties = [universal_lifted_rate(problem, labels, [0.1, np.inf], [np.inf, c]) for c in losses]
flipped = np.linspace(0.34, 0.62, POINTS)
free = [universal_lifted_rate(problem, symmetric, [0.1, np.inf], [np.inf, c]) for c in flipped]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
for ax, c, found, title in (
    (axes[0], losses, penalties, "the small source"),
    (axes[1], flipped, free, "symmetric label"),
):
    alone = np.array([u.rates for u in found])
    ax.plot(c, alone[:, 0], color=GREY, label="(D, ∞) alone")
    ax.plot(c, alone[:, 1], color=GREEN, linestyle="--", label="(∞, C) alone")
    ax.plot(c, [u.rate for u in found], color=BLUE, marker="o", markersize=4, label="one encoder for both")
    ax.set_title(f"{title}, D = 0.1", fontsize=11)
    ax.set_xlabel("classification loss  C  [nats]")
    ax.grid(alpha=0.25)
axes[0].set_ylabel("rate  [nats per symbol]")
axes[0].legend(frameon=False)
plt.show()
print(f"largest penalty on the left {max(u.penalty for u in penalties):.6f} nat, on the right "
      f"{max(u.penalty for u in free):.1e} nat")  # fmt: skip

# %% [markdown]
# On the right one curve always lies on the other two's maximum: whatever serves the harder demand serves both. On the
# left, near the crossing, it costs extra: the codes that are best for $\hat X$ and for $S$ are different codes. At a
# larger scale `jaxrd reproduce rdc-fig3` shows the same for MNIST codewords, in all four meanings.
