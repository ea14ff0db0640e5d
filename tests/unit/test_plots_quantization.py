"""Pictures of quantization name every way once, and those at one place together."""

from itertools import combinations

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
