"""The claims of [A] about its figure 1, beside the numbers."""

from __future__ import annotations

import numpy as np
from jax import Array

from jaxrd import closed_form
from jaxrd.curve import Curve
from jaxrd.figures.reproduction import Claim
from jaxrd.figures.rows import Rows, excess
from jaxrd.information import NATS_PER_BIT
from jaxrd.tosc import landmarks, mixture
from jaxrd.tosc.mixture import CompressedPoint, GaussianMixture


def _against_exact(grid: Curve, exact: CompressedPoint) -> str:
    """How far a discretised C&E lies from the exact one at the same slopes."""
    usable = np.isfinite(exact.rate)
    rate = np.abs(grid.rate - exact.rate)[usable].max() / NATS_PER_BIT
    label = np.abs(grid.distortion - exact.distortion)[usable]
    slope = grid.parameters["squared_error_slope"][usable][label.argmax()]
    gap = grid.parameters["squared_error_gap_bits"].max()
    return (
        f"rate off by at most {rate:.1e} bits and D_Y by {label.max():.1e} (at slope {slope:.2f}), with a gap in "
        f"R(D_X) of at most {gap:.0e} bits"
    )


def claims(joint: Array, exact: Curve, grids: list[Curve], reference: CompressedPoint, rows: Rows) -> list[Claim]:
    """The statements of [A] about its figure 1.

    Args:
        joint: J[y, yt] of the MAP decision.
        exact: the C&E curve.
        grids: the discretised ones: plain Blahut-Arimoto, certified.
        reference: exact C&E at their slopes.
        rows: every bound at a few distortions, bits.
    """
    d_tm, d_0, entropy = (float(x) for x in landmarks(joint))
    loose, at_oracle = excess(rows, "iRD", "oRD")[1:]
    coded, at_coded = excess(rows, "E&C", "iRD")[1:]
    least_compressed, compressed, at_compressed = excess(rows, "C&E", "iRD")
    aware = max(abs(x) for x in excess(rows, "E&C", "iE&C")[:2])
    margins = [excess(rows, *pair)[0] for pair in (("iRD", "oRD"), ("C&E", "iRD"), ("E&C", "iRD"))]
    cheaper = [f"{row['distortion']:g}" for row in rows if row["C&E_bits"] < row["E&C_bits"] - 1e-9]
    equal = "equal here: they differ by" if aware < 1e-9 else "<= in general; here they differ by up to"
    # E (Y - g Xh)^2 = mmse + g^2 D_X with g = 2/3, mmse = 1/3: D_Y = 1/2 takes D_X = 3/8.
    rates = closed_form.gaussian.rate(1.5, 0.375), closed_form.remote_gaussian.rate(1.0, 0.5, 0.5)
    gaussian = [float(rate) / NATS_PER_BIT for rate in rates]
    plain, certified = (_against_exact(grid, reference) for grid in grids)
    return [
        Claim(
            "no classifier can perfectly discriminate between the two modes",
            f"D_TM = {d_tm:.9g} for the MAP decision, D_0 = {d_0:.6g}.",
        ),
        Claim(
            "perfect identifiability yields a loose and unachievable lower bound",
            f"oRD lies below iRD by up to {loose:.4f} bits (D = {at_oracle:g}); iRD ends at D_TM with "
            f"H(decision) = {entropy / NATS_PER_BIT:.4f} bits, below which oRD goes on.",
        ),
        Claim(
            "the suboptimality of both E&C and C&E",
            f"above iRD by up to {coded:.4f} bits (E&C, D = {at_coded:g}) and {compressed:.4f} bits (C&E, "
            f"D = {at_compressed:g}); C&E by at least {least_compressed:.4f} at the distortions compared. C&E is the "
            f"cheaper of the two at D = {', '.join(cheaper) or 'none of them'}.",
        ),
        Claim(
            "R_Y <= R_X <= min{R_C&E, R_E&C} (eq. 3)",
            f"holds at all {len(rows)} distortions compared, to 1e-11; least margins {margins[0]:.1e}, "
            f"{margins[1]:.1e}, "
            f"{margins[2]:.1e} bits.",
        ),
        Claim(
            "iE&C provides a strictly tighter benchmark than classical E&C (eq. 6)",
            f"{equal} {aware:.1e} bits: where errors are symmetric, compressing for the label's sake gains nothing.",
        ),
        Claim(
            "C&E is optimal only in the degenerate case Y = X",
            "not so in general: for jointly Gaussian X and Y with squared errors C&E attains iRD (Y of variance 1 in "
            f"noise of variance 1/2, at D = 1/2: {gaussian[0]:.6f} and {gaussian[1]:.6f} bits). In this example it "
            "does not, but at the two ends.",
        ),
        Claim(
            "to plot C&E we first discretize the source and then apply Blahut-Arimoto",
            f"needless, it is exact as integrals. Discretised: plain Blahut-Arimoto, {plain}; certified optimum, "
            f"{certified}. Where D_X < 1 the optimal reproduction is found by undoing a blur, so laws alike to 1e-9 "
            "for X differ for the label: early stopping smooths, and the certified optimum's D_Y scatters.",
        ),
        Claim(
            "P(Yh = y | Xh = xh) = max_y p(y | xh) (appendix)",
            "a misprint for P(Y = yh(xh) | xh); the sum behind the posterior runs over x. Computed so.",
        ),
    ]


def notes(model: GaussianMixture, exact: Curve, d_0: float, lost: int) -> list[str]:
    """Notes for the reader of the figure; `lost` points of C&E could not be computed."""
    bits, shared = exact.rate / NATS_PER_BIT, exact.parameters["time_shared_rate_bits"]
    squared_error = exact.parameters["squared_error"]
    meeting = int(np.abs(squared_error - 1).argmin())
    sentences = [
        f"C&E has two regimes: two atoms while D_X > 1, that is up to {bits[meeting]:.4f} bits, and from there on the "
        "Shannon lower bound, tight. D_Y over the rate is not convex: time sharing, with silence at "
        f"D_0 = {d_0:.4g} too, saves up to {np.max(bits - shared):.4f} bits (the thin line).",
        "At D_TM lossless decisions are optimal here, as each is the strict argmax of its posterior; in general they "
        "need not be.",
    ]
    if np.asarray(model.prior) == 0.5:
        gain = mixture.sample_and_communicate(model, 1.0)
        sentences.append(
            f"At q = 1/2 the two-atom part of C&E is S&C; it ends in S&C's untempered point, "
            f"{float(gain.rate) / NATS_PER_BIT:.6f} bits at D_Y = {float(gain.distortion):.6f}."
        )
    if lost:
        sentences.append(f"{lost} points of C&E are left out: rounding hides where their second atom stands.")
    return sentences
