"""The pictures of notebook 05 draw what they were given, on axes that say what they show."""

import pytest

from utils.measure import plots_sparsity
from utils.measure.timing import Ratio


def test_storage_draws_derived_lines_measured_marks_and_zstd_beside_them():
    derived = {"dense": [(0.3, 1.0), (0.9, 1.0)], "CSR": [(0.3, 1.4), (0.9, 0.2)]}
    marks = {"dense": [(0.5, 1.0)], "CSR": [(0.5, 1.01)]}
    packed = {"dense": [(0.5, 0.56)], "CSR": [(0.5, 0.57)]}
    figure = plots_sparsity.storage(derived=derived, plain=marks, zstd=packed, least=[(0.3, 0.7)], title="CSR is late")
    left, right = figure.axes
    drawn = {tuple(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in left.lines}
    assert {((30.0, 1.4), (90.0, 0.2)), ((50.0, 1.01),), ((30.0, 0.7),)} <= drawn
    assert ((50.0, 0.57),) in {tuple(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in right.lines}
    assert figure.get_suptitle() == "CSR is late" and right.get_title(loc="left") == "after zstd"


def test_quality_has_a_line_a_method_single_points_and_the_level_without_zeros():
    figure = plots_sparsity.quality_by_sparsity(
        {"magnitude": [(0.5, 0.8), (0.9, 0.4)]}, points={"2:4": (0.5, 0.7)}, whole=0.85, floor=0.3, title="It falls"
    )
    (axes,) = figure.axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert lines["magnitude"] == [0.8, 0.4] and lines["2:4"] == [0.7]
    assert set(lines["no zeros"]) == {0.85} and set(lines["random order"]) == {0.3}
    assert axes.get_title(loc="left") == "It falls" and "NDCG@10" in axes.get_ylabel()


def test_break_evens_stand_upright_with_their_names_and_those_that_are_none_are_left_out():
    (axes,) = plots_sparsity.quality_by_sparsity(
        {"Wanda": [(0.5, 0.8), (0.9, 0.4)]},
        points={},
        whole=0.85,
        floor=0.3,
        title="It pays late",
        break_evens={"CSR pays": 0.8, "nowhere": 1.0, "everywhere": 0.0},
    ).axes
    assert [text.get_text() for text in axes.texts] == ["CSR pays"]
    assert [80, 80] in [list(line.get_xdata()) for line in axes.lines]


def test_speed_says_how_many_zeros_there_are_and_grows_to_the_right():
    speeds = {"CSR": {0.5: Ratio(0.5, 0.4, 0.7), 0.02: Ratio(8.0, 7.0, 9.0)}}
    (axes,) = plots_sparsity.speed_by_density(speeds, title="Late").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["50", "98"] and axes.xaxis_inverted()
    line, _, (bars,) = axes.containers[0]
    assert list(line.get_ydata()) == [0.5, 8.0]
    ends = [sorted(y for _, y in segment) for segment in bars.get_segments()]
    assert ends == [pytest.approx([0.4, 0.7]), pytest.approx([7.0, 9.0])]
