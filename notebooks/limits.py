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
# # From a classifier's outputs to a limit one can defend
#
# "No scheme with this task model goes below *x* bits at *y* % accuracy." This notebook starts from a file of outputs
# and labels and ends with that sentence, with the assumptions it rests on beside it. Between a curve that a program
# prints and such a sentence lie three gaps:
#
# 1. **the optimisation**: the printed rate might not be the minimum. Closed by certificates, 1e-9 nat;
# 2. **the sample**: a few thousand images are not the population. Closed by intervals, or by bounds that hold at every
#    sample size;
# 3. **the model**: its posterior is not the truth. This one no sample closes. It can be stated, and allowed for.
#
# To run it: `pip install -e '.[notebooks]'`, then open it, or run its source, `python limits.py`: about a minute on
# two CPU cores. `JAXRD_DATA` names the folder that holds `classifiers/`; without it the outputs embedded in the package
# are used. `JAXRD_NOTEBOOK_SMALL=1` makes it a smoke test. The same numbers come from the command line:
# `jaxrd limits FILE --accuracy 0.6 --confidence 0.95`.

# %%
import os
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

from jaxrd import datasets, plots, rate_at, tosc
from jaxrd.io import read_outputs

jax.config.update("jax_enable_x64", True)
SMALL = os.environ.get("JAXRD_NOTEBOOK_SMALL", "") not in ("", "0")
BIT = np.log(2)
ACCURACY, CONFIDENCE = 0.6, 0.95
D = 1 - ACCURACY

file = Path(os.environ.get("JAXRD_DATA", "")) / "classifiers" / "cifar100_vgg19_bn_logits.npz"
if os.environ.get("JAXRD_DATA") and file.exists():
    outputs, _ = read_outputs(file)
    source = "VGG19-BN on the test set of CIFAR-100"
else:
    outputs, _ = read_outputs(datasets.example_path("mnist-noisy"))
    source = "FALLBACK, no classifiers in $JAXRD_DATA: the embedded LeNet on noisy MNIST"
if SMALL:
    outputs = outputs.take(np.arange(1200))
print(source)
right = (outputs.decisions == outputs.labels).mean()
print(f"{len(outputs.labels)} samples, {outputs.classes} classes, {right:.1%} right")

# %% [markdown]
# ## Who is "any scheme"?
#
# The encoder sees the image $X$ only through the model's posterior $V$ (a vector over the classes), the decoder sees
# the bits alone and names a class. Blocks of images may be coded together; encoder and decoder may be anything. The
# least rate at which such a scheme is wrong with probability $D$ at most is the rate-distortion function of the source
# $V$ with distortion $1 - \eta_y(V)$, where $\eta_y(v) = P(Y = y \mid V = v)$. If the model is **calibrated**,
# $\eta(v) = v$, that is **TMRD**, and it can be computed.
#
# A scheme that looks at the image otherwise, or uses a better model, is *not* bound by it. Only oRD binds that one: the
# rate-distortion function of the label itself, which supposes an encoder that knows the label.
#
# ## The plug-in, and how calibrated it is
#
# Half of the samples fit a temperature; the other half gives everything below. So the posterior was not fitted to what
# measures it. What is said from here on is about the model *at that temperature*.

# %%
limits = tosc.limits(outputs, at=[D], slopes=6 if SMALL else 32)
s, row = limits.summary, limits.at[0]
print(f"temperature {s['temperature']:.3f}; calibration error {s['ece_before']:.3f} -> {s['ece']:.3f}")
print(f"Brier score {s['brier_before']:.3f} -> {s['brier']:.3f}; on {s['samples']} samples")
print(f"at {ACCURACY:.0%} accuracy, bits per sample:")
for name in ("oRD", "TMRD", "iE&C", "S&C", "E&C", "TS"):
    print(f"  {name:5} {row[name] / BIT:.4f}   {tosc.CURVES[name]}")
print(f"  TMRD over the distortion the model believes: {row['TMRD_model'] / BIT:.4f}")
print("\n".join(limits.warnings))

figure, ax = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
table = limits.reliability
areas = [4 + 300 * b.samples / s["samples"] for b in table]
ax.scatter([b.confidence for b in table], [b.accuracy for b in table], s=areas, color="#0072B2")
ax.set_xlabel("confidence, mean of a bin")
ax.set_ylabel("accuracy")
ax.set_title("reliability on the half that fitted nothing\n(area: samples)", fontsize=10)
ax.grid(alpha=0.25)
plt.show()

