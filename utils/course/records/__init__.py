"""Recorded results: files under data/results/, and the tables, sentences and pictures made from them.

`recorded` and `recorded_sweep` read and write files; `recorded_tables`, `recorded_kept`, `folded` and `sweep_tables`
draw them together; `show_recorded` is what a notebook calls. The files are made by `course results` alone and are shown
only for the very data that they were recorded of; nothing here measures.
"""
