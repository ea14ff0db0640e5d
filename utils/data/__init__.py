"""Catalogues: a shop's files read, checked and joined (`catalogue` is the door), and BM25's candidates.

A file goes through `csv_files` (rows and their lines), `columns` (what a header may say), `checks` (what is good data,
with `labels` and `splits`), and `catalogue`. A rule of the layout is changed there and in data/README.md together.
"""
