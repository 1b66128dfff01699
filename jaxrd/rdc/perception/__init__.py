"""Rate, distortion and perception, certified by convex duality."""
