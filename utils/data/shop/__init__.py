"""The embedded shop: its words, the rule that grades a product, queries, and all of it as tables."""
