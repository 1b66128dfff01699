"""Paper [B]: rate, distortion and classification."""
