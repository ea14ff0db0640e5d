"""The pictures of a split model show the figures that they are given."""

import pytest

from utils.measure import plots_split

POINTS = {"after layer 1": (3e8, 0.90), "token by token": (2e6, 0.89), "two vectors": (2e6, 0.84)}


def marks(figure):
    lines = figure.axes[0].get_lines()
    return {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in lines}


def test_every_place_stands_at_its_figures_and_the_student_beside_them():
    figure = plots_split.quality_by_macs(POINTS, whole=(4e8, 0.905), title="Tokens meet late and keep it")
    found = marks(figure)
    assert {name: found[name] for name in POINTS} == POINTS
    assert found["the student, pair by pair"] == (4e8, 0.905)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log" and axes.get_title(loc="left") == "Tokens meet late and keep it"
    assert "MACs" in axes.get_xlabel() and "NDCG@10" in axes.get_ylabel()


def test_bytes_stand_on_their_own_axis_with_the_student_as_a_line():
    figure = plots_split.quality_by_bytes({"two vectors": (404, 0.84)}, whole=0.9, title="Bytes")
    assert marks(figure)["two vectors"] == (404, 0.84)
    assert marks(figure)["the student, nothing stored"][1] == 0.9
    assert "bytes" in figure.axes[0].get_xlabel()
    low, high = figure.axes[0].get_ylim()
    assert high - low >= plots_split.LEAST_HEIGHT


def test_places_differ_in_their_marks_and_not_in_colour_alone():
    figure = plots_split.quality_by_macs(POINTS, whole=(4e8, 0.905), title="")
    assert len({line.get_marker() for line in figure.axes[0].get_lines() if line.get_label() in POINTS}) == len(POINTS)


@pytest.mark.parametrize(("points", "said"), [({}, "at least one"), ({"whole": (0, 0.9)}, "whole: 0 bytes")])
def test_what_cannot_be_drawn_is_refused(points, said):
    with pytest.raises(ValueError, match=said):
        plots_split.quality_by_bytes(points, whole=0.9, title="")
