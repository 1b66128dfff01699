"""Figure 3 of [B]."""
