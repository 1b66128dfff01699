"""Figure 4 of [B]."""
