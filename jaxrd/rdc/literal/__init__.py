"""The literal rate-distortion-classification function and its convex envelope: searched, not certified."""
