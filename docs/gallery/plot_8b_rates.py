r"""
Universal autoencoders at 16, 32 and 64 bits
============================================

Networks, and decoders on one frozen encoder, beside codebooks fitted on all 60 000 training images of MNIST. This page
draws the committed numbers, `benchmarks/results/rdc-rates.json`; everything is measured on the test images, nothing is
certified. The Gaussian line bounds codes of a Gaussian source of the same covariance, not of these images.
"""

import json

import matplotlib.pyplot as plt
from pages import results

rates = json.loads((results() / "rdc-rates.json").read_text())["rates"]

fig, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
names = [row["name"] for row in rates[0]["baselines"]]
for name, marker in zip(names, "xv^<d.", strict=True):
    points = [(rate["bits"], row["mse"]) for rate in rates for row in rate["baselines"] if row["name"] == name]
    ax.plot(
        *zip(*points, strict=True),
        marker=marker,
        color="0.5",
        linestyle="--" if "Gaussian" in name else "-",
        label=name,
    )
for kind, marker, colour in (("conventional", "o", "#D55E00"), ("universal", "s", "#0072B2")):
    points = [(rate["bits"], row["mse"]) for rate in rates for row in rate[kind] if row["target"] == "mse"]
    ax.plot(*zip(*points, strict=True), marker=marker, color=colour, label=f"{kind}: MSE alone")
ax.set(xlabel="bits an image", ylabel="MSE a pixel, test images", xticks=[16, 32, 64], yscale="log")
ax.legend(fontsize=8)
plt.show()

# %%
# Every model: bits, what its encoder and its decoder were trained for, MSE, and for the digit the cross entropy (nats)
# and the accuracy.

for rate in rates:
    for row in (*rate["conventional"], *rate["universal"]):
        encoder = row.get("encoder_target", row["target"])
        print(f"{rate['bits']}  {encoder:26s} {row['target']:26s} {row['mse']:.5f}", end="  ")
        print(f"{row['ce_nats'][0]:.4f}  {row['accuracy'][0]:.2%}")
