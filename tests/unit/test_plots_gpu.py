"""Pictures of notebook 08 show every batch and every fleet that they are given."""

import io

import pytest

from utils.measure import plots_gpu

ODD = "_a $100% name_\nof two lines " + "x" * 80


def test_each_batch_shows_its_tokens_and_on_top_of_them_its_filler():
    figure = plots_gpu.batches({"padded": [(60, 100), (20, 100)], ODD: [(80, 80)]}, title="Half is filler")
    padded, packed = figure.axes
    assert [bar.get_height() for bar in padded.patches] == [60, 20, 40, 80]
    assert [bar.get_y() for bar in padded.patches[2:]] == [60, 20]
    assert "60% filler" in padded.get_xlabel() and "0% filler" in packed.get_xlabel()
    assert figure.get_suptitle() == "Half is filler"
    figure.savefig(io.BytesIO(), format="png")


@pytest.fixture
def drawn():
    dollars = {"teacher, CPU": [0.1, 0.2, 2.0], "teacher, card": [1.0, 1.0, 1.0], ODD: [0.1, 0.1, 0.2]}
    where = {"queries_per_day": [1e4, 1e5, 1e6], "crossings": {"teacher": (5e5, 1.0)}}
    return plots_gpu.fleets(dollars, **where, title="A card pays for $1")


def test_each_fleet_is_a_line_of_its_own_on_two_logarithmic_axes(drawn):
    (axes,) = drawn.axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[0.1, 0.2, 2.0], [1.0] * 3, [0.1, 0.1, 0.2]]
    assert len({line.get_linestyle() for line in axes.lines}) == 3  # told apart without colours
    assert axes.get_xscale() == axes.get_yscale() == "log"
    drawn.savefig(io.BytesIO(), format="png")


def test_a_crossing_says_from_which_traffic_the_card_pays(drawn):
    (words,) = drawn.axes[0].texts
    assert words.get_text() == "teacher: the card pays\nfrom 500,000 queries a day" and words.xy == (5e5, 1.0)


def test_without_a_crossing_none_is_drawn():
    figure = plots_gpu.fleets({"a": [1.0], "b": [2.0]}, queries_per_day=[1e4], crossings={}, title="x")
    assert not figure.axes[0].texts and not figure.axes[0].collections
