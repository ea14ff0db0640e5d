"""The steps of a recipe: each does what the recipe says, cuts a copy, and gives the same whenever it is called."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from utils import settings
from utils.data import catalogue
from utils.rank import models, runtimes
from utils.rank.setting import Setting
from utils.shrink import steps
from utils.shrink.prune import depth
from utils.shrink.recipe import Recipe, Shape

RECIPE = Recipe(pruned=Shape(n_layers=2, n_heads=6, d_ff=384), student=Shape(n_layers=1, n_heads=3, d_ff=192))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A setting in which every training takes a few steps."""
    sizes = {"n_recovery_pairs": 64, "n_distil_pairs": 128, "n_label_pairs": 64, "n_unlabelled_pairs": 60}
    profile = dataclasses.replace(settings.profile("ci"), **sizes, n_stop_queries=4)
    shop = catalogue.load("synthetic", profile=profile)
    return Setting(shop, profile, seed=0, log_folder=tmp_path_factory.mktemp("logs"))


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def is_same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def pruned(ranking_folder, small):
    teacher, tokenizer = models.load(ranking_folder)
    before = weights(teacher)
    found = steps.prune(teacher, tokenizer=tokenizer, recipe=RECIPE, setting=small)
    assert is_same(weights(teacher), before) and teacher.config.vocab_size > 20_000, "the teacher stays as it was"
    return found


def test_a_pruned_model_has_the_recipes_shape_and_comes_out_the_same_twice(pruned, ranking_folder, small):
    model, tokenizer = pruned
    assert Shape.of(model.config) == RECIPE.pruned and model.config.vocab_size == len(tokenizer) < 20_000
    torch.rand(3)  # what was drawn before decides nothing
    teacher, whole = models.load(ranking_folder)
    again, _ = steps.prune(teacher, tokenizer=whole, recipe=RECIPE, setting=small)
    assert is_same(weights(model), weights(again))
    faster = RECIPE.revised(recovery_rate=1e-3)
    other, _ = steps.prune(teacher, tokenizer=whole, recipe=faster, setting=small)
    assert not is_same(weights(model), weights(other))


def test_a_student_copies_scores_and_is_then_finished_on_labels_unless_the_recipe_leaves_that_out(
    pruned, ranking_folder, small, tmp_path
):
    model, tokenizer = pruned
    at = {"runtime": "onnxruntime", "threads": 1, "max_tokens": 64}
    scored = steps.score_pairs(
        tmp_path / "scored_pairs",
        teacher_hash="t",
        ranker=lambda: runtimes.open_ranker(ranking_folder, **at),
        recipe=RECIPE,
        setting=small,
    )
    student = steps.start_student(model, tokenizer=tokenizer, recipe=RECIPE, setting=small)
    assert Shape.of(student.config) == RECIPE.student
    started = weights(student)
    log = steps.copy_scores(student, tokenizer=tokenizer, scored=scored, recipe=RECIPE, setting=small)
    copied = weights(student)
    assert not is_same(copied, started) and any("eval_ndcg10" in entry for entry in log)
    without = RECIPE.revised(n_label_pairs=0)
    assert not steps.finish_on_labels(student, tokenizer=tokenizer, recipe=without, setting=small)
    assert is_same(weights(student), copied)
    is_changed = steps.finish_on_labels(student, tokenizer=tokenizer, recipe=RECIPE, setting=small)
    assert is_changed != is_same(weights(student), copied)


@pytest.mark.parametrize(
    ("changed", "is_other"), [({"for_onnx": "percentile"}, "onnx"), ({"for_openvino": "SmoothQuant"}, "openvino")]
)
def test_each_graph_is_quantized_as_the_recipe_says(ranking_folder, small, tmp_path, changed, is_other):
    made = {}
    for name, recipe in {"plain": RECIPE, "again": RECIPE, "changed": RECIPE.revised(**changed)}.items():
        folder = shutil.copytree(ranking_folder, tmp_path / name)
        steps.quantize(folder, tokenizer=models.load(folder)[1], recipe=recipe, setting=small)
        files = {"onnx": folder / "onnx" / "model.onnx", "openvino": folder / "openvino" / "openvino_model.bin"}
        made[name] = {kind: path.read_bytes() for kind, path in files.items()}
    assert made["plain"] == made["again"]
    assert {kind for kind in made["plain"] if made["plain"][kind] != made["changed"][kind]} == {is_other}


def test_a_recipe_of_fp32_leaves_the_graphs_as_they_are(ranking_folder, small, tmp_path):
    folder = shutil.copytree(ranking_folder, tmp_path / "stage")
    steps.quantize(folder, tokenizer=None, recipe=RECIPE.revised(precision="fp32"), setting=small)
    graph = Path("onnx") / "model.onnx"
    assert (folder / graph).read_bytes() == (ranking_folder / graph).read_bytes()


def test_of_fewer_layers_those_stay_without_which_the_loss_is_largest(ranking_folder, small):
    model, tokenizer = models.load(ranking_folder)
    batches = steps.importance_batches(tokenizer, setting=small)
    without = depth.loss_without(model, batches)
    assert without[0] != without[1] and depth.mean_loss(model, batches) < max(without.values())
    (stays,) = depth.most_missed(model, batches, n_kept=1)
    assert without[stays] > without[1 - stays]
    assert depth.most_missed(model, batches, n_kept=2) == [0, 1]
    with pytest.raises(ValueError, match="3 of 2 layers cannot be kept; give a number from 1 to 2"):
        depth.most_missed(model, batches, n_kept=3)


def test_the_layers_that_stay_keep_their_order():
    assert depth.first_missed({0: 0.5, 1: 0.1, 2: 0.9, 3: 0.3}, n_kept=3) == [0, 2, 3]
