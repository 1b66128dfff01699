"""The rate-distortion limits of a regression: squared error instead of classes."""
