"""`jaxrd rdc --region`: what a representation can be decoded to, in each semantics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from jaxrd.errors import InputError

if TYPE_CHECKING:
    from jaxrd.documents.rdc import Decoded
    from jaxrd.io.labelled import Labelled
    from jaxrd.rdc import Region

_LITERAL_GRID = 101  # distortions at which the literal region is computed


def decoded(given: Labelled, semantics: str, losses: list[np.ndarray]) -> Decoded:
    """The region of the file's representation, and the rate of that.

    Args:
        given: the source.
        semantics: of the region.
        losses: what its solvers take for the label: the cross entropies where a classifier is given.

    Raises:
        InputError: no representation, none that suits, or several labels.
    """
    from jaxrd.documents.rdc import Decoded
    from jaxrd.rdc.inputs import as_inputs
    from jaxrd.rdc.point import mutual_information
    from jaxrd.rdc.representation.region import seen_through

    if given.representation is None:
        raise InputError("--region needs representation, P(z|x) of shape (n, representations), in the file.")
    if len(given.labels) != 1:
        raise InputError(f"--region takes one label; the file has {len(given.labels)}.")
    region = _region(given, semantics, losses)
    source = as_inputs(given.problem, list(given.labels)).source
    joint = seen_through(source, given.labels[0], given.representation).joint
    channel = np.divide(joint, source[:, None], out=np.full(joint.shape, 1 / joint.shape[1]), where=source[:, None] > 0)
    return Decoded(mutual_information(source, channel), region)


def _region(given: Labelled, semantics: str, losses: list[np.ndarray]) -> Region:
    from jaxrd.rdc import Region
    from jaxrd.rdc.representation.literal import literal_boundary
    from jaxrd.rdc.representation.region import fixed_classifier_region, lifted_region, time_shared_region

    problem, z = given.problem, given.representation
    assert z is not None
    if semantics == "fixed":
        return fixed_classifier_region(problem, losses[0], z)
    if semantics == "lifted":
        return lifted_region(problem, given.labels[0], z)
    shared = time_shared_region(problem, given.labels[0], z)
    if semantics == "time-shared":
        return shared
    count = _LITERAL_GRID if len(shared.distortion) > 1 else 1
    d = np.linspace(shared.distortion[0], shared.distortion[-1], count)
    none = np.full((count, shared.decoders.shape[1]), -1)
    return Region("literal", d, literal_boundary(problem, given.labels[0], z, d), none)
