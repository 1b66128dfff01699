"""The arguments of `limits`, checked, and the distortions it takes where none are asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike

from jaxrd._eager import refuse_unless
from jaxrd.errors import InputError
from jaxrd.tosc.losses import Loss
from jaxrd.tosc.outputs import Outputs, Progress, from_decisions, from_scores


def as_outputs(outputs: Outputs | ArrayLike, labels: ArrayLike | None, progress: Progress) -> Outputs:
    """The outputs, checked, or made of scores or decisions with labels.

    Raises:
        InputError: neither, or labels twice.
    """
    if isinstance(outputs, Outputs):
        if labels is not None:
            raise InputError("Outputs hold labels already; pass them without, or scores with labels.")
        return outputs
    shape = np.shape(outputs)
    if labels is None or len(shape) not in (1, 2):
        got = f"an array of shape {shape}" if shape else " ".join(repr(outputs).split())[:60]
        raise InputError(
            f"limits takes Outputs, or scores (samples, classes) or decisions (samples,) with labels; got {got}"
            f"{' and no labels' if labels is None else ''}."
        )
    return from_scores(outputs, labels, progress=progress) if len(shape) == 2 else from_decisions(outputs, labels)


def check_temperature(temperature: float | None, outputs: Outputs) -> None:
    """Refuse a temperature that is not positive, or that has no effect.

    Raises:
        InputError: it is.
    """
    if temperature is None:
        return
    refuse_unless(lambda t: (t > 0) & (t < np.inf), "temperature", temperature, "a positive number")
    if outputs.logits is None:
        raise InputError(f"temperature {temperature:g} has no effect: hard decisions have none. Pass scores.")


def as_loss(loss: Loss | None, classes: int) -> Loss | None:
    """The loss; None for 0/1, whose curves have closed forms.

    Raises:
        InputError: no loss, or one for another number of labels.
    """
    if loss is None:
        return None
    if not isinstance(loss, Loss):
        raise InputError(f"loss must be one of jaxrd.tosc.losses, such as losses.of_matrix(values); got {loss!r:.60}.")
    if loss.labels != classes:
        raise InputError(f"the loss {loss.name} is for {loss.labels} labels; the outputs have {classes} classes.")
    return None if loss.is_zero_one else loss


def as_targets(at: Sequence[float] | None, loss: Loss | None) -> list[float] | None:
    """The distortions asked for; None: none were.

    Raises:
        InputError: no list, or a distortion that no decisions can have.
    """
    if at is None:
        return None
    if isinstance(at, str) or np.ndim(at) != 1:
        raise InputError(f"at must be a list of task distortions, such as at=[0.3]; got {at!r}.")
    most = 1 if loss is None else float(loss.values.max())
    for d in at:
        if not 0 <= d <= most:
            what = "" if loss is None else f", the losses of {loss.name}"
            raise InputError(f"a task distortion must lie in [0, {most:g}]{what}; got {d:g}.")
    return [float(d) for d in at]


def default_targets(d_tm: float, d_0: float, loss: Loss | None) -> list[float]:
    """A few round distortions between D_TM (deciding) and D_0 (guessing)."""
    most = 1.0 if loss is None else float(loss.values.max())
    # Two decimals for a loss up to 1, and as many digits for others.
    digits = 2 - int(np.ceil(np.log10(most))) if most > 0 else 2
    if d_tm >= d_0:
        return [min(float(np.ceil(10**digits * d_0)) / 10**digits, most)]
    return sorted({round(d_tm + share * (d_0 - d_tm), digits) for share in (0.05, 0.25, 0.6)})