# %% [markdown]
# ## Gap 1: the optimisation
#
# $R(D) = \max_s L(s) - sD$, and *any* reproduction law $q$ gives $L(s) \ge F(q) - \ln \max_y c_y(q)$: a proof that can
# be checked without trusting the solver. `rate_at` returns both ends.

# %%
v = np.exp(np.asarray(limits.workings.log_v))
point = rate_at(tosc.model_aware_problem(v), D)
print(f"{point.lower / BIT:.10f} <= R({D:g}) of these samples <= {point.rate / BIT:.10f} bits")

# %% [markdown]
# ## Gap 2: the sample
#
# The rate just certified is that of the *empirical* law. About the population there are four statements, from precise
# to proved:
#
# * **Bootstrap** and **CLT**: intervals that are right for many samples. The plug-in is biased low, by about
#   $(k-1)/2N$ nats for $k$ classes in use, and both correct for that.
# * **McDiarmid**, from below: one sample changes $L_N(s)$ by $s/N$ at most, so that
#   $L(s) \ge L_N(s) - s\sqrt{\ln(G/\delta)/2N}$ for $G$ slopes chosen beforehand. Holds at every $N$.
# * **Hoeffding**, from above: channels fitted on one half, measured on the other. Holds at every $N$ too, and on
#   *labels*, whatever the calibration.
#
# How often each holds was measured on three populations of up to ten classes whose curves are known, 2000 times each:
# the 95 % CLT interval of TMRD in 94.8 to 96.4 % of them, McDiarmid's and Hoeffding's bounds in all
# (`benchmarks/coverage.py`). For more classes, and for few samples a class, the first two are not given: nobody has
# measured how often they would hold. The two proved ones are given always.

# %%
found = tosc.statistics(limits, confidence=CONFIDENCE)


def bits(interval):
    return f"{interval[0] / BIT:.3f} to {interval[1] / BIT:.3f}"


print(f"{CONFIDENCE:.0%}, bits per sample at {ACCURACY:.0%} accuracy; N = {s['samples']}")
for name, words in (("TMRD_model", "R(D), believed"), ("TMRD", "TMRD, on labels")):
    print(f"{words}: plug-in {row[name] / BIT:.3f}")
    if (point := found.at[0].get(name)) is not None:
        print(f"    bias {point.bias / BIT:.3f}, bootstrap {bits(point.bootstrap)}, CLT {bits(point.clt)}")
    else:
        print(f"    no interval: {found.withdrawn.get(name, 'the curve does not reach this point')}")
print(f"R(D), believed, proved: {bits((found.lower.rate(D), found.upper_model.at(D)))}")
print(f"TMRD, on labels, achieved and proved: at most {found.upper.at(D) / BIT:.3f}")
for name, rate in found.cross_fitted_at[0].items():
    print(f"{name} cross-fitted: {rate / BIT:.3f} (plug-in {row[name] / BIT:.3f})")
for name, more in found.excess[0].items():
    print(f"what {name} costs more than TMRD, resampled together: {bits(more.bootstrap)}")

# %%
figure, ax = plt.subplots(figsize=(7.2, 6.0), layout="constrained")
top = 1.02 * max(np.nanmax(curve.rate) for curve in limits.curves.values()) / BIT
if "TMRD" in found.bands:
    band = np.array([p.clt if p is not None else (np.nan, np.nan) for p in found.bands["TMRD"]]) / BIT
    plots.band(ax, limits.curves["TMRD"].distortion, band[:, 0], np.minimum(band[:, 1], top), colour="#D55E00",
               label=f"TMRD, {CONFIDENCE:.0%} (CLT)")  # fmt: skip
grid = np.linspace(0, 1, 201)
for label, bound in (("proved: McDiarmid, Hoeffding", found.lower.rate), (None, found.upper.at)):
    rate = np.array([bound(d) for d in grid]) / BIT
    ax.plot(grid, np.where(rate < top, rate, np.nan), color="#D55E00", linewidth=0.7, label=label)
plots.limits_axes(ax, limits.curves, task_model_distortion=s["task_model_distortion"],
                  zero_rate_distortion=s["zero_rate_distortion"], meanings=tosc.CURVES)  # fmt: skip
plt.show()

