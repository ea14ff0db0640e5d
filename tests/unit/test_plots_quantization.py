"""Pictures of quantization name every way once, and those at one place together."""

from itertools import combinations

import numpy as np

from utils.measure import plots_quantization


def test_ways_at_one_place_share_a_label_that_names_them_all():
    points = {"a": (0.024, -0.001), "b": (0.24, 0.002), "c": (0.02401, -0.00101), "d": (0.24, -0.002)}
    figure = plots_quantization.drift_against_quality(points, title="Two of four rank worse")
    (axes,) = figure.axes
    assert sorted(text.get_text() for text in axes.texts) == ["1, 3", "2", "4"]
    assert [mark.get_label() for mark in axes.collections] == ["1 a", "2 b", "3 c", "4 d"]
    assert axes.get_xscale() == "log" and "drift" in axes.get_xlabel() and "NDCG@10" in axes.get_ylabel()
    assert figure.get_suptitle() == "Two of four rank worse"


def test_numbers_of_neighbours_do_not_cover_one_another():
    near = {str(i): (0.02 * 1.06**i, 0.0002 * (i % 2)) for i in range(3)} | {"far": (0.3, -0.2)}
    figure = plots_quantization.drift_against_quality(near, title="x")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 4 and not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_an_outlier_is_drawn_over_its_scores_with_the_ends_of_every_range():
    counts, edges = np.array([0, 900, 100, 0, 0, 3]), np.linspace(-2, 10, 7)
    ends = {"extremes": (-2.0, 10.0), "99.9": (-1.0, 2.0)}
    drawn = {"values": np.array([8.0, 9.0, 10.0]), "scores": np.array([1.0, 0.0, -1.0])}
    figure = plots_quantization.outlier(counts, edges, ends=ends, title="Three values are cut", **drawn)
    above, below = figure.axes
    assert sum(bar.get_height() for bar in above.patches) == counts.sum() and above.get_yscale() == "log"
    for axes in (above, below):
        assert sorted({line.get_xdata()[0] for line in axes.lines}) == [-2, -1, 2, 10]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "ends of the range: extremes",
        "ends of the range: 99.9",
    ]
    assert "score" in below.get_ylabel() and figure.get_suptitle() == "Three values are cut"
