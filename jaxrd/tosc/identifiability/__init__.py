"""What the data say of H(Y|X), which decides what an oracle could save."""
