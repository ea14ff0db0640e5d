"""The controls: labels alone get all the steps and the better of several ways; int8 is judged in both engines."""

import copy
import dataclasses

import pytest

from utils import settings
from utils.data import catalogue
from utils.rank import models
from utils.rank.metrics import Quality
from utils.rank.setting import Setting
from utils.shrink import controls, steps
from utils.shrink.recipe import Recipe, Shape

RECIPE = Recipe(pruned=Shape(n_layers=2, n_heads=6, d_ff=384), student=Shape(n_layers=1, n_heads=3, d_ff=192))


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    sizes = {"n_distil_pairs": 256, "n_label_pairs": 64, "n_stop_queries": 3, "n_valid_queries": 8}
    profile = dataclasses.replace(settings.profile("ci"), **sizes, n_train_queries=20, n_calibration_pairs=8)
    shop = catalogue.load("synthetic", profile=profile)
    return Setting(shop, profile, seed=0, log_folder=tmp_path_factory.mktemp("logs"))


def test_labels_alone_have_the_steps_and_looks_of_the_whole_recipe_at_several_rates_and_dropouts(quick):
    budgets = list(controls.label_budgets(RECIPE, quick).values())
    assert {one.n_pairs for one in budgets} == {256 + 64}
    assert {one.n_evaluations for one in budgets} == {2 * quick.profile.n_evaluations}
    assert len({(one.learning_rate, one.dropout) for one in budgets}) == len(budgets) >= 3
    assert max(one.learning_rate for one in budgets) == RECIPE.learning_rate
    without = RECIPE.revised(n_label_pairs=0, n_distil_pairs=100)
    assert {one.n_pairs for one in controls.label_budgets(without, quick).values()} == {100}


def test_labels_alone_take_the_rate_that_looked_best_and_the_dropout_that_ended_best(quick, small_folder, monkeypatch):
    start, tokenizer = models.load(small_folder)
    before, names = copy.deepcopy(start.state_dict()), list(controls.label_budgets(RECIPE, quick))
    looks = {name: Quality.of_values([0.1 * place]) for place, name in enumerate(names)}
    monkeypatch.setattr(controls.choosing, "look", lambda *_, **__: looks)
    ends = iter([Quality.of_values([0.9]), Quality.of_values([0.1])])  # with dropout, without
    monkeypatch.setattr(controls.training, "evaluate_on_valid", lambda *_, **__: next(ends))
    student, chosen = controls.labels_alone(start, tokenizer=tokenizer, recipe=RECIPE, setting=quick)
    assert chosen == names[len(names) // 2 - 1]  # of those with dropout the one that looked best
    assert all((start.state_dict()[name] == value).all() for name, value in before.items())
    assert any((student.state_dict()[name] != value).any() for name, value in before.items())


def test_a_folder_in_int8_is_judged_in_both_engines_and_the_better_one_is_named(quick, ranking_folder, tmp_path):
    import shutil

    folder = shutil.copytree(ranking_folder, tmp_path / "int8")
    _, tokenizer = models.load(folder)
    steps.quantize(folder, tokenizer=tokenizer, recipe=RECIPE, setting=quick)
    found = controls.quality_in_int8(folder, setting=quick)
    assert set(found) == {"openvino", "onnxruntime"} and all(one.n_queries == 8 for one in found.values())
    made = {"openvino": Quality.of_values([0.5]), "onnxruntime": Quality.of_values([0.6])}
    assert controls.better_runtime(made) == "onnxruntime"
    assert controls.better_runtime(made | {"openvino": Quality.of_values([0.6])}) == "openvino"
