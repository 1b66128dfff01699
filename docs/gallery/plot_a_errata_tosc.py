r"""
Errata of paper [A], each with a counterexample
===============================================

What is wrong in print in *Model-aware rate-distortion limits for task-oriented source coding*, as far as we found it.
Every number below is computed when this page is built, and an assertion stands beside it.
"""

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import jaxrd
from jaxrd import closed_form, tosc
from jaxrd.tosc import mixture

# %%
# "At D_TM lossless coding of the estimate is optimal"
# ----------------------------------------------------
#
# This holds only where every estimate is the likeliest label given itself. Here the third estimate is most often label
# 1: a decoder that corrects it has fewer errors than D_TM, at a lower rate than H(Yt).

joint = np.array([[0.50, 0.02, 0.07], [0.03, 0.30, 0.02], [0.01, 0.02, 0.03]])  # p(y, yt)
d_tm, _, entropy = (float(v) for v in tosc.landmarks(joint))
least, _ = jaxrd.distortion_range(tosc.indirect_problem(joint))
at = jaxrd.rate_at(tosc.indirect_problem(joint), d_tm)
print(f"D_TM = {d_tm:.4f}, the least distortion {float(least):.4f}")
print(f"lossless {entropy:.4f} nat, iE&C at D_TM {float(at.rate):.4f} nat")
assert least < d_tm - 0.03
assert at.rate < entropy - 0.05

# %%
# "iE&C is strictly tighter than E&C"
# -----------------------------------
#
# It is never looser; in the paper's own mixture example the two are equal.

decided = mixture.decision_joint(mixture.GaussianMixture())
coded = tosc.estimate_and_compress(decided, 0.1)
aware = jaxrd.rate_at(tosc.indirect_problem(decided), float(coded.distortion))
print(f"E&C {float(coded.rate):.10f}, iE&C {float(aware.rate):.10f} nat at D = {float(coded.distortion):.4f}")
assert abs(coded.rate - aware.rate) < 1e-8

# %%
# "C&E is optimal only if Y = X"
# ------------------------------
#
# Under squared error it is optimal for jointly Gaussian X and Y: the best code of X, followed by the estimator, meets
# the rate-distortion function of the remote source. X = Y + noise, of variance 1 and .5; E[Y | X] = 2 X / 3.

compressed = float(closed_form.gaussian.rate(1.5, 0.375))  # D_X = .375 gives D_Y = 1/3 + (2/3)^2 .375 = .5
remote = float(closed_form.remote_gaussian.rate(1.0, 0.5, 0.5))
print(f"C&E {compressed:.10f}, the remote source {remote:.10f} nat")
assert abs(compressed - remote) < 1e-12

# %%
# "S&C ends at D_0"
# -----------------
#
# At inverse temperature 0 the sample is uniform over the labels: its distortion is 1 - 1/\|Y\|. And S&C's rate need not
# be monotone in the inverse temperature: here it first rises and then falls.

rows = np.log(np.array([[0.9, 0.1], [0.6, 0.4]]))
labels = np.array([0, 0])
zero = tosc.sample_and_communicate(rows, labels, 0.0)
ends = [tosc.sample_and_communicate(rows, labels, t) for t in (1.0, 3.0, 30.0)]
print(f"at 0: D = {float(zero.distortion)}; rates at 1, 3, 30:", [round(float(e.rate), 5) for e in ends])
assert abs(zero.distortion - 0.5) < 1e-12
assert ends[1].rate > ends[0].rate
assert ends[1].rate > ends[2].rate

# %%
# "P(Yh = y \| Xh) = max p(y \| xh)" (appendix)
# ---------------------------------------------
#
# The probability that the decision is right is that of the label decided, P(Y = yh(xh) \| xh), which need not be the
# largest; and the posterior of a code word is a sum over the x that it stands for. `jaxrd` computes that.
#
# TMRD is "intractable"
# ---------------------
#
# It is an ordinary rate-distortion problem: one source letter a sample, one reproduction a label, and the distortion
# 1 - v of the model's posterior v. The solver's certificate holds it to 1e-9 nat.

g = np.random.default_rng(0)
v = g.dirichlet(np.full(10, 0.3), 2000)  # posteriors
point = jaxrd.rate_at(jaxrd.Problem(np.full(2000, 1 / 2000), 1 - v), 0.7)
print(f"{float(point.lower):.10f} <= TMRD(.7) <= {float(point.rate):.10f} nat")
assert point.gap < 1e-8

# %%
# Time sharing and the rate of S&C
# --------------------------------
#
# Equation (22) needs D_TM < D_0: a model that is no better than guessing has no such line. And the rate I(X; Yh) of S&C
# is reached only with randomness that both ends share and long blocks; the sample itself, sent alone, takes H(Yh).
