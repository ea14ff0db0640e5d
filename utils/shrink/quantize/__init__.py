"""Fewer bits: grids by hand (`quantization`), calibration, int8 graphs of two runtimes, training through the rounding.

Calibration refuses texts that are not of the train split; an export is held to the scores of its fake-quantized model.
"""
