"""Figure 1 of [A]."""
