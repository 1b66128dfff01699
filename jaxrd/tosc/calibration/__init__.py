"""Calibration of a classifier's confidence: temperature scaling and reliability."""
