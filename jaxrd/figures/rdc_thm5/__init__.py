"""Theorem 5 of [B]."""
