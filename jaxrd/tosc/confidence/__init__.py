"""How far the curves of `limits` may be from those of the population."""
