"""The package that the notebooks of Rank for Less import.

An import goes only up this list: settings, data, rank, measure, shrink, speed, edge, course; a test walks the imports.
"""
