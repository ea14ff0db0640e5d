"""The teacher: a cross-encoder that first learns what is free, and then what was judged.

A pretrained encoder compares two texts apart; nothing in it has read them together. So it is warmed up on pairs that
nobody judged, whose scores cost nothing: those of BM25 and of the bi-encoder. Then it learns from the labels, at the
rate that suits the data, and stays as it was where they do not help.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Mapping
from functools import partial

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import environment
from utils.data import candidates, unjudged
from utils.data.catalogue import rows_by_query, texts_of
from utils.rank import baselines, choosing, lists, models, training
from utils.rank.lists import Lists
from utils.rank.metrics import Quality
from utils.rank.setting import Budget, Setting
from utils.rank.training import Task

RATES = (5e-5, 2e-4)  # of the labels, the gentlest first
SPREAD = 2.0  # standard deviation of the weak scores, whose softmax over a list is copied


@dataclasses.dataclass(frozen=True)
class Taught:
    """A trained teacher and how it came about.

    Attributes:
        warm_up, log: the trainer's logs of both parts.
        looks: quality on valid after a short training with each of the budgets, by name; `chosen` is the one taken.
        budget: of the labels.
        helped: whether the labels made it better on valid than the warm-up left it.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    warm_up: list[dict]
    looks: Mapping[str, Quality]
    chosen: str
    budget: Budget
    log: list[dict]
    helped: bool


def teach(setting: Setting, *, checkpoint: str = models.MINILM) -> Taught:
    """Build a cross-encoder, warm it up, choose a rate by short looks, and train it on the labels."""
    environment.seed_everything(setting.seed)
    model, tokenizer = models.build_cross_encoder(checkpoint, seed=setting.seed)
    warm_log = warm_up(model, tokenizer=tokenizer, setting=setting)
    budgets = label_budgets(setting)
    looks = choosing.look(lambda: copy.deepcopy(model), budgets, tokenizer=tokenizer, setting=setting)
    chosen = choosing.best(looks, n_resamples=setting.profile.n_bootstrap)
    environment.seed_everything(setting.seed)
    log, helped = training.improve(model, tokenizer=tokenizer, setting=setting, budget=budgets[chosen])
    return Taught(model, tokenizer, warm_log, looks, chosen, budgets[chosen], log, helped)


def label_budgets(setting: Setting) -> dict[str, Budget]:
    """The trainings on labels to choose from, by a name that says the rate."""
    budget = Budget.of_teacher(setting.profile, n_labelled=len(setting.train))
    return {f"rate {rate:g}": dataclasses.replace(budget, learning_rate=rate) for rate in RATES}


def warm_up(model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting) -> list[dict]:
    """Train the model in place to give unjudged pairs the order that BM25 and the bi-encoder give them together.

    Returns:
        The trainer's log; empty where there is no such pair.

    Source: Dehghani et al., "Neural Ranking Models with Weak Supervision", SIGIR 2017,
    https://arxiv.org/abs/1704.08803
    """
    pairs, budget = weak_pairs(setting), Budget.of_warm_up(setting.profile)
    if not len(pairs):
        return []
    encoded = lists.encode(pairs, tokenizer=tokenizer, max_tokens=setting.max_tokens, keep=("score",))
    rng, groups = random.Random(setting.seed), list(rows_by_query(pairs).values())
    rows = lists.share_out(groups, n_lists=budget.n_lists, rng=rng)
    rows = lists.by_length(rows, n_tokens=encoded["n_tokens"][:], lists_per_step=budget.lists_per_step, rng=rng)
    collate = partial(lists.collate, tokenizer=tokenizer, learned="score")
    task = Task(Lists(encoded, rows=rows), collate, training.weak_loss)
    return training.fit(model, task=task, tokenizer=tokenizer, setting=setting, budget=budget)


def weak_pairs(setting: Setting) -> Dataset:
    """Pairs that nobody judged, with a column `score`: BM25 and the bi-encoder's cosine, each less its mean and divided
    by its standard deviation, added up, and given the standard deviation SPREAD.
    """
    catalogue, rng = setting.catalogue, random.Random(setting.seed)
    judged = set(texts_of(setting.train))
    rows = unjudged.draw(catalogue, known=judged, n_pairs=setting.profile.n_warm_pairs, rng=rng)
    if not rows:
        return Dataset.from_dict({"query": [], "product": [], "query_id": [], "score": []})
    queries, products = ([row[place] for row in rows] for place in (0, 1))
    pairs = Dataset.from_dict({"query": queries, "product": products, "query_id": unjudged.grouped(queries)})
    bm25 = candidates.score_texts(candidates.build(catalogue), pairs)
    cosine = baselines.bi_encoder_scores(baselines.open_bi_encoder(), pairs)
    both = sum((scores - scores.mean()) / max(scores.std(), 1e-9) for scores in (bm25, cosine))
    return pairs.add_column("score", (SPREAD * both / max(both.std(), 1e-9)).astype(np.float32))
