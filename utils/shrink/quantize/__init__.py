"""Fewer bits: grids by hand, calibration, int8 graphs of two runtimes, and training through the rounding."""
