"""Figure 4 of [A]."""
