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
