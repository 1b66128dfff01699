r"""
Figure 6 of paper [B]: one encoder, many decoders
=================================================

Thirty-two models of 4.75 bits on MNIST, trained by `jaxrd reproduce rdc-fig6`; this page draws the committed numbers,
`benchmarks/results/rdc-fig6.json`. Conventional models are trained for one weight of the classification loss. A
universal decoder is trained on the frozen encoder of another.
"""

import json

import matplotlib.pyplot as plt
from pages import results

rows = json.loads((results() / "rdc-fig6.json").read_text())

fig, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
styles = {"quantiser": ("k-", None), "conventional": ("o", "#D55E00"), "universal": ("s", "#0072B2")}
words = {
    "quantiser": "quantiser of 27 words, no network",
    "conventional": "conventional: trained for one weight",
    "universal": "universal: new decoder, frozen encoder",
}
for kind, (marker, colour) in styles.items():
    some = [row for row in rows[kind] if not row.get("wasserstein_weight")]
    some.sort(key=lambda row: row["mse"])
    mse, loss = [row["mse"] for row in some], [row["ce_nats"] for row in some]
    ax.plot(mse, loss, marker, ms=5, color=colour or "black", alpha=0.8, label=words[kind])
ax.set(xlabel="MSE a pixel, test images", ylabel="cross entropy of the digit, nats", yscale="log")
ax.legend()
plt.show()

# %%
# Conventional models: the weight of the classification loss, MSE, cross entropy (nats), accuracy, seeds.

for row in rows["conventional"]:
    if not row["wasserstein_weight"]:
        print(f"{row['weight']:<7g} {row['mse']:.5f}  {row['ce_nats']:.4f}  {row['accuracy']:.2%}  {len(row['seeds'])}")
