"""Recorded results: files under data/results/, and the tables, sentences and pictures made from them."""
