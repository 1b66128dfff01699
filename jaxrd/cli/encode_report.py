"""What `jaxrd encode` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxrd.cli.common import headed, print_line, print_notes

if TYPE_CHECKING:
    from jaxrd.documents.encode import Sent


def report(sent: Sent) -> None:
    """Print what the stream took, beside its bounds."""
    scheme = sent.scheme
    how = ["as they are" if sent.curve == "decisions" else f"by {sent.curve}"]
    if scheme.slope is not None:
        how.append(f"slope {scheme.slope:g}")
    if scheme.estimate_distortion is not None:
        how.append(f"{scheme.estimate_distortion:.4g} from the decisions")
    if scheme.merged is not None:
        how.append(f"{scheme.merged} of {sent.loss.actions} merged")
    if sent.curve == "S&C":
        how.append("a sample of the posterior")
    if sent.temperature is not None:
        how.append(f"temperature {sent.temperature:g}")
    if sent.block is not None:
        how.append(f"blocks of {sent.block}")
    lines = [
        headed(sent.name, f": {sent.samples} decisions {', '.join(how)}"),
        f"payload {sent.payload_bits:.4f} bits a sample, and {sent.header_bytes} bytes of header",
        *_costs(sent),
    ]
    for line in lines:
        print_line(line)
    print_notes(sent.notes)


def _costs(sent: Sent) -> list[str]:
    from jaxrd.coding import Coded

    encoded = sent.encoded
    quality, expected = f"mean loss ({sent.loss.name}) {sent.distortion:.4g}", f"{sent.distortion_expected:.4g}"
    if sent.loss.is_error:
        quality, expected = f"accuracy {1 - sent.distortion:.2%}", f"{1 - sent.distortion_expected:.2%}"
    if isinstance(encoded, Coded):
        return [
            f"entropy {sent.information_bits:.4f}, bound {sent.bound_bits:.4f}, with the header {sent.stream_bits:.4f}",
            quality,
        ]
    return [
        f"I(X;Y) {sent.information_bits:.4f}, bound {sent.bound_bits:.4f}, "
        f"sending the sample itself {sent.sample_bits:.4f}",
        f"{encoded.simulation.candidates:.3g} candidates ({encoded.expected_candidates:.3g} expected); "
        f"{quality} ({expected} expected)",
    ]
