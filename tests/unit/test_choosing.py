"""The best of some short trainings is taken where it is surely better, and else the gentlest."""

import pytest
from made import setting

from utils.rank import choosing, models
from utils.rank.metrics import Quality
from utils.rank.setting import Budget


def looks(**values):
    return {name: Quality.of_values(found) for name, found in values.items()}


def test_the_best_look_is_taken_where_it_is_ahead_of_the_first_beyond_chance():
    found = looks(gentle=[0.5, 0.4, 0.6, 0.5], middle=[0.6, 0.5, 0.7, 0.6], fast=[0.8, 0.7, 0.9, 0.8])
    assert choosing.best(found, n_resamples=100) == "fast"


def test_the_first_look_is_kept_where_no_other_is_surely_better():
    assert choosing.best(looks(gentle=[0.5, 0.9, 0.4, 0.8], fast=[0.9, 0.5, 0.9, 0.4]), n_resamples=200) == "gentle"
    same = [0.5, 0.6, 0.4, 0.7]
    assert choosing.best(looks(gentle=same, fast=[0.54, 0.6, 0.43, 0.7]), n_resamples=200) == "fast"  # surely enough
    assert choosing.best(looks(gentle=[0.5, 0.6]), n_resamples=10) == "gentle"


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(ValueError, match="give at least one budget"):
        choosing.best({}, n_resamples=10)


def test_a_look_is_a_short_training_from_the_same_start_judged_on_valid(small_folder, tmp_path, monkeypatch):
    trained, weights = [], []
    _, tokenizer = models.load(small_folder)

    def fine_tune(model, *, tokenizer, setting, budget):
        weights.append(model.classifier.weight.sum().item())
        model.classifier.weight.data.zero_()
        trained.append(budget)

    def judge(model, *, tokenizer, setting):
        return Quality.of_values([len(trained) / 10])

    monkeypatch.setattr(choosing.training, "fine_tune", fine_tune)
    monkeypatch.setattr(choosing.training, "evaluate_on_valid", judge)
    budgets = {f"{rate}": Budget(512, 16, 3, rate) for rate in (1e-5, 1e-3)}
    where = setting(None, folder=tmp_path)
    found = choosing.look(lambda: models.load(small_folder)[0], budgets, tokenizer=tokenizer, setting=where)
    assert [(one.n_pairs, one.n_evaluations, one.learning_rate) for one in trained] == [(64, 1, 1e-5), (64, 1, 1e-3)]
    assert {name: one.ndcg10 for name, one in found.items()} == {"1e-05": 0.1, "0.001": 0.2}
    assert weights[0] == weights[1] != 0
