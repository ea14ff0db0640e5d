"""The pictures of notebook 07 draw what they were given, on axes that say what they show."""

import numpy as np
import pytest

from utils.measure import plots_speed

STEPS = {"Python": {"tokenize": 6.0, "engine": 4.0}, "stored ids": {"join": 1.0, "engine": 4.0}}


def test_steps_stand_one_after_the_other_and_end_at_the_whole_of_their_way():
    figure = plots_speed.stacked_steps(STEPS, title="Half is Python")
    (axes,) = figure.axes
    ends = {}
    for bars in axes.containers:
        for place, bar in enumerate(bars.patches):
            assert bar.get_x() == pytest.approx(ends.get(place, 0.0))
            ends[place] = bar.get_x() + bar.get_width()
    assert ends == pytest.approx({0: 10.0, 1: 5.0})
    assert [bars.get_label() for bars in axes.containers] == ["tokenize", "engine", "join"]
    assert len({bars.patches[0].get_hatch() for bars in axes.containers}) == 3
    assert {"10", "5"} <= {text.get_text() for text in axes.texts}
    assert figure.get_suptitle() == "Half is Python" and "ms" in axes.get_xlabel()


def test_quality_has_a_line_a_first_ranker_the_level_of_the_whole_and_the_chosen_depth():
    lines = {"bi-encoder": [(50, 0.85), (5, 0.80)], "BM25": [(5, 0.6), (50, 0.84)]}
    (axes,) = plots_speed.quality_by_depth(lines, chosen=12, whole=0.86, title="Twelve are enough").axes
    drawn = {line.get_label(): line for line in axes.lines}
    assert list(drawn["bi-encoder"].get_xdata()) == [5, 50] and list(drawn["bi-encoder"].get_ydata()) == [0.80, 0.85]
    assert set(drawn["the second ranker scores all"].get_ydata()) == {0.86}
    assert set(drawn["chosen: 12"].get_xdata()) == {12}
    assert drawn["BM25"].get_linestyle() != drawn["bi-encoder"].get_linestyle()
    assert [text.get_text() for text in axes.get_xticklabels()] == ["5", "50"]
    assert axes.get_title(loc="left") == "Twelve are enough" and "NDCG@10" in axes.get_ylabel()


def test_a_small_difference_of_quality_does_not_fill_the_picture_of_depths():
    (axes,) = plots_speed.quality_by_depth({"a": [(1, 0.800), (9, 0.801)]}, chosen=9, whole=0.801, title="x").axes
    low, high = axes.get_ylim()
    assert high - low >= 0.1 and low < 0.800 < 0.801 < high


def test_each_kind_of_number_has_its_roof_and_they_share_the_slope():
    figure = plots_speed.engines_on_roof(
        {"OpenVINO": (40.0, 300.0)}, roofs={"fp32": 100.0, "int8": 400.0}, gb_per_s=10.0, title="Int8 lifts the roof"
    )
    drawn = {line.get_label(): line for line in figure.axes[0].lines}
    fp32, int8 = drawn["roof of fp32"].get_ydata(), drawn["roof of int8"].get_ydata()
    assert max(fp32) == 100 and max(int8) == 400 and fp32[0] == int8[0]
    assert drawn["OpenVINO"].get_xydata().tolist() == [[40.0, 300.0]]


def test_levers_multiply_from_bar_to_bar_and_what_was_measured_together_stands_below():
    factors = {"fewer layers": 4.0, "a bad idea": 0.5, "int8": 3.0}
    (axes,) = plots_speed.levers(factors, together=5.0, title="Less than the product").axes
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert np.array(spans) == pytest.approx(np.array([(1, 4), (2, 4), (2, 6), (1, 6), (1, 5)]))
    assert [text.get_text() for text in axes.texts] == ["× 4", "× 0.5", "× 3", "× 6", "× 5"]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == [*factors, "their product", "measured together"]
    hatched = [bar.get_hatch() for bar in axes.patches]
    assert hatched[1] != hatched[0] and axes.get_xscale() == "log"


def test_ways_to_use_the_cores_have_a_bar_to_the_median_and_a_mark_a_turn():
    rates = {"1 process": [100.0, 300.0, 110.0], "2 processes": [400.0, 410.0, 420.0]}
    (axes,) = plots_speed.threads_against_processes(rates, title="Processes win").axes
    assert [bar.get_width() for bar in axes.patches] == [110.0, 410.0]
    assert [list(line.get_xdata()) for line in axes.lines] == list(rates.values())
    assert [text.get_text() for text in axes.texts] == ["110", "410"] and "pairs a second" in axes.get_xlabel()
