"""Figure 2 of [A]."""
