"""Cutting parts off: words, heads, neurons, layers, and single weights."""
