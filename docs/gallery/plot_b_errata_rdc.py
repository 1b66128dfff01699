r"""
Errata of paper [B], each with a counterexample
===============================================

What is wrong in print in *Universal rate-distortion-classification representations for lossy compression*, as far as we
found it. Every number below is computed when this page is built, and an assertion stands beside it.
"""

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
from jaxrd import Problem, rdc

# %%
# "R(D, C) is convex"
# -------------------
#
# Not on a finite reproduction alphabet, because H(S \| Xh) is concave in the channel: R of definition 1 ("literal"
# here) in the middle of two points lies above the mean of its values there. A decoder that may also emit a soft label
# ("lifted") has a convex R(D, C): it is an ordinary rate-distortion function with soft labels as reproductions, so the
# classical coding theorem holds for it. The values of the literal rate are achievable; that no channel does better in
# the middle is checked on a grid of four million channels.

problem = Problem([0.7, 0.3], 1 - np.eye(2))
label = np.array([[1.0, 0.0], [0.5, 0.5]])  # P(S | X)
silent = -(0.85 * np.log(0.85) + 0.15 * np.log(0.15))  # H(S)
ends = np.array([[0.25, 0.325], [0.30, silent]])
for name, rate in (("literal", rdc.literal_rate), ("lifted", rdc.lifted_rate)):
    (first, second), middle = (rate(problem, label, d, c) for d, c in ends), rate(problem, label, *ends.mean(0))
    above = middle.rate - (first.rate + second.rate) / 2
    print(f"{name}: {first.rate:.6f} and {second.rate:.6f}, in the middle {middle.rate:.6f} nat: {above:+.6f}")
    assert (above > 0.004) == (name == "literal")

p, a, b = 0.7, *np.meshgrid(np.linspace(0, 1, 2001), np.linspace(0, 1, 2001))  # P(Xh = 0 | X = 0), P(Xh = 1 | X = 1)


def entropy(*masses):
    """Nats."""
    return -sum(np.where(m > 0, m * np.log(np.maximum(m, 1e-300)), 0) for m in masses)


first, second = p * a + (1 - p) * (1 - b), p * (1 - a) + (1 - p) * b  # P(Xh = 0), P(Xh = 1)
with_first, with_second = (1 - p) * (1 - b) / 2, (1 - p) * b / 2  # P(S = 1, Xh = 0), P(S = 1, Xh = 1)
information = entropy(first, second) - p * entropy(a, 1 - a) - (1 - p) * entropy(b, 1 - b)
uncertain = entropy(with_first, first - with_first, with_second, second - with_second) - entropy(first, second)
d, c = ends.mean(0)
allowed = (p * (1 - a) + (1 - p) * (1 - b) <= d) & (uncertain <= c)
print(f"least information of a channel on the grid: {information[allowed].min():.6f} nat")
assert information[allowed].min() > 0.118

# %%
# Theorem 1: two cases hold at once, and the printed one is negative
# ------------------------------------------------------------------
#
# The rate is the largest of three numbers: what D needs, what C needs, and 0.

one = {"variance": 1.0, "correlation": 0.7, "label_entropy": 0.5 * np.log(2 * np.pi * np.e)}
c = one["label_entropy"] + 0.1
printed = 0.5 * np.log(1 / 1.2)
right = float(rdc.gaussian.rate(1.2, c, **one))
print(f"D = 1.2, C = h(S) + .1: printed {printed:.4f}, right {right:.4f} nat")
assert printed < 0 == right

# %%
# Theorem 2: the second branch
# ----------------------------
#
# Where C is smaller than the least H(S \| Xh) at rate R, no code exists: D(C, R) is infinite. The printed distortion
# there is below the least distortion at that rate, and *rises* with C where the text says that it falls. It is where
# the rates that D and C need are equal. (The third branch, D = 0 for R > h(X), is false as well: at R = 1.5 nat
# the distortion is e^-3 = .0498.)

for c in (1.10, 1.30, 1.38, 1.42):
    printed = float(rdc.gaussian.printed_distortion(c, 0.05, **one))
    right = float(rdc.gaussian.distortion(c, 0.05, **one))
    print(f"R = .05, C = {c}: printed {printed:.6f}, right {right:.6f}")
assert rdc.gaussian.printed_distortion(1.10, 0.05, **one) < np.exp(-0.1)
assert np.isinf(rdc.gaussian.distortion(1.10, 0.05, **one))
assert abs(rdc.gaussian.distortion(3.0, 1.5, **one) - np.exp(-3)) < 1e-12

# %%
# Theorem 5: its premise
# ----------------------
#
# The bounds hold where the reproductions have the source's law. `jaxrd reproduce rdc-thm5` shows a source where they do
# and where they do not (:doc:`/figures`).
