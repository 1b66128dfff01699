"""Figure 3 of [A]."""
