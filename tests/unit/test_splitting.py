"""Split students of a run: learned from its scored pairs, kept with what they were made of, chosen on valid."""

import numpy as np
import pytest
import split_runs
import torch

from utils import disk
from utils.course import split_sweep, splitting, stages
from utils.course.split_sweep import Sweep, Trial
from utils.edge.split_model import Split
from utils.rank import models, runtimes
from utils.rank.metrics import Quality
from utils.shrink import recipe as recipes
from utils.shrink.recipe import Recipe

TOKENS, LAYERS = Split(1, "tokens", 16), Split(1, "layers", 16)


@pytest.fixture(scope="module")
def run(small_folder, tmp_path_factory):
    return split_runs.make(tmp_path_factory.mktemp("run"), small_folder=small_folder)


@pytest.fixture(scope="module")
def sweep(run):
    return split_sweep.sweep(run, [TOKENS, LAYERS], steps=2)


def test_every_plan_is_judged_on_valid_and_costs_less_than_the_student_whole(sweep, run):
    assert [trial.plan for trial in sweep.trials] == [TOKENS, LAYERS]
    valid = set(run.catalogue.pairs["valid"]["query_id"])
    assert all(trial.quality.ndcg10_by_query.keys() <= valid for trial in sweep.trials)
    macs = [trial.request_macs for trial in sweep.trials]
    assert macs[0] < macs[1] < sweep.student_macs
    assert all(16 * 5 < trial.bytes_per_product < 28 * 20 + 16 for trial in sweep.trials)


def test_a_second_sweep_reads_what_was_kept(sweep, run, monkeypatch):
    monkeypatch.setattr(splitting, "_learn", lambda *given, **of: pytest.fail("it was trained again"))
    again = split_sweep.sweep(run, [TOKENS, LAYERS], steps=2)
    assert [trial.quality for trial in again.trials] == [trial.quality for trial in sweep.trials]


def test_training_changes_the_model_and_what_is_read_back_is_the_same(sweep, run):
    trained, again = (splitting.train(run, TOKENS, steps=2) for _ in range(2))
    start = splitting.split(models.load(run.stage("student"))[0], TOKENS)
    name = "compress.weight"
    assert torch.equal(trained.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(trained.state_dict()[name], start.state_dict()[name])


def test_another_recipe_is_another_training(sweep, run, monkeypatch):
    class Trained(Exception):
        pass

    def learn(*given, **of):
        raise Trained

    monkeypatch.setattr(splitting, "_learn", learn)
    recipes.keep(Recipe(loss="margin_mse"), folder=run.folder)
    try:
        with pytest.raises(Trained):
            splitting.train(run, TOKENS, steps=2)
    finally:
        recipes.keep(Recipe(), folder=run.folder)


def test_scores_of_another_teacher_are_refused_and_nothing_is_kept(run):
    kept = run.folder / "scored_pairs" / "made_from.json"
    before = kept.read_text()
    disk.write_whole(kept, disk.json_text(disk.read_object(kept) | {"teacher": "another"}))
    try:
        with pytest.raises(ValueError, match="are of another teacher; run notebook 04 again"):
            splitting.train(run, Split(2, "vectors"), steps=2)
    finally:
        kept.write_text(before)
    assert not list((run.folder / splitting.FOLDER).glob("vectors*"))


def test_the_stage_is_whole_and_scores_in_its_engine(sweep, run):
    folder = splitting.make_stage(run, splitting.train(run, TOKENS, steps=2))
    assert not stages.problem(folder) and stages.manifest(folder)["parent"] == "student"
    ranker = splitting.SPLIT.open(run.folder, max_tokens=64, threads=1)
    scores = ranker.score(run.pairs("valid")[:20])
    assert np.isfinite(scores).all() and len(set(scores.tolist())) > 5
    assert runtimes.named("split").precision(folder) == "int8"
    assert ranker.store.n_texts == len(set(run.catalogue.products["text"]))


def trial(label, *, ndcg10, macs):
    return Trial(Split(label, "layers"), Quality.of_values([ndcg10]), macs, 0, 100.0, folder=None)


def test_the_cheapest_plan_that_keeps_enough_is_chosen_and_the_best_where_none_does():
    trials = [trial(0, ndcg10=0.90, macs=300), trial(1, ndcg10=0.885, macs=200), trial(2, ndcg10=0.80, macs=10)]
    sweep = Sweep(trials, Quality.of_values([0.9]), 400)
    assert sweep.choose().plan.n_apart == 1
    assert sweep.choose(keeps=0.99).plan.n_apart == 0
    assert sweep.choose(keeps=0.8).plan.n_apart == 2
    assert sweep.choose(keeps=1.2).plan.n_apart == 0


def test_the_table_has_a_row_a_plan_and_says_how_much_less_it_costs():
    table = Sweep([trial(1, ndcg10=0.81, macs=200)], Quality.of_values([0.9]), 400).table()
    assert table.loc["after layer 1"].tolist() == [0.81, "90.0%", 0.0, "2 ×", 100]


def test_plans_end_with_tokens_and_vectors_and_fit_students_of_one_layer_and_of_three():
    for n_layers in (1, 3):
        found = split_sweep.plans(n_layers)
        assert [plan.meeting for plan in found][-2:] == ["tokens", "vectors"]
        assert all(plan.n_apart <= n_layers - (plan.meeting == "layers") for plan in found)
        assert len(set(found)) == len(found) and found[0] == Split(0, "layers")
