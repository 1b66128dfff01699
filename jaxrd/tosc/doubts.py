"""What a reader should know before trusting the curves of `limits`, in words."""

from __future__ import annotations

import numpy as np

from jaxrd.curve import Curve
from jaxrd.tosc.curves import ESTIMATED, EVERY, MODEL_AWARE, TIME_SHARING
from jaxrd.tosc.curves.drawing import Bound
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs


def effective(outputs: Outputs) -> float:
    """1 / sum w^2: as many equal samples have means that vary as much."""
    return len(outputs.labels) if outputs.weights is None else 1 / float((outputs.weights**2).sum())


def miscalibration(curve: Curve, samples: float, loss: Loss | None = None) -> str | None:
    """A warning where believed and measured distortion differ by more than the noise of the labels."""
    believed, measured = np.asarray(curve.model_distortion), curve.distortion
    least, most = (0.0, 1.0) if loss is None else (float(loss.values.min()), float(loss.values.max()))
    # An upper bound on the standard deviation of a mean of values in [least, most]; at least one label, 1 / samples.
    spread = np.maximum((believed - least) * (most - believed), (most - least) ** 2 / samples)
    noise = np.sqrt(spread / samples)
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


def doubts(drawn: dict[str, Bound], outputs: Outputs, d_tm: float, d_0: float, loss: Loss | None = None) -> list[str]:
    """Warnings about the curves drawn, whatever rate is asked for."""
    warnings, samples = [], len(outputs.labels)
    if outputs.logits is None:
        absent = " and ".join(sorted(curve.name for curve in EVERY if curve.needs_posterior))
        warnings.append(f"hard decisions only: {absent} need scores")
    elif words := miscalibration(drawn[MODEL_AWARE.name].curve, effective(outputs), loss):
        warnings.append(words)
    if TIME_SHARING.name not in drawn:
        warnings.append(
            f"D_TM = {d_tm:.4g} is not below D_0 = {d_0:.4g}: always guessing one class does as well; "
            f"{TIME_SHARING.name} is undefined"
        )
    if ESTIMATED.name not in drawn:
        warnings.append(f"{ESTIMATED.name} is absent: {ESTIMATED.undefined}")
    labels, actions = (outputs.classes, outputs.classes) if loss is None else (loss.labels, loss.actions)
    if labels * actions > samples / 10:
        cells = f"{labels}^2" if labels == actions else f"{labels} x {actions}"
        warnings.append(
            f"{cells} confusion cells for {samples} samples: the plug-in iE&C is optimistic; cross-fitting "
            "(--confidence) says by how much"
        )
    return warnings
