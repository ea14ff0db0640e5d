"""Pictures carry their finding as title, labelled axes, a mark for all that they were given, and names as they are."""

import io
import re
from html import unescape
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made import row

from utils.measure import plots, plots_levers, plots_pruning, plots_quantization, plots_sparsity, plots_speed
from utils.measure.timing import Ratio

NAME = "_10_ $a_ ^{b} $5 \\frac{ <i> | `x` &\nnext"
AS_SHOWN = "_10_ $a_ ^{b} $5 \\frac{ <i> | `x` & next"
POINTS = [(0.5, 0.8), (0.9, 0.4)]
ROWS = [row(label=NAME, ndcg10=0.5), row(label="other", ndcg10=0.4, disk_bytes=2)]
DRAWN = {
    "quality_bars": lambda: plots.quality_bars({NAME: 0.5}, title=NAME),
    "spread": lambda: plots.spread({NAME: [0.5, 1.0]}, title=NAME),
    "quality_by_kind": lambda: plots.quality_by_kind({NAME: {NAME: (0.5, 3)}}, title=NAME),
    "quality_against_dollars": lambda: plots.quality_against_dollars({NAME: (1.0, 0.5)}, title=NAME),
    "quality_by_judged": lambda: plots.quality_by_judged({NAME: [(100, 0.7), (400, 0.8)]}, title=NAME),
    "agreement_by_repetition": lambda: plots.agreement_by_repetition({NAME: [(8.0, 0.7), (0.8, 0.9)]}, title=NAME),
    "size_and_work": lambda: plots.size_and_work(ROWS, title=NAME),
    "roofline": lambda: plots.roofline({NAME: (10.0, 5.0)}, peak_gflops=100.0, gb_per_s=10.0, title=NAME),
    "layer_to_scale": lambda: plots.layer_to_scale(d_model=8, d_ff=32, n_heads=2, title=NAME),
    "times_by_turn": lambda: plots.times_by_turn({NAME: [3.0, 4.0]}, title=NAME),
    "training": lambda: plots.training([{"step": 1, "loss": 1.0}, {"step": 1, "eval_ndcg10": 0.5}], title=NAME),
    "waterfall": lambda: plots_levers.waterfall(ROWS, title=NAME),
    "importance_map": lambda: plots_pruning.importance_map(np.eye(2), part="head", title=NAME),
    "quality_curves": lambda: plots_pruning.quality_curves(
        {NAME: {NAME: {12: 0.9, 6: 0.8}}}, before=0.9, floor=0.4, title=NAME
    ),
    "size_against_use": lambda: plots_pruning.size_against_use(
        np.ones((1, 4)), np.ones((1, 4)), kept={NAME: [[0, 1]], "other": [[1, 2]]}, title=NAME
    ),
    "outlier": lambda: plots_quantization.outlier(
        np.ones(4),
        np.arange(5.0),
        ends={NAME: (0.0, 3.0)},
        values=np.ones(2),
        scores=np.ones(2),
        title=NAME,
    ),
    "layer_drifts": lambda: plots_quantization.layer_drifts({NAME: 0.1}, without={NAME: 0.2}, whole=0.3, title=NAME),
    "drift_against_quality": lambda: plots_quantization.drift_against_quality({NAME: (0.02, -0.1)}, title=NAME),
    "storage": lambda: plots_sparsity.storage(
        derived={NAME: POINTS}, plain={NAME: POINTS}, zstd={NAME: POINTS}, least=POINTS, title=NAME
    ),
    "quality_by_sparsity": lambda: plots_sparsity.quality_by_sparsity(
        {NAME: POINTS}, points={NAME: (0.5, 0.7)}, whole=0.9, floor=0.3, title=NAME
    ),
    "stacked_steps": lambda: plots_speed.stacked_steps({NAME: {NAME: 1.0, "other": 2.0}}, title=NAME),
    "quality_by_depth": lambda: plots_speed.quality_by_depth({NAME: [(5, 0.8)]}, chosen=5, whole=0.9, title=NAME),
    "engines_on_roof": lambda: plots_speed.engines_on_roof(
        {NAME: (10.0, 5.0)}, roofs={NAME: 100.0}, gb_per_s=10.0, title=NAME
    ),
    "levers": lambda: plots_speed.levers({NAME: 2.0, "other": 0.5}, together=0.9, title=NAME),
    "threads_against_processes": lambda: plots_speed.threads_against_processes({NAME: [1.0, 2.0]}, title=NAME),
    "speed_by_density": lambda: plots_sparsity.speed_by_density({NAME: {0.5: Ratio(0.5, 0.4, 0.7)}}, title=NAME),
}
NAMELESS = {"training", "importance_map", "layer_to_scale"}  # their only text from outside is the title


