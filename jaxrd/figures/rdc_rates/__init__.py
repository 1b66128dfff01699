"""Autoencoders on MNIST at 16, 32 and 64 bits."""
