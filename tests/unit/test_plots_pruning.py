"""Pictures of pruning draw every part and every point they were given."""

import numpy as np

from utils.measure import plots_pruning


def test_a_map_shows_each_layer_s_parts_from_most_to_least_as_shares_of_the_largest():
    figure = plots_pruning.importance_map(np.array([[1.0, 4.0], [2.0, 0.0]]), part="head", title="Few heads count")
    axes = figure.axes[0]
    assert axes.images[0].get_array().tolist() == [[1.0, 0.25], [0.5, 0.0]]
    assert axes.get_title(loc="left") == "Few heads count" and axes.get_ylabel() == "layer"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2"]


def test_curves_have_a_panel_for_each_cut_and_a_level_for_the_whole_model():
    panels = {"heads": {"Taylor": {12: 0.9, 6: 0.8}, "random": {6: 0.5}}, "neurons": {"Taylor": {8: 0.7, 4: 0.6}}}
    figure = plots_pruning.quality_curves(panels, before=0.9, floor=0.4, title="Half may go")
    left, right = figure.axes
    assert [list(line.get_xydata().ravel()) for line in left.lines[:2]] == [[12, 0.9, 6, 0.8], [6, 0.5]]
    assert left.lines[1].get_linestyle() == "None" != left.lines[0].get_linestyle()
    levels = [list(line.get_ydata()) for line in left.lines[2:]]
    assert levels == [[0.9, 0.9], [0.4, 0.4]] and len(right.lines) == 3
    assert [axes.get_xlabel() for axes in figure.axes] == ["heads", "neurons"]
    assert figure.get_suptitle() == "Half may go" and left.get_ylabel().startswith("judged NDCG@10")


def test_neurons_of_the_layer_that_is_most_in_dispute_are_drawn_once_each_with_the_choice_that_keeps_them():
    size, on = np.array([[1.0] * 4, [3.0, 1.0, 2.0, 0.5]]), np.array([[0.3] * 4, [0.1, 0.6, 0.5, 0.2]])
    kept = {"first order": np.array([[0, 1], [1, 2]]), "magnitude": np.array([[1, 0], [0, 2]])}
    axes = plots_pruning.size_against_use(size, on, kept=kept, title="Large ones wait").axes[0]
    drawn = {one.get_label(): one.get_offsets().tolist() for one in axes.collections}
    assert drawn == {
        "kept by first order alone (1)": [[1.0, 0.6]],
        "kept by magnitude alone (1)": [[3.0, 0.1]],
        "kept by both (1)": [[2.0, 0.5]],
        "kept by neither (1)": [[0.5, 0.2]],
    }
    assert axes.get_title(loc="left") == "Large ones wait" and "layer 1" in axes.get_xlabel()
