"""Several tasks on the same samples: what one stream for all of them needs."""
