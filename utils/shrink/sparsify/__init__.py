"""Zeros: the patterns they come in, what they save on disk, and when a product with them is faster."""