def texts_of(figure) -> list[str]:
    """The texts of the drawn picture, line by line, as a reader sees them."""
    file = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg")
    return [unescape(line) for line in re.findall(r"<text[^>]*>([^<]*)</text>", file.getvalue())]


@pytest.mark.parametrize("picture", DRAWN)
def test_names_from_data_are_drawn_as_they_are_with_no_formula_in_them(picture):
    texts = texts_of(DRAWN[picture]())
    whole = " ".join(" ".join(texts).split())
    assert whole.count(AS_SHOWN) >= (1 if picture in NAMELESS else 2), texts  # as the title and as a name


def test_every_picture_of_the_course_is_drawn_with_such_names():
    rooms = (plots, plots_levers, plots_pruning, plots_quantization, plots_sparsity, plots_speed)
    public = {
        name
        for room in rooms
        for name, of_room in vars(room).items()
        if getattr(of_room, "__module__", "") == room.__name__ and callable(of_room) and not name.startswith("_")
    }
    assert public == set(DRAWN)


def test_a_long_name_is_cut_and_leaves_the_axes_their_room():
    long = "kind " * 100
    figure = plots.quality_by_kind({"teacher": {long: (0.5, 3), "": (0.4, 2)}}, title="x")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0].startswith("kind kind") and len(labels[0]) < 70 and "…" in labels[0]
    assert labels[1] == "not given (2)"
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 0.3 * figure.bbox.width


def test_of_many_kinds_the_most_frequent_are_drawn_and_the_axis_says_so():
    slices = {"teacher": {f"kind {i:04d}": (0.5, i) for i in range(1, 2_001)}}
    figure = plots.quality_by_kind(slices, title="x")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "kind 1977 (1,977)" and labels[-1] == "kind 2000 (2,000)" and len(labels) == 24
    assert figure.axes[0].get_ylabel() == "queries of the 24 most frequent kinds"


def test_rows_of_one_label_are_bars_of_their_own():
    figure = plots.size_and_work([row(label="a", disk_bytes=10), row(label="a", disk_bytes=20)], title="x")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [1e-5, 2e-5]


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


def test_rankers_lie_at_their_dollars_with_their_names_beside_them():
    (axes,) = plots.quality_against_dollars({"teacher": (15.0, 0.84), "student": (0.5, 0.85)}, title="x").axes
    assert [tuple(mark.get_offsets()[0]) for mark in axes.collections] == [(15.0, 0.84), (0.5, 0.85)]
    assert [text.get_text() for text in axes.texts] == ["teacher", "student"]
    assert axes.get_xscale() == "log" and "dollars" in axes.get_xlabel() and "NDCG@10" in axes.get_ylabel()


def test_a_known_ranker_has_its_colour_and_mark_whatever_stands_beside_it():
    def drawn(*names):
        points = {name: (1.0 + number, 0.8) for number, name in enumerate(names)}
        (axes,) = plots.quality_against_dollars(points, title="x", known=("teacher", "student")).axes
        marks = zip(names, axes.collections, strict=True)
        return {name: (tuple(mark.get_facecolor()[0]), len(mark.get_paths()[0].vertices)) for name, mark in marks}

    assert drawn("student")["student"] == drawn("new", "student", "teacher")["student"]
    assert drawn("student", "teacher")["student"] != drawn("student", "teacher")["teacher"]


