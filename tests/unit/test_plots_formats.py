"""The picture of formats shows the times that it is given."""

import pytest

from utils.measure import plots_formats
from utils.measure.timing import Timing

FAST, SLOW = Timing((4.0,) * 19 + (6.0,)), Timing((8.0,) * 20)
TIMES = {"ONNX": {"fp32": SLOW, "int8": FAST}, "LiteRT": {"fp32": FAST, "int8": SLOW}}


def test_every_format_has_a_bar_a_precision_as_long_as_its_median():
    axes = plots_formats.query_times(TIMES, n_candidates=20, title="Formats").axes[0]

    lengths = [bar.get_width() for bar in axes.patches]
    assert lengths == [8.0, 4.0, 4.0, 8.0]  # fp32 of both formats, then int8
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ONNX", "LiteRT"]
    assert "20 candidates" in axes.get_xlabel() and axes.get_title(loc="left") == "Formats"


def test_a_line_reaches_from_the_median_to_the_95th_percentile():
    axes = plots_formats.query_times({"ONNX": {"int8": FAST}}, n_candidates=20, title="").axes[0]

    ((begin, _), (end, _)) = axes.containers[0].lines[2][0].get_segments()[0]
    assert (begin, end) == (4.0, pytest.approx(FAST.percentile(95)))
    assert FAST.percentile(95) > 4.0


def test_precisions_differ_in_hatching_and_not_in_colour_alone():
    axes = plots_formats.query_times(TIMES, n_candidates=20, title="").axes[0]

    assert len({bar.get_hatch() for bar in axes.patches}) == 2


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        plots_formats.query_times({}, n_candidates=20, title="")
