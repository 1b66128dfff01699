"""The sentences of Theorem 5 of [B], each with what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxrd.figures.reproduction import Claim

Curves = Mapping[str, Mapping[str, Any]]


def claims_of(curves: Curves) -> list[Claim]:
    """One claim for each of (12) to (15), and one for the premise."""
    same = {name: curve for name, curve in curves.items() if name != "another law"}
    return [_gap(same), _ratio(same), _small_gap(same), _ratio_near_one(same), _premise(curves["another law"])]


def _least(curves: Curves, what: str, bound: str) -> float:
    """The least of the true values less their bounds."""
    return min(float((curve[what] - curve[bound]).min()) for curve in curves.values())


def _gap(same: Curves) -> Claim:
    printed = same["scalar Gaussian"]
    excess = printed["printed_12"] - printed["gap"]
    worst = int(np.nanargmax(excess))
    total = sum(len(curve["gap"]) for curve in same.values())
    above = max(float(curve["bound_12"].max()) for curve in same.values())
    return Claim(
        "(12): D3 - D(b) >= variance + v3 - 2 sqrt(v3) sqrt(variance - D1 - 2 D1).",
        f"With the last term outside the root it holds at all {total} points of three sources whose reproductions have "
        f"their law: the gap is above it by {_least(same, 'gap', 'bound_12'):.2g} at least. It is never positive (at "
        f"most {above:.1g}). As printed it fails: for the scalar Gaussian at D1 = {printed['D1'][worst]:.3f} it "
        f"claims a gap of {printed['printed_12'][worst]:.3f} where the gap is {printed['gap'][worst]:.3f}.",
    )


def _ratio(same: Curves) -> Claim:
    low = min(float(curve["bound_13"].min()) for curve in same.values())
    high = max(float(curve["bound_13"].max()) for curve in same.values())
    return Claim(
        "(13): D3 / D(b) >= (variance + v3 - 2 sqrt(v3) sqrt(variance - D1)) / (2 D1).",
        f"Holds at the same points, the ratio above it by {_least(same, 'ratio', 'bound_13'):.2g} at least; the bound "
        f"lies between {low:.3f} and {high:.3f} here.",
    )


def _small_gap(same: Curves) -> Claim:
    def ends(name: str) -> str:
        curve = same[name]
        share, gap = curve["share"], curve["gap"].round(9) + 0.0
        low, high = int(share.argmin()), int(share.argmax())
        return f"{name} {gap[low]:.3g} at {share[low]:.3g} of the variance and {gap[high]:.3g} at {share[high]:.4f}"

    return Claim(
        "(14): with the source's law, D3 - D(b) is near 0 if D1 is near 0 or near the variance.",
        "Near the variance yes: both distortions lie between 2 v - 2 sqrt(v (v - D1)) and 2 v, v the variance. Near 0 "
        "the bound tends to 0, which says that D(b) is not far above D3. D3 itself may stay large, because a code of "
        "least loss need not describe the rest of X: " + "; ".join(map(ends, same)) + ". The gap is 0 throughout "
        "where one code is best for both, as for the scalar Gaussian.",
    )


def _ratio_near_one(same: Curves) -> Claim:
    words = "; ".join(
        f"{name} {curve['ratio'][i]:.4f} at {curve['share'][i]:.4f}"
        for name, curve in same.items()
        for i in [int(curve["share"].argmax())]
    )
    largest = max(same, key=lambda name: float(same[name]["ratio"].max()))
    return Claim(
        "(15): D3 / D(b) is near 1 if D1 is near the variance.",
        f"Right in the limit: {words} of the variance. Elsewhere it reaches {same[largest]['ratio'].max():.3g} "
        f"({largest}).",
    )


def _premise(curve: Mapping[str, Any]) -> Claim:
    fails, wrong = ~curve["premise"], curve["gap"] < curve["bound_12"] - 1e-12
    i = int(np.abs(curve["b"] - 0.1).argmin())
    wrong_ratio = curve["ratio"] < curve["bound_13"] - 1e-12
    return Claim(
        "(12) and (13) are stated without a condition on the law of the reproductions.",
        f"They need D(b) <= 2 D1, which the source's law ensures. For X = A + b B, S = B and one bit it fails for b <= "
        f"{curve['b'][fails].max():.3f}; (12) is then false for b <= {curve['b'][wrong].max():.3f}: at b = "
        f"{curve['b'][i]:.3g} it claims a gap of {curve['bound_12'][i]:.3f}, which is {curve['gap'][i]:.3f} (D1 = "
        f"{curve['D1'][i]:.3g}, D(b) = {curve['Db'][i]:.3g}, D3 = {curve['D3'][i]:.3g}). (13) is false for b <= "
        f"{curve['b'][wrong_ratio].max():.3f}.",
    )