def test_names_beside_points_cover_neither_marks_nor_each_other_where_there_is_room():
    new = {"quantized, OpenVINO": (0.6, 0.850), "quantized, ONNX Runtime": (0.85, 0.850), "student": (1.0, 0.851)}
    old = {"teacher": (15.7, 0.844), "teacher in int8": (4.6, 0.840), "pruned": (2.9, 0.827), "sparse": (0.9, 0.836)}
    (axes,) = plots.quality_against_dollars(new, earlier=old, title="x").axes
    axes.figure.draw_without_rendering()
    names = [text.get_window_extent() for text in axes.texts]
    marks = axes.transData.transform([point for mark in axes.collections for point in mark.get_offsets()])
    assert len(names) == 7 and not any(a.overlaps(b) for a, b in combinations(names, 2))
    assert not any(name.contains(*mark) for name in names for mark in marks)
    assert all(axes.bbox.x0 <= name.x0 and name.x1 <= axes.bbox.x1 for name in names)


def test_what_was_there_before_is_grey_and_small():
    (axes,) = plots.quality_against_dollars({"new": (1.0, 0.8)}, earlier={"old": (2.0, 0.8)}, title="x").axes
    old, new = axes.collections
    assert old.get_sizes()[0] < new.get_sizes()[0] and axes.texts[0].get_color() == plots.GREY


def test_agreement_with_the_teacher_is_a_line_for_each_set_of_pairs_from_few_repetitions_to_many():
    lines = {"met": [(8.0, 0.9), (0.8, 0.8)], "new": [(0.8, 0.78), (8.0, 0.7)]}
    (axes,) = plots.agreement_by_repetition(lines, title="x").axes
    drawn = {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines}
    assert drawn == {"met": [(0.8, 0.8), (8.0, 0.9)], "new": [(0.8, 0.78), (8.0, 0.7)]}
    assert len({(line.get_marker(), line.get_linestyle()) for line in axes.lines}) == 2
    assert axes.get_xscale() == "log" and [text.get_text() for text in axes.get_xticklabels()] == ["0.8", "8"]
    assert "Spearman" in axes.get_ylabel() and "how often" in axes.get_xlabel()


def test_a_layer_is_drawn_to_scale_with_the_weights_of_one_head_and_of_one_neuron():
    (axes,) = plots.layer_to_scale(d_model=8, d_ff=32, n_heads=2, title="x").axes
    boxes = [(patch.get_width(), patch.get_height()) for patch in axes.patches]
    assert boxes[::2] == [(8, 8)] * 4 + [(8, 32), (32, 8)]  # matrices
    assert boxes[1::2] == [(8, 4)] * 3 + [(4, 8), (8, 1), (1, 8)]  # what of each is the head's or the neuron's
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one of 2 heads", "one of 32 neurons"]


def test_each_turn_is_a_point_of_the_line_of_what_was_timed():
    (axes,) = plots.times_by_turn({"Monday": [3.0, 4.0], "Tuesday": [1.0, 2.0]}, title="x").axes
    drawn = {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.lines}
    assert drawn == {"Monday": [(1, 3.0), (2, 4.0)], "Tuesday": [(1, 1.0), (2, 2.0)]}
    assert axes.get_ylim()[0] == 0 and "ms" in axes.get_ylabel()


def test_a_small_difference_of_quality_does_not_fill_the_picture():
    (axes,) = plots.quality_against_dollars({"a": (1.0, 0.800), "b": (2.0, 0.801)}, title="x").axes
    low, high = axes.get_ylim()
    assert high - low >= 0.1 and low < 0.800 < 0.801 < high
