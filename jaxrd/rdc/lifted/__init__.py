"""The lifted rate-distortion-classification function: reproductions with soft labels, certified."""
