"""Pictures of placement and cache show the points, sizes and rates that they are given."""

import io

import numpy as np
import pytest

from utils.edge import placement
from utils.measure import plots_placement

ODD = "_a $100% name_\nof two lines " + "x" * 80
GRID = {"round_trips_ms": list(np.geomspace(1, 500, num=20)), "slowdowns": [1, 2, 5, 10, 20]}


def draw(server_ms, device_ms, points):
    found = placement.speedups(**GRID, server_ms=server_ms, device_ms=device_ms)
    figure = plots_placement.when_local_wins(found, **GRID, points=points, title="Local wins for $1")
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_the_measured_points_stand_where_they_were_measured():
    figure = draw(20.0, 10.0, {"wired": (5.0, 1.0), ODD: (80.0, 10.0)})
    (axes,) = figure.axes
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines] == [(5.0, 1.0), (80.0, 10.0)]
    assert len({line.get_marker() for line in axes.lines}) == 2  # told apart without colours
    assert axes.get_xscale() == axes.get_yscale() == "log" and "ms" in axes.get_xlabel()


def test_the_line_of_equal_times_is_drawn_at_the_break_even_round_trip():
    (axes,) = draw(20.0, 10.0, {}).axes
    written = {text.get_text() for text in axes.texts}
    assert {"1 ×", "2 ×"} <= written


@pytest.mark.parametrize(("server_ms", "device_ms"), [(500.0, 1.0), (1.0, 5_000.0)], ids=["always", "never"])
def test_where_one_side_always_wins_there_is_a_picture_all_the_same(server_ms, device_ms):
    assert draw(server_ms, device_ms, {"here": (5.0, 1.0)}).axes


def test_hit_rates_rise_over_the_sizes_under_the_line_of_a_cache_that_forgets_nothing():
    lines = {"for ever": {10_000: 0.3, 1_000: 0.1}, ODD: {1_000: 0.05, 10_000: 0.2}}
    figure = plots_placement.hit_rates(lines, most_possible=0.6, title="A small cache answers 30%")
    (axes,) = figure.axes
    first, second, most = axes.lines
    assert list(first.get_xdata()) == [1, 10] and list(first.get_ydata()) == [0.1, 0.3]
    assert list(second.get_ydata()) == [0.05, 0.2] and set(most.get_ydata()) == {0.6}
    assert axes.get_ylim() == (0, 1) and "kB" in axes.get_xlabel()
    figure.savefig(io.BytesIO(), format="png")
