"""The identifiability experiment of [A], appendix."""
