"""The teacher: a cross-encoder that first copies a cheap ranker, and then learns what was judged.

A pretrained encoder compares two texts apart; nothing in it has read them together. So it is warmed up on pairs that
nobody judged: it copies the order that a guide gives them, the best of the cheap rankers. Then it learns from the
labels, at the rate that suits the data, and stays as it was where they do not help.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import environment
from utils.data import candidates, unjudged
from utils.data.catalogue import rows_by_query, texts_of
from utils.rank import bi_encoder, choosing, lists, metrics, models, runtimes, training
from utils.rank.bi_encoder import AsRanker, Tuned
from utils.rank.ensemble import Ensemble
from utils.rank.lists import Lists
from utils.rank.metrics import Quality
from utils.rank.setting import Budget, Setting
from utils.rank.training import Task

SPREAD = 2.0  # standard deviation of the summed scores, whose softmax over a list is copied
SUM, TUNED = "sum of BM25 and the bi-encoder", "bi-encoder, tuned"  # the guides; the one that no label made comes first


@dataclasses.dataclass(frozen=True)
class Taught:
    """A trained teacher and how it came about.

    Attributes:
        tuned: the bi-encoder that learned from the same labels.
        guides: quality on valid of what the warm-up could copy, by name; `guide` is the one it copied.
        warm_up, log: the trainer's logs of both parts.
        looks: quality on valid after a short training with each of the budgets, by name; `chosen` is the one taken.
        budget: of the labels.
        helped: whether the labels made it better on valid than the warm-up left it.
        alone, together: quality on valid of the teacher, and of teacher and bi-encoder as an `Ensemble`.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    tuned: Tuned
    guides: Mapping[str, Quality]
    guide: str
    warm_up: list[dict]
    looks: Mapping[str, Quality]
    chosen: str
    budget: Budget
    log: list[dict]
    helped: bool
    alone: Quality
    together: Quality


def teach(setting: Setting, *, checkpoint: str = models.MINILM) -> Taught:
    """Tune a bi-encoder, warm a cross-encoder up on the best guide, choose a rate by short looks, train on labels."""
    n_resamples = setting.profile.n_bootstrap
    tuned = bi_encoder.tune(setting)
    guides = {SUM: _sum_on_valid(setting), TUNED: tuned.after}
    guide = choosing.best(guides, n_resamples=n_resamples)
    environment.seed_everything(setting.seed)
    model, tokenizer = models.build_cross_encoder(checkpoint, seed=setting.seed)
    pairs = weak_pairs(setting, tuned=tuned.encoder if guide == TUNED else None)
    warm_log = warm_up(model, pairs, tokenizer=tokenizer, setting=setting)
    budgets = Budget.to_choose_from(setting.profile, n_labelled=len(setting.train))
    looks = choosing.look(lambda: copy.deepcopy(model), budgets, tokenizer=tokenizer, setting=setting)
    chosen = choosing.best(looks, n_resamples=n_resamples)
    environment.seed_everything(setting.seed)
    log, helped = training.improve(model, tokenizer=tokenizer, setting=setting, budget=budgets[chosen])
    alone, together = _on_valid(model, tokenizer=tokenizer, tuned=tuned, setting=setting)
    return Taught(
        model,
        tokenizer,
        tuned=tuned,
        guides=guides,
        guide=guide,
        warm_up=warm_log,
        looks=looks,
        chosen=chosen,
        budget=budgets[chosen],
        log=log,
        helped=helped,
        alone=alone,
        together=together,
    )


def warm_up(
    model: PreTrainedModel, pairs: Dataset, *, tokenizer: PreTrainedTokenizerBase, setting: Setting
) -> list[dict]:
    """Train the model in place to give unjudged pairs the order that their `score` gives them.

    Args:
        pairs: those of `weak_pairs`.

    Returns:
        The trainer's log; empty where there is no such pair.

    Source: Dehghani et al., "Neural Ranking Models with Weak Supervision", SIGIR 2017,
    https://arxiv.org/abs/1704.08803
    """
    if not len(pairs):
        return []
    budget = Budget.of_warm_up(setting.profile)
    encoded = lists.encode(pairs, tokenizer=tokenizer, max_tokens=setting.max_tokens, keep=("score",))
    rng, groups = random.Random(setting.seed), list(rows_by_query(pairs).values())
    rows = lists.share_out(groups, n_lists=budget.n_lists, rng=rng)
    rows = lists.by_length(rows, n_tokens=encoded["n_tokens"][:], lists_per_step=budget.lists_per_step, rng=rng)
    collate = partial(lists.collate, tokenizer=tokenizer, learned="score")
    task = Task(Lists(encoded, rows=rows), collate, training.weak_loss)
    return training.fit(model, task=task, tokenizer=tokenizer, setting=setting, budget=budget)


def weak_pairs(setting: Setting, *, tuned: SentenceTransformer | None) -> Dataset:
    """Pairs that nobody judged, with a column `score`: the logit of the guide that is to be copied.

    Args:
        tuned: a bi-encoder whose cosines times `bi_encoder.SCALE` are the scores, as in its own training; None: the
            scores are those of `summed`.
    """
    catalogue, rng = setting.catalogue, random.Random(setting.seed)
    judged = set(texts_of(setting.train))
    rows = unjudged.draw(catalogue, known=judged, n_pairs=setting.profile.n_warm_pairs, rng=rng)
    if not rows:
        return Dataset.from_dict({"query": [], "product": [], "query_id": [], "score": []})
    queries, products = ([row[place] for row in rows] for place in (0, 1))
    pairs = Dataset.from_dict({"query": queries, "product": products, "query_id": unjudged.grouped(queries)})
    score = summed(pairs, setting=setting) if tuned is None else bi_encoder.SCALE * bi_encoder.scores(tuned, pairs)
    return pairs.add_column("score", score.astype(np.float32))


def summed(pairs: Dataset, *, setting: Setting) -> np.ndarray:
    """BM25 and the bi-encoder's cosine as it comes, each less its mean and divided by its standard deviation, added up,
    and given the standard deviation SPREAD: (n_pairs,).
    """
    bm25 = candidates.score_texts(candidates.build(setting.catalogue), pairs)
    cosine = bi_encoder.scores(bi_encoder.open_encoder(), pairs)
    both = sum((scores - scores.mean()) / max(scores.std(), 1e-9) for scores in (bm25, cosine))
    return SPREAD * both / max(both.std(), 1e-9)


def _sum_on_valid(setting: Setting) -> Quality:
    return metrics.evaluate(setting.valid, summed(setting.valid, setting=setting), top_gain=setting.top_gain)


def _on_valid(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, tuned: Tuned, setting: Setting
) -> tuple[Quality, Quality]:
    """Of the teacher alone, and of teacher and bi-encoder together."""
    pairs, limits = setting.valid, {"threads": torch.get_num_threads(), "max_tokens": setting.max_tokens}
    teacher = runtimes.wrap_torch(model, tokenizer=tokenizer, **limits)
    both = Ensemble([teacher, AsRanker(tuned.encoder)])
    alone, together = (
        metrics.evaluate(pairs, one.score(texts_of(pairs)), top_gain=setting.top_gain) for one in (teacher, both)
    )
    return alone, together
