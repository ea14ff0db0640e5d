"""Catalogues: the layout and its checks, the embedded shop, BM25 and its candidates."""
