"""Networks in Flax: the fixed MNIST classifier (needs `pip install jaxrd[neural]`)."""