# %% [markdown]
# ## Gap 3: the model
#
# If the posterior is off, $\kappa = E \max_y |\eta_y(V) - v_y| > 0$, then for every channel from $V$ the distortion
# it believes differs from the real one by $\kappa$ at most, hence
# $R_{model}(D + \kappa) \le R_{true}(D) \le R_{model}(D - \kappa)$.
#
# $\kappa$ cannot be bounded from labels: the same $V$ hardly occurs twice. The estimate below supposes that how far
# a stated probability is off depends on that probability alone. If the error hangs on the class or on the image,
# $\kappa$ is larger than it sees. So it is an *assumption* with a number, which a reader may replace by another.

# %%
print(f"kappa, estimated: {found.kappa:.4f}")
for kappa in sorted({0.0, round(found.kappa, 4), 0.02, 0.05, 0.1}):
    plugin = float(rate_at(tosc.model_aware_problem(v), D + kappa).rate) / BIT
    print(f"  kappa = {kappa:.4f}: R_true >= {plugin:.3f} (plug-in), {found.lower.rate(D + kappa) / BIT:.3f} (proved)")

# %% [markdown]
# ### What happens without calibration
#
# The same outputs at temperatures that are wrong on purpose. Too high a temperature makes the model modest: it believes
# that it needs more bits than it does, and the "limit" it prints is beaten, on labels, by schemes that exist. Too low a
# temperature makes it bold: its limit is too low, which is safe, and useless. The warnings tell either.

# %%
for factor in (0.7, 1.0, 1.3):
    wrong = tosc.limits(limits.workings.outputs, at=[D], temperature=factor * s["temperature"], slopes=4)
    at = wrong.at[0]
    best = min((name for name in ("iE&C", "S&C", "E&C") if at[name] < np.inf), key=lambda name: at[name])
    verdict = "beaten" if at[best] < at["TMRD_model"] else "not beaten"
    print(f"{factor:g} x the temperature: 'limit' {at['TMRD_model'] / BIT:.3f} bits,", end=" ")
    print(f"{verdict} by {best}, which takes {at[best] / BIT:.3f} on labels")

# %% [markdown]
# ## The sentences
#
# From the fewest assumptions to the most. Each holds for images drawn like these, independently of each other, of the
# training and of the fit of the temperature.

# %%
half = (1 + CONFIDENCE) / 2  # of one end of an interval; either rigorous bound takes half the risk
oracle, believed = found.oracle_lower.rate(D) / BIT, found.at[0].get("TMRD_model")
below, above = (end / BIT for end in (found.lower.rate(D), found.upper.at(D)))
likely, allowed = found.cross_fitted_at[0]["TMRD"] / BIT, found.sandwich[0].mcdiarmid_lower / BIT
print(f"At {ACCURACY:.0%} accuracy, each with confidence {half:.1%},")
print(f"1. no scheme whatever spends less than {oracle:.2f} bits an image: oRD, McDiarmid;")
print(f"2. a scheme with this model spends at most {above:.2f} bits, whatever the calibration: Hoeffding")
print(f"   (an estimate of what it spends, without proof: {likely:.2f}, cross-fitted);")
print("3. no scheme that sees the image through this posterior alone goes below")
print(f"   {allowed:.2f} bits, if the posterior is off by kappa = {found.kappa:.3f} at most: McDiarmid;")
print(f"4. ... {below:.2f} bits, if it is calibrated: McDiarmid;")
if believed is not None:
    print(
        f"5. ... {believed.clt.lower / BIT:.2f} bits, if it is calibrated and the samples are many enough for the CLT."
    )

# %% [markdown]
# ## What they do not say
#
# * Nothing about a scheme that reads more from the image than this posterior; only sentence 1 binds it.
# * Nothing about images drawn otherwise, about duplicates among the samples, or about a model that saw them in
#   training.
# * Each sentence has its confidence for itself. McDiarmid's and Hoeffding's hold for every accuracy at once; an
#   interval holds at the one accuracy it was made for.
# * Sentences 3 to 5 are as good as what they say of $\kappa$. The reliability diagram can refute calibration, it cannot
#   prove it; the warning above, that the model believes itself better than its labels show, is why sentence 3 stands
#   before sentence 4 here.
# * Sentence 2 counts the rate of channel simulation on long blocks with common randomness. What a code really spends on
#   short blocks is `jaxrd encode`'s to measure.
