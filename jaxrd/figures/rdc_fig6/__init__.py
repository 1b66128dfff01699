"""Figure 6 of [B]."""
