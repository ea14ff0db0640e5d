"""A teacher first copies free scores of pairs that nobody judged, then learns from labels, unless those do harm."""

import dataclasses

import numpy as np
import pytest
from datasets import Dataset

from utils import settings
from utils.data import catalogue
from utils.data.catalogue import normal_text
from utils.rank import baselines, bi_encoder, choosing, models, teaching, training
from utils.rank.metrics import Interval, Quality
from utils.rank.setting import DROPOUT, LABEL_RATES, Budget, Setting


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The embedded shop in a setting in which every training takes a few steps."""
    sizes = {"n_warm_pairs": 64, "n_train_pairs": 256, "n_stop_queries": 3, "n_valid_queries": 8, "n_bootstrap": 50}
    profile = dataclasses.replace(settings.profile("ci"), **sizes, n_train_queries=20)
    shop = catalogue.load("synthetic", profile=profile)
    return Setting(shop, profile, seed=0, log_folder=tmp_path_factory.mktemp("logs"))


@pytest.mark.parametrize("is_tuned", [False, True])
def test_weak_pairs_are_unjudged_of_no_valid_or_test_query_and_scored_as_their_guide_scores(quick, is_tuned):
    encoder = bi_encoder.open_encoder()
    pairs = teaching.weak_pairs(quick, tuned=encoder if is_tuned else None)
    judged = set(catalogue.texts_of(quick.train))
    kept_back = {normal_text(text) for split in ("valid", "test") for text in quick.catalogue.pairs[split]["query"]}
    assert len(pairs) == 64 and judged.isdisjoint(catalogue.texts_of(pairs))
    assert kept_back.isdisjoint(map(normal_text, pairs["query"]))
    scores, cosine = np.array(pairs["score"]), bi_encoder.scores(encoder, pairs)
    if is_tuned:
        np.testing.assert_allclose(scores, bi_encoder.SCALE * cosine, rtol=1e-5)
    else:
        assert scores.mean() == pytest.approx(0, abs=1e-3) and scores.std() == pytest.approx(teaching.SPREAD, rel=1e-3)
        assert 0.5 < np.corrcoef(scores, cosine)[0, 1] < 0.99  # BM25 has its part
    groups = dict(zip(pairs["query_id"], pairs["query"], strict=True))
    assert len(set(groups.values())) == len(groups)


def test_a_shop_in_which_everything_is_judged_has_no_warm_up(quick, small_folder, monkeypatch):
    monkeypatch.setattr(teaching.unjudged, "draw", lambda *_, **__: [])
    model, tokenizer = models.load(small_folder)
    before = model.classifier.weight.clone()
    pairs = teaching.weak_pairs(quick, tuned=None)
    assert teaching.warm_up(model, pairs, tokenizer=tokenizer, setting=quick) == []
    assert (model.classifier.weight == before).all()


def _budgets(setting):
    return Budget.to_choose_from(setting.profile, n_labelled=len(setting.train))


def test_labels_that_come_again_are_learned_with_dropout_and_others_without(quick):
    gentle, *_ = _budgets(quick).values()
    assert gentle.n_pairs == quick.profile.n_train_pairs < len(quick.train) and gentle.dropout == 0
    more = dataclasses.replace(quick, profile=dataclasses.replace(quick.profile, n_train_pairs=100_000))
    budgets = list(_budgets(more).values())
    assert {one.dropout for one in budgets} == {DROPOUT}
    assert {one.n_pairs for one in budgets} == {more.profile.n_passes * len(quick.train)}  # and no more often than that
    assert [one.learning_rate for one in budgets] == sorted(LABEL_RATES)  # the gentlest first


def test_a_teacher_is_warmed_up_and_then_taught_at_the_rate_that_a_look_chose(quick, small_folder):
    taught = teaching.teach(quick, checkpoint=str(small_folder))
    assert taught.chosen in taught.looks and set(taught.looks) == set(_budgets(quick))
    for log in (taught.warm_up, taught.log):
        assert any("eval_ndcg10" in entry for entry in log) and any("loss" in entry for entry in log)
    found = training.evaluate_on_valid(taught.model, tokenizer=taught.tokenizer, setting=quick)
    assert found.n_queries == 8 and found == taught.alone and taught.together.n_queries == 8
    assert list(taught.guides) == [teaching.SUM, teaching.TUNED]  # the one that no label made comes first
    assert taught.guide == choosing.best(taught.guides, n_resamples=quick.profile.n_bootstrap)
    again = teaching.teach(quick, checkpoint=str(small_folder))
    assert found == training.evaluate_on_valid(again.model, tokenizer=again.tokenizer, setting=quick)


@pytest.mark.parametrize(("after", "helped"), [(0.6, True), (0.4, False)])
def test_labels_that_do_harm_are_taken_back(quick, small_folder, monkeypatch, after, helped):
    model, tokenizer = models.load(small_folder)
    before, figures = model.classifier.weight.clone(), [0.5, after]
    monkeypatch.setattr(training, "evaluate_on_valid", lambda *_, **__: Quality.of_values([figures.pop(0)]))
    monkeypatch.setattr(training, "fine_tune", _add_one)
    log, changed = training.improve(model, tokenizer=tokenizer, setting=quick, budget=None)
    assert (log, changed) == (["log"], helped)
    assert bool((model.classifier.weight == before).all()) is not helped


def _add_one(model, **_):
    model.classifier.weight.data.add_(1)
    return ["log"]


def test_the_best_baseline_is_that_of_valid_and_the_lead_is_that_of_test():
    on_test = {"bm25": Quality.of_values([0.5, 0.5]), "fused": Quality.of_values([0.9, 0.9])}
    lead = baselines.lead(
        Quality.of_values([0.7, 0.6]), on_test=on_test, on_valid={"bm25": 0.6, "fused": 0.5}, n_resamples=50
    )
    assert lead.baseline == "bm25" and lead.interval.mean == pytest.approx(0.15) and lead.is_sure and not lead.advice
    unsure = baselines.Lead("fused", Interval(0.01, -0.01, 0.03))
    assert not unsure.is_sure and unsure.advice == "ship the baseline: fused"


def test_a_loss_of_weak_scores_is_least_for_the_same_shares_and_ignores_the_filling():
    import torch

    wanted = torch.tensor([[2.0, 0.0, -torch.inf], [1.0, -1.0, 0.0]])
    same = torch.tensor([[5.0], [3.0], [0.0], [-2.0], [-1.0]])  # each list shifted by a constant
    other = torch.tensor([[0.0], [2.0], [0.0], [2.0], [1.0]])
    least = training.weak_loss({"logits": same}, wanted).item()
    shares = [torch.softmax(row[torch.isfinite(row)], dim=0) for row in wanted]
    entropy = -sum((share * share.log()).sum().item() for share in shares) / 2
    assert least == pytest.approx(entropy, rel=1e-5) and training.weak_loss({"logits": other}, wanted).item() > least


def test_unjudged_pairs_can_be_scored_by_their_texts(quick):
    from utils.data import candidates

    bm25 = candidates.build(quick.catalogue)
    pairs = quick.train.select(range(20))
    texts = Dataset.from_dict({name: pairs[name][:] for name in ("query_id", "query", "product")})
    np.testing.assert_allclose(candidates.score_texts(bm25, texts), candidates.score_judged(bm25, pairs), rtol=1e-6)
