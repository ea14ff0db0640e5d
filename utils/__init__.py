"""The package that the notebooks of Rank for Less import.

An import goes only up this list: settings, data, rank, measure, shrink, speed, edge, course; a test walks the imports.
Settings come first of all, so that telemetry is off before any other library is read.
"""

from utils import settings as settings
