"""Quantisers of one source letter at a time."""
