"""What makes a ranker answer faster without changing its weights: stored inputs, cascades, engines, and the measuring
of it."""
