"""Pictures carry their finding as title, labelled axes, and a mark for everything they were given."""

from utils.measure import plots


def test_bars_show_each_value_under_the_finding():
    figure = plots.quality_bars({"BM25": 0.5, "teacher": 0.875}, title="The teacher is ahead")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.875]
    assert [text.get_text() for text in axes.texts] == ["0.500", "0.875"]
    assert axes.get_title(loc="left") == "The teacher is ahead" and axes.get_xlabel()


def test_slices_draw_one_series_a_ranker_with_the_kinds_counted():
    slices = {"BM25": {"head": (0.5, 3), "tail": (0.25, 4)}, "teacher": {"head": (1.0, 3), "tail": (0.75, 4)}}
    (axes,) = plots.quality_by_kind(slices, title="x").axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.5, 0.25], [1.0, 0.75]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["head (3)", "tail (4)"]


def test_families_of_models_are_lines_from_little_work_to_much():
    figure = plots.quality_against_work({"pruned": [(2e8, 0.9), (1e8, 0.8)], "student": [(3e7, 0.85)]}, title="x")
    (axes,) = figure.axes
    drawn = {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines}
    assert drawn == {"pruned": [(100, 0.8), (200, 0.9)], "student": [(30, 0.85)]}
    assert len({line.get_marker() for line in axes.lines}) == 2
    assert axes.get_xscale() == "log" and "M MACs" in axes.get_xlabel() and "NDCG@10" in axes.get_ylabel()


def test_a_small_difference_of_quality_does_not_fill_the_picture():
    (axes,) = plots.quality_against_work({"a": [(1e8, 0.800)], "b": [(2e8, 0.801)]}, title="x").axes
    low, high = axes.get_ylim()
    assert high - low >= 0.1 and low < 0.800 < 0.801 < high
