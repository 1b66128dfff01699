"""Section IV-B of [A]."""
