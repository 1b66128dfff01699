r"""
Figure 4 of paper [A]: published codecs beside the limits
=========================================================

Measured points of codecs for machines, as their authors report them, beside the curves of a ResNet-50's decisions on
ImageNet. Only oRD binds every codec: the other curves are schemes that send this model's decisions.

This page draws the committed numbers, `benchmarks/results/tosc-fig4.json`.
"""

import json

import matplotlib.pyplot as plt
from pages import results

from jaxrd.plots import STYLE

rows = json.loads((results() / "tosc-fig4.json").read_text())

fig, ax = plt.subplots(figsize=(7.5, 6.5), layout="constrained")
markers = iter("ovs^D<>pPX*hd")
for name, curve in rows["curves"].items():
    accuracy = [100 * (1 - d) for d in curve["distortion"]]
    if name in STYLE:
        colour, _, dashes = STYLE[name]
        ax.plot(curve["rate_bits"], accuracy, color=colour, linestyle=dashes, lw=2, label=f"curve: {name}")
    else:
        ax.plot(curve["rate_bits"], accuracy, next(markers), ms=5, label=name.removeprefix("codec "))
ax.set(xscale="log", xlim=(0.3, None), xlabel="rate, bits per image", ylabel="top-1 accuracy, %")
fig.legend(loc="outside lower center", ncols=2, fontsize=8)
plt.show()

# %%
# Bits per image of each codec at its most accurate point, and the accuracy there.

for name, curve in rows["curves"].items():
    if name.startswith("codec "):
        d, bits = min(zip(curve["distortion"], curve["rate_bits"], strict=True))
        print(f"{name.removeprefix('codec '):50s} {bits:10.0f}  {1 - d:.2%}")
