"""A bi-encoder learns from judged lists, is taken back where labels do harm, and scores alone or with a teacher."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from utils import settings
from utils.data import catalogue
from utils.rank import bi_encoder, lists, training
from utils.rank.bi_encoder import AsRanker
from utils.rank.ensemble import Ensemble
from utils.rank.metrics import Quality
from utils.rank.setting import Budget, Setting


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The embedded shop in a setting in which every training takes a few steps."""
    sizes = {"n_train_pairs": 256, "n_valid_queries": 8, "n_bootstrap": 50, "n_train_queries": 20}
    profile = dataclasses.replace(settings.profile("ci"), **sizes)
    shop = catalogue.load("synthetic", profile=profile)
    return Setting(shop, profile, seed=0, log_folder=tmp_path_factory.mktemp("logs"))


def test_the_loss_is_the_cross_encoders_with_cosines_for_scores(quick):
    encoder, pairs = bi_encoder.open_encoder(), quick.train
    gains, texts = torch.tensor(pairs["gain"][:], dtype=torch.float32), catalogue.texts_of(pairs)
    groups = list(catalogue.rows_by_query(pairs).values())
    drawn = lists.draw_judged(pairs["gain"][:], groups=groups, n_lists=3, rng=random.Random(0))
    drawn[1] = drawn[1][:3]  # lists of unlike length
    found = bi_encoder.loss_of_lists(encoder, drawn, texts=texts, gains=gains, max_tokens=quick.max_tokens)
    logits = [torch.tensor(20.0 * bi_encoder.scores(encoder, pairs.select(rows))) for rows in drawn]
    by_list = [
        training.loss_of_lists(of_list[None], gains[rows][None]) for of_list, rows in zip(logits, drawn, strict=True)
    ]
    assert found.item() == pytest.approx(torch.stack(by_list).mean().item(), rel=0.02)  # products may be in bf16


def test_it_learns_the_lists_it_sees_and_twice_the_same(quick):
    budget = Budget(n_pairs=320, batch_size=32, n_evaluations=1, learning_rate=2e-4)
    ends = []
    for _ in range(2):
        torch.manual_seed(0)
        encoder = bi_encoder.open_encoder()
        losses = bi_encoder.learn(encoder, setting=quick, budget=budget)
        ends.append(bi_encoder.scores(encoder, quick.valid))
    assert len(losses) == 10 and np.mean(losses[-3:]) < np.mean(losses[:3])
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize(("figures", "helped"), [([0.5, 0.8, 0.7], True), ([0.5, 0.6, 0.7], False)])
def test_labels_that_do_harm_are_taken_back(quick, monkeypatch, figures, helped):
    figures = list(figures)  # of the trainings at both rates, and of the encoder as it came
    monkeypatch.setattr(bi_encoder, "quality", lambda *_, **__: Quality.of_values([figures.pop(0)]))
    monkeypatch.setattr(bi_encoder, "learn", lambda encoder, **_: encoder.requires_grad_(False))
    tuned = bi_encoder.tune(quick)
    assert tuned.before.ndcg10 == 0.7 and tuned.after.ndcg10 == (0.8 if helped else 0.7)
    assert all(p.requires_grad for p in tuned.encoder.parameters()) is not helped  # the untouched one has gradients


def test_as_a_ranker_its_scores_are_logits_and_an_ensemble_takes_their_mean(quick):
    encoder, pairs = bi_encoder.open_encoder(), quick.valid.select(range(6))
    texts = catalogue.texts_of(pairs)
    alone = AsRanker(encoder).score(texts)
    np.testing.assert_allclose(alone, 20.0 * bi_encoder.scores(encoder, pairs), rtol=1e-6)

    class Length:
        def score(self, pairs):
            return np.array([len(product) for _, product in pairs], dtype=np.float32)

    both = Ensemble([AsRanker(encoder), Length()]).score(texts)
    np.testing.assert_allclose(both, (alone + Length().score(texts)) / 2, rtol=1e-6)
    assert both.dtype == np.float32


def test_an_ensemble_needs_a_member():
    with pytest.raises(ValueError, match="no ranker in it; give at least one"):
        Ensemble([])
