"""The grid of distillation: which students it has, that a cell is made once, and what its table and picture say."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib import pyplot as plt

from authoring import grid
from authoring import records as results_page
from utils import settings
from utils.course import stages
from utils.course.records import grid_tables, recorded_grid, show_recorded
from utils.course.records.recorded_grid import LABELS, LONG, SHORT, WHOLE, Cell
from utils.course.run import Run
from utils.data import catalogue
from utils.rank import models
from utils.shrink import steps
from utils.shrink.distil.distil_losses import LOSSES
from utils.shrink.recipe import Recipe, Shape

KEY = {"dataset": "synthetic", "dataset_hash": "h", "profile": "laptop", "seed": 0}
TAUGHT = Recipe().loss


def of_data(dataset_hash):
    """A run of a notebook on data of that hash, with no more than what is asked of it here."""
    shop = SimpleNamespace(hash=dataset_hash)
    return Run("04_distill", settings.profile("laptop"), "synthetic", 0, Path(), shop, {})


SHOP = of_data("h")


def cell(loss=TAUGHT, *, length=SHORT, n_layers=3, d_ff=240, ndcg10=0.8, code="c", n_pairs=100, seed=0, by_query=()):
    return Cell(
        **KEY | {"seed": seed},
        loss=loss,
        length=length,
        n_layers=n_layers,
        n_heads=4,
        d_ff=d_ff,
        n_pairs=n_pairs,
        macs_per_pair=n_layers * d_ff,
        pruned_macs_per_pair=6 * 300,
        teacher_macs_per_pair=6 * 480,
        ndcg10=ndcg10,
        pruned_ndcg10=0.85,
        teacher_ndcg10=0.9,
        by_query=list(by_query),
        seconds=1,
        code=code,
        command="c",
        time_utc="t",
        machine={},
        versions={},
    )


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "RESULTS", tmp_path)
    return tmp_path / "grid"


def test_every_loss_is_tried_at_one_shape_and_every_shape_with_and_without_the_teacher():
    cells = grid.cells()
    base = Recipe().student
    assert len(set(cells)) == len(cells)
    longer = {(loss, length) for loss in (LABELS, TAUGHT) for length in (LONG, WHOLE)}
    short = {(loss, SHORT) for loss in (*LOSSES, "hidden", "relation", LABELS)}
    assert {(loss, length) for loss, length, shape in cells if shape == base} == short | longer
    assert {shape.n_layers for loss, _, shape in cells if loss == LABELS} == {6, 4, 3, 2, 1}
    by_shape = [{shape for loss, _, shape in cells if loss == which} for which in (LABELS, TAUGHT)]
    assert by_shape[0] == by_shape[1] and len(by_shape[0]) == 10


SMALL = Shape(n_layers=1, n_heads=3, d_ff=192)


@pytest.fixture(scope="module")
def run(ranking_folder, tmp_path_factory):
    """A run of the small ranker as teacher, pruned by a recipe of its size, in which every training takes few steps."""
    sizes = {"n_recovery_pairs": 32, "n_distil_pairs": 256, "n_label_pairs": 64, "n_unlabelled_pairs": 60}
    profile = dataclasses.replace(settings.profile("ci"), **sizes, n_stop_queries=4)
    shop = catalogue.load("synthetic", profile=profile)
    folder = tmp_path_factory.mktemp("grid")
    made = Run("results", profile, "synthetic", 0, folder, shop, {"cores": 1})
    teacher, tokenizer = models.load(ranking_folder)
    with stages.whole(made.stage("teacher"), notebook="results") as partial:
        shutil.copytree(ranking_folder, partial, dirs_exist_ok=True)
    small, tokenizer = steps.prune(teacher, tokenizer=tokenizer, recipe=RECIPE, setting=made.setting)
    models.save(small, tokenizer=tokenizer, folder=made.stage("pruned_small"), max_tokens=64)
    return made


RECIPE = Recipe(name="small", pruned=Shape(n_layers=2, n_heads=6, d_ff=384), student=SMALL)
NAMED = [(LABELS, SHORT), (TAUGHT, LONG), (LABELS, WHOLE), (TAUGHT, WHOLE), ("relation", SHORT)]
TRIED = [(loss, length, SMALL) for loss, length in NAMED]


def study(run):
    lines = []
    places = grid.study(run, recipe=RECIPE, echo=lines.append)
    return places, [line.partition(": ")[2] for line in lines]


def test_a_cell_is_made_once_and_again_when_it_is_gone_or_its_code_has_changed(run, monkeypatch):
    monkeypatch.setattr(grid, "cells", lambda: TRIED[:2])
    places, said = study(run)
    assert said == ["recorded", "recorded"] and all(path.is_file() for path in places)
    places[1].unlink()
    assert study(run) == (places, ["unchanged", "recorded"])
    monkeypatch.setattr(grid, "code_hash", lambda run, recipe: "other code")
    assert study(run) == (places, ["recorded", "recorded"])
    places[0].write_text("{")
    assert study(run) == (places, ["recorded", "unchanged"])


def test_cells_are_trained_by_what_they_are_named_for_and_judged_beside_what_they_start_from(run, monkeypatch):
    monkeypatch.setattr(grid, "cells", lambda: TRIED)
    study(run)
    made = {(one.loss, one.length): one for one in recorded_grid.read(dataset_hash=run.catalogue.hash, profile="ci")}
    assert made.keys() == set(NAMED)
    for one in made.values():
        assert one.macs_per_pair < one.pruned_macs_per_pair < one.teacher_macs_per_pair and one.n_layers == 1
        assert len({one.pruned_ndcg10, one.teacher_ndcg10, one.ndcg10}) == 3
    assert len({one.ndcg10 for one in made.values()}) > 3, "what a student learns from makes a difference"
    whole = {named: len(one.by_query) for named, one in made.items() if one.by_query}
    assert whole.keys() == {(LABELS, WHOLE), (TAUGHT, WHOLE)} and min(whole.values()) > 10


def test_a_long_student_sees_as_many_pairs_as_the_recipes_and_others_fewer(run):
    work = grid.begin(run, RECIPE)
    budgets = [grid.budget_of(work, loss, length=length) for loss, length in NAMED[:4]]
    assert [budget.n_pairs for budget in budgets] == [64, 256, 320, 256]
    own = dataclasses.replace(work, recipe=RECIPE.revised(n_distil_pairs=160, n_label_pairs=0))
    assert [grid.budget_of(own, LABELS, length=length).n_pairs for length in (SHORT, WHOLE)] == [40, 160]
    assert grid.make_cell(work, TAUGHT, length=WHOLE, shape=SMALL).n_pairs == 320, "scores, then labels"


def test_the_table_has_a_line_for_each_shape_and_a_column_for_each_loss():
    for one in (cell(), cell(LABELS, ndcg10=0.7), cell(d_ff=480, ndcg10=0.85)):
        recorded_grid.write(one)
    shown = show_recorded.grid(SHOP)
    assert shown.to_dict("index") == {
        "3 layers, 4 heads, 480 neurons": {"MACs": "50%", TAUGHT: "0.850", LABELS: "–"},
        "3 layers, 4 heads, 240 neurons": {"MACs": "25%", TAUGHT: "0.800", LABELS: "0.700"},
    }


def test_every_loss_of_one_shape_stands_in_a_table_of_its_own_the_best_first():
    for one in (
        cell(),
        cell(LABELS, ndcg10=0.7),
        cell("margin_mse", ndcg10=0.72),
        cell(LABELS, length=LONG, n_pairs=400),
    ):
        recorded_grid.write(one)
    recorded_grid.write(cell(d_ff=480, ndcg10=0.9))
    shown = show_recorded.grid_losses(SHOP)
    assert shown.index.tolist() == [TAUGHT, "margin_mse", LABELS, f"{LABELS}, {LONG}"]
    assert shown.index.name == "3 layers, 4 heads, 240 neurons; seed 0"
    assert "margin_mse" not in show_recorded.grid(SHOP).columns
    last = shown.iloc[-1]
    assert (last["pairs"], last["NDCG@10"], last["of the teacher's"]) == ("400", "0.800", "88.9%")
    assert last["what the student copies"] == shown.loc[LABELS, "what the student copies"]
    assert show_recorded.grid_losses(of_data("other")) is None  # of another data set, whatever its name


def test_cells_of_two_data_sets_of_one_name_lie_side_by_side_and_are_never_mixed():
    for content, ndcg10 in (("a" * 16, 0.1), ("b" * 16, 0.2)):
        recorded_grid.write(cell(ndcg10=ndcg10).model_copy(update={"dataset": "shop", "dataset_hash": content}))
    assert [one.ndcg10 for one in recorded_grid.read(dataset_hash="b" * 16)] == [0.2]
    assert "Nothing is recorded" in show_recorded.grid(SHOP).data


def test_every_loss_of_the_grid_is_put_into_words():
    assert {loss for loss, _, _ in grid.cells()} == recorded_grid.COPIES.keys()
    assert cell(TAUGHT, length=WHOLE).copies == f"{cell(TAUGHT).copies}, then labels"
    assert cell(LABELS, length=WHOLE).copies == cell(LABELS).copies


def test_the_picture_has_the_ways_that_were_tried_at_many_shapes_and_says_at_how_many_the_teacher_helps():
    for n_layers, taught, labels in ((3, 0.80, 0.82), (1, 0.60, 0.35)):
        recorded_grid.write(cell(n_layers=n_layers, ndcg10=taught))
        recorded_grid.write(cell(LABELS, n_layers=n_layers, ndcg10=labels))
    recorded_grid.write(cell(d_ff=480, ndcg10=0.75))
    recorded_grid.write(cell("margin_mse"))
    cells = recorded_grid.read(dataset_hash="h")
    assert grid_tables.families(cells) == {
        f"{LABELS}, 4 heads, 240 neurons": [(720, 0.82), (240, 0.35)],
        f"{TAUGHT}, 4 heads, 240 neurons": [(720, 0.80), (240, 0.60)],
        f"{TAUGHT}, 4 heads, 480 neurons": [(1440, 0.75)],
        "pruned, the start of all": [(1800, 0.85)],
        "teacher": [(2880, 0.9)],
    }
    figure = show_recorded.grid_picture(SHOP)
    assert "beat labels at 1 of 2 shapes (-0.02 to +0.25)" in figure.axes[0].get_title(loc="left")
    plt.close(figure)


def test_several_seeds_are_shown_by_their_mean_and_named():
    for seed, taught, labels in ((0, 0.80, 0.75), (1, 0.50, 0.35)):
        recorded_grid.write(cell(seed=seed, ndcg10=taught))
        recorded_grid.write(cell(LABELS, seed=seed, ndcg10=labels))
        recorded_grid.write(cell(n_layers=1, seed=seed, ndcg10=0.2))
        recorded_grid.write(cell(LABELS, n_layers=1, seed=seed, ndcg10=0.2))
    cells = recorded_grid.read(dataset_hash="h")
    shown = grid_tables.tabulate_shapes(cells)
    assert shown.index.name == "student, seeds 0, 1"
    assert shown.loc["3 layers, 4 heads, 240 neurons"].to_dict() == {"MACs": "25%", TAUGHT: "0.650", LABELS: "0.550"}
    assert grid_tables.families(cells)[f"{TAUGHT}, 4 heads, 240 neurons"] == [(720, 0.65), (240, 0.2)]
    assert grid_tables.gaps(cells)["3 layers, 4 heads, 240 neurons"] == pytest.approx(0.1)


def test_the_readme_says_where_the_teachers_scores_beat_labels():
    assert results_page.labels_or_teacher(recorded_grid.read(dataset_hash="h")) == ""
    for n_layers, taught in ((3, 0.8), (1, 0.4)):
        recorded_grid.write(cell(n_layers=n_layers, ndcg10=taught))
        recorded_grid.write(cell(LABELS, n_layers=n_layers, ndcg10=0.6))
    said = results_page.labels_or_teacher(recorded_grid.read(dataset_hash="h"))
    assert said.endswith("the teacher's scores beat labels at 1 of 2 shapes (-0.20 to +0.20).\n")
    for loss, ndcg10 in ((TAUGHT, 0.875), (LABELS, 0.75)):
        recorded_grid.write(cell(loss, length=LONG, ndcg10=ndcg10))
    said = results_page.labels_or_teacher(recorded_grid.read(dataset_hash="h"))
    long = f"in the steps of a long run `{LABELS}` 0.750, `{TAUGHT}` 0.875 (teacher 0.900)"
    assert said.endswith(f"1 of 2 shapes (-0.20 to +0.20); {long}.\n")


@pytest.mark.parametrize(
    ("taught", "verdict"),
    [(0.5, "labels alone did better"), (0.9, "the teacher's scores paid"), (0.7, "no difference is sure")],
)
def test_the_whole_recipe_is_held_against_labels_alone_query_by_query(taught, verdict):
    assert show_recorded.worth_of_scores(SHOP) == ""
    alone = [0.6, 0.8] * 20
    for seed in (0, 1):
        recorded_grid.write(cell(LABELS, length=WHOLE, seed=seed, ndcg10=0.7, by_query=alone))
    assert show_recorded.worth_of_scores(SHOP) == ""  # nothing to compare it with
    recorded_grid.write(cell(TAUGHT, length=WHOLE, ndcg10=taught, by_query=[taught] * 40))
    recorded_grid.write(
        cell(TAUGHT, length=WHOLE, seed=2, ndcg10=0.1, by_query=[0.1] * 40)
    )  # nobody to compare it with
    recorded_grid.write(cell(TAUGHT, length=WHOLE, seed=1, code="older", by_query=[0.1] * 40))
    said = show_recorded.worth_of_scores(SHOP)
    assert said.startswith("NDCG@10 on valid, in as many steps as the whole recipe")
    assert f"scores, then labels {taught:.3f}, labels alone 0.700; the first minus the second " in said
    assert said.endswith(f"]: {verdict}.")


def test_before_labels_and_teacher_can_be_compared_there_is_a_table_and_no_picture():
    for loss in ("logit_mse", TAUGHT):
        recorded_grid.write(cell(loss))
    assert len(show_recorded.grid(SHOP)) == 1 and show_recorded.grid_picture(SHOP) is None


def test_a_damaged_cell_is_named_and_nothing_recorded_is_said_with_the_command(results):
    assert "course results --grid --dataset synthetic" in show_recorded.grid(SHOP).data
    assert show_recorded.grid_picture(SHOP) is None
    recorded_grid.write(cell()).write_text("{")
    with pytest.raises(ValueError, match=r"grid/synthetic-laptop-0-list_net-3-4-240\.json: file: .*; delete it"):
        recorded_grid.read(dataset_hash="h")
