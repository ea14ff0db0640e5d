"""The package that the notebooks of Rank for Less import.

An import goes only up this list: settings, disk, environment, freshness, data, rank, measure, shrink, speed, edge,
course; `lint-imports` holds it to that. Each room's own first lines say what lives there, what others may use, and
what must stay as it is. The environment comes first of all, so that telemetry is off before any library is read.
"""

from utils import environment as environment
