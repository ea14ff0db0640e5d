"""The package that the notebooks of Rank for Less import.

An import goes only up this list: settings, disk, environment, freshness, data, rank, measure, shrink, speed, edge,
course; a test walks the imports. The environment comes first of all, so that telemetry is off before any library is
read.
"""

from utils import environment as environment
