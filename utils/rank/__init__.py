"""Rankers: building, training, running and judging a model that scores (query, product) pairs."""
