"""The claims of [A] about the order of its bounds, beside the numbers of the example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jax import Array

from jaxrd.curve import Curve
from jaxrd.figures.reproduction import Claim
from jaxrd.figures.rows import Rows, excess
from jaxrd.information import NATS_PER_BIT
from jaxrd.target import rate_at
from jaxrd.tosc import indirect_problem, landmarks


def _where(rows: Rows, below: str, above: str) -> str:
    """The distortions at which one bound lies below another."""
    distortions = [f"{row['distortion']:g}" for row in rows if row[f"{below}_bits"] < row[f"{above}_bits"] - 1e-9]
    return ", ".join(distortions) or "none of them"


def _span(rows: Rows, above: str, below: str) -> str:
    least, most, _ = excess(rows, above, below)
    return f"{least:.4f} to {most:.4f}"


def claims(decided: Array, curves: Mapping[str, Curve], rows: Rows, bayes: float) -> list[Claim]:
    """The statements of [A] about the order of its bounds.

    Args:
        decided: J[y, yt] of the task model's decision.
        curves: by name, nats.
        rows: every bound at a few distortions, bits.
        bayes: the least error of any decision from X.
    """
    d_tm, d_0, entropy = (float(x) for x in landmarks(decided))
    model_bound = ("iE&C", "E&C", "S&C", "TS", "merge")
    above = [min(row[f"{name}_bits"] for name in model_bound) - row["TMRD_bits"] for row in rows]
    lossless = float(rate_at(indirect_problem(decided), d_tm).rate) / NATS_PER_BIT
    compressed, aware = curves["C&E"], curves["TMRD"]
    gap = max(float(curves[name].gap.max()) for name in ("iRD", "TMRD", "iE&C")) / NATS_PER_BIT
    end = 1 - 1 / len(decided)
    return [
        Claim(
            "TMRD lies between oRD and the infimum of the task-model-dependent bounds, iRD between oRD and TMRD",
            f"so at all {len(rows)} distortions compared, in bits: iRD above oRD by {_span(rows, 'iRD', 'oRD')}, TMRD "
            f"above iRD by {_span(rows, 'TMRD', 'iRD')}, the least of {', '.join(model_bound)} above TMRD by "
            f"{min(above):.4f} to {max(above):.4f}.",
        ),
        Claim(
            "iRD and TMRD are intractable",
            f"TMRD is a direct problem with one row a posterior; both are solved here with gaps below {gap:.0e} bits.",
        ),
        Claim(
            "R_Y <= R_X <= R_Yt <= R_E&C, iE&C strictly tighter than E&C (eq. 6)",
            f"strict in this example: E&C above iE&C by {_span(rows, 'E&C', 'iE&C')} bits; in general it is <=, with "
            "equality in figure 1.",
        ),
        Claim(
            "at D_Y = D_TM the optimal strategy is lossless compression of the estimate",
            f"iE&C at D_TM = {d_tm:.4f} takes {lossless:.6f} bits, H(estimate) = {entropy / NATS_PER_BIT:.6f}: so "
            "here, where each estimate is the strict argmax of p(y | estimate), and not in general.",
        ),
        Claim(
            "S&C is no optimal strategy; as its inverse temperature goes to 0 the output is independent of X",
            f"below iE&C at D = {_where(rows, 'S&C', 'iE&C')} and below E&C at D = {_where(rows, 'S&C', 'E&C')} of the "
            f"distortions compared, never below TMRD. It ends at D = 1 - 1/|Y| = {end:g}, not at D_0 = {d_0:g}, and so "
            f"crosses TS.",
        ),
        Claim(
            "C&E is an achievable upper bound on iRD",
            f"above iRD by {_span(rows, 'C&E', 'iRD')} bits. As its receiver decides from X and not from the task "
            f"model, TMRD does not bound it: below TMRD at D = {_where(rows, 'C&E', 'TMRD')}, and down to "
            f"D = {compressed.distortion.min():.4f}, where iRD ends too ({bayes:.4f}); TMRD ends at "
            f"{aware.distortion.min():.4f}.",
        ),
        Claim(
            "TS is a simple affine upper bound (eq. 22)",
            f"above iE&C by {_span(rows, 'TS', 'iE&C')} bits. E&C itself may exceed it: above TS at "
            f"D = {_where(rows, 'TS', 'E&C')}, for with nothing sent E&C repeats the likeliest estimate, not the "
            "likeliest label.",
        ),
        Claim(
            "merging the k least likely estimates is a naive, operational baseline",
            "its points lie below TS at D = "
            + ", ".join(f"{d:.4f}" for d in _below_time_sharing(curves["merge"], d_tm, d_0, entropy))
            + f"; merging all of them ends at D = {curves['merge'].distortion[-1]:.4f}, beyond D_0.",
        ),
    ]


def _below_time_sharing(merged: Curve, d_tm: float, d_0: float, entropy: float) -> np.ndarray:
    line = (d_0 - merged.distortion) / (d_0 - d_tm) * entropy
    return merged.distortion[merged.rate < line - 1e-9]


def notes(curves: Mapping[str, Curve], d_0: float) -> list[str]:
    """Notes for the reader of the figure."""
    compressed = curves["C&E"]
    falls = np.maximum.accumulate(compressed.distortion[::-1])[::-1]  # the worst at this rate or a higher one
    rise = float((falls - compressed.distortion).max())
    return [
        "[A] draws its figure 2 by hand; this example was chosen so that all bounds are visibly apart, and another "
        "may order S&C, C&E, TS and merge differently. The task model is calibrated: only then is TMRD a bound.",
        f"C&E is raw: with more rate its label error rises again, by up to {rise:.4f}. Thin lines add time sharing, "
        f"with silence at D_0 = {d_0:g} too.",
    ]
