"""What a reader should know before trusting the curves of `limits`, in words."""

from __future__ import annotations

import numpy as np

from jaxrd.curve import Curve
from jaxrd.tosc.curves import EVERY, MODEL_AWARE, TIME_SHARING
from jaxrd.tosc.curves.drawing import Bound
from jaxrd.tosc.outputs import Outputs


def miscalibration(curve: Curve, samples: int) -> str | None:
    """A warning where believed and measured distortion differ by more than the noise of the labels."""
    believed, measured = np.asarray(curve.model_distortion), curve.distortion
    # An upper bound on the standard deviation of a mean of values in [0, 1]; at least one label, 1 / samples.
    noise = np.sqrt(np.maximum(believed * (1 - believed), 1 / samples) / samples)
    off = measured - believed
    beyond_noise = off[np.abs(off) > 3 * noise]
    if not beyond_noise.size:
        return None
    worst = beyond_noise[np.abs(beyond_noise).argmax()]
    return (
        f"miscalibrated: the model believes itself {'better' if worst > 0 else 'worse'} than its labels show, by up to "
        f"{abs(worst):.3f} in distortion; the label-measured points are what is achieved"
    )


def beaten(rows: list[dict[str, float | None]]) -> str | None:
    """A warning where an achievable curve lies below TMRD: with the true posterior and infinite samples none does."""
    for row in rows:
        ours = row[MODEL_AWARE.name]
        others = {curve.name: rate for curve in EVERY if curve.achievable and (rate := row[curve.name]) is not None}
        if ours is not None and others and min(others.values()) < ours - 1e-6:
            name = min(others, key=lambda name: others[name])
            return (
                f"{name} lies below {MODEL_AWARE.name} at D = {row['distortion']:.4g}: the posterior is off there, "
                f"unless it is noise (see --confidence), and {MODEL_AWARE.name} on the label axis is one achievable "
                "scheme, no bound"
            )
    return None


def doubts(drawn: dict[str, Bound], outputs: Outputs, d_tm: float, d_0: float) -> list[str]:
    """Warnings about the curves drawn, whatever rate is asked for."""
    warnings, samples = [], len(outputs.labels)
    if outputs.logits is None:
        absent = " and ".join(sorted(curve.name for curve in EVERY if curve.needs_posterior))
        warnings.append(f"hard decisions only: {absent} need scores")
    elif words := miscalibration(drawn[MODEL_AWARE.name].curve, samples):
        warnings.append(words)
    if TIME_SHARING.name not in drawn:
        warnings.append(
            f"D_TM = {d_tm:.4g} is not below D_0 = {d_0:.4g}: always guessing one class does as well; "
            f"{TIME_SHARING.name} is undefined"
        )
    if outputs.classes**2 > samples / 10:
        warnings.append(
            f"{outputs.classes}^2 confusion cells for {samples} samples: the plug-in iE&C is optimistic; cross-fitting "
            "(--confidence) says by how much"
        )
    return warnings
