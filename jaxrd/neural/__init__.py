"""Networks in Flax: the fixed MNIST classifier (needs flax, optax and orbax-checkpoint: the extra `neural`)."""
