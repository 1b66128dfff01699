"""What `jaxrd rdc` is asked: targets, questions at a rate, a perception bound; checked, in bits as written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.rdc import AtRate, Perception, Targets

GRID = {"lifted": 12, "fixed": 12, "literal": 6, "time-shared": 6}
"""Points a side of the surface, by semantics."""
MEASURES = ("tv", "w2", "kl", "rkl")
LEAST = "least"
"""What stands in place of the target that is to be least."""
_ONE = "D,C (D,C1,C2,... for several labels), numbers or inf"


class Asked(NamedTuple):
    """The options, parsed."""

    semantics: str | None
    at: list[Targets]
    least: list[AtRate]
    together: list[Targets]
    perception: Perception | None
    surface: int | None
    region: bool
    seed: int | None

    @property
    def side(self) -> int:
        """Points a side of the surface."""
        if self.surface is not None:
            return self.surface
        # Points under a perception bound take far longer: their surface is for who asks for it.
        return GRID[self.semantics or "lifted"] if self.perception is None else 0

    def check(self) -> None:
        """Refuse impossible options before any work.

        Raises:
            InputError: quotes the value.
        """
        semantics = self.semantics
        if semantics is not None and semantics not in GRID:
            raise InputError(f"--semantics must be one of {', '.join(GRID)}; got {semantics!r}.")
        if self.perception is not None and semantics in ("literal", "time-shared"):
            raise InputError(f"--perception is for --semantics lifted or fixed; got {semantics}.")
        if self.perception is not None and self.together and semantics == "fixed":
            raise InputError("--universal with --perception is computed for --semantics lifted alone.")
        if self.perception is not None and self.region:
            raise InputError("--region has no perception bound: leave --perception out.")
        if self.surface is not None and (self.surface < 0 or self.surface == 1):
            raise InputError(f"--surface must be 0 or at least 2; got {self.surface}.")
        if self.seed is not None and semantics == "fixed":
            raise InputError(f"--seed {self.seed} has no effect: --semantics fixed has no random starts.")
        if self.side == 0 and not (self.at or self.least or self.together or self.region):
            if self.surface is None:
                raise InputError("--perception alone asks for nothing: pass --at, --least, --universal or --surface.")
            raise InputError("--surface 0 leaves nothing to solve for: pass --at, --least, --universal or --region.")
        if self.seed is not None and self.seed < 0:
            raise InputError(f"--seed must be >= 0; got {self.seed}.")

    def check_targets(self, labels: int, *, negative: bool) -> None:
        """Refuse targets that do not suit the source.

        Args:
            labels: of the source.
            negative: whether a classification loss may be negative.

        Raises:
            InputError: quotes the targets.
        """
        options = ("--at", self.at), ("--least", [q.targets for q in self.least]), ("--universal", self.together)
        for option, every in options:
            for targets in every:
                words = ",".join(LEAST if np.isnan(x) else f"{x:g}" for x in targets)
                if len(targets) != 1 + labels:
                    form = "D,C" if labels == 1 else ",".join(["D", *(f"C{k}" for k in range(1, labels + 1))])
                    form = f"R,{form}" if option == "--least" else form
                    raise InputError(f"{option} must be {form}: the file has {labels} label(s); got targets {words}.")
                if not negative and any(c < 0 for c in targets[1:]):
                    raise InputError(f"{option} must have C >= 0; got targets {words}.")


def parse_targets(option: str, text: str) -> Targets:
    """D,C1,... in bits.

    Raises:
        InputError: quotes the text.
    """
    try:
        targets = tuple(float(part) for part in text.split(","))
    except ValueError:
        targets = ()
    if len(targets) < 2 or np.isnan(targets).any():
        raise InputError(f"{option} must be {_ONE}; got {text!r}.")
    return targets


def parse_at_rate(text: str) -> AtRate:
    """R,D,C1,..., one of the targets the word `least`.

    Raises:
        InputError: quotes the text.
    """
    from jaxrd.documents.rdc import AtRate

    words = [part.strip() for part in text.split(",")]
    try:
        rate, *targets = (np.nan if word == LEAST else float(word) for word in words)
    except ValueError:
        rate, targets = np.nan, []
    given = [word for word in words if word != LEAST]
    if (
        len(targets) < 2
        or len(given) != len(words) - 1
        or any(np.isnan(float(w)) for w in given)
        or not 0 <= rate < np.inf
    ):
        raise InputError(
            f"--least must be R,{LEAST},C or R,D,{LEAST} (one C for each label), 0 <= R < inf, D and C numbers or inf; "
            f"got {text!r}."
        )
    return AtRate(rate, tuple(targets))


def parse_perception(text: str) -> Perception:
    """MEASURE:P.

    Raises:
        InputError: quotes the text.
    """
    from jaxrd.documents.rdc import Perception

    measure, _, bound = text.partition(":")
    try:
        value = float(bound)
    except ValueError:
        value = np.nan
    if measure not in MEASURES or not value >= 0:
        raise InputError(f"--perception must be one of {', '.join(MEASURES)}, then :P, P >= 0; got {text!r}.")
    return Perception(measure, value)
