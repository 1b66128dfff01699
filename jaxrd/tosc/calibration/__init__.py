"""Is a confidence believable: temperature scaling and reliability."""
