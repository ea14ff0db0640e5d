"""The bi-encoder: each text is read alone, and the score of a pair is the cosine of its two vectors.

It ranks as it comes. With labels of the shop it ranks much better: it learns from the same lists and by the same loss
as a cross-encoder does, only that it starts near the goal, for it has compared texts before.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from transformers import get_linear_schedule_with_warmup

from utils import environment
from utils.data.catalogue import rows_by_query, texts_of
from utils.rank import choosing, lists, metrics, mixed_precision, models, tokens, training
from utils.rank.lists import Rows
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair
from utils.rank.setting import Budget, Setting

SCALE = 20.0  # a cosine lies between -1 and 1; times this, a softmax over a list can prefer one product clearly


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A bi-encoder that learned from labels, and how it came about.

    Attributes:
        encoder: as it came, where the labels did not help.
        rates: quality on valid at the end of the training with each of the budgets, by name; `chosen` is the one taken.
        before, after: quality on valid of the encoder as it came, and of `encoder`.
    """

    encoder: SentenceTransformer
    rates: Mapping[str, Quality]
    chosen: str
    before: Quality
    after: Quality


def open_encoder(checkpoint: str = models.MINILM) -> SentenceTransformer:
    """An encoder that turns one text into one vector.

    Source: Reimers, Gurevych, "Sentence-BERT", EMNLP 2019, https://arxiv.org/abs/1908.10084
    """
    return SentenceTransformer(models.resolve(checkpoint), device="cpu")


def scores(encoder: SentenceTransformer, pairs: Dataset, *, batch_size: int = 64) -> np.ndarray:
    """Cosine of the query's and the product's vector: (n_pairs,), float32. Every distinct text is encoded once."""
    queries, products = (_encode(encoder, pairs[column], batch_size=batch_size) for column in ("query", "product"))
    columns = texts_of(pairs)
    return np.array([queries[query] @ products[product] for query, product in columns], dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class AsRanker:
    """The encoder as a `Ranker`: scores are its logits, as in its own training, SCALE times the cosine."""

    encoder: SentenceTransformer

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`."""
        columns = {name: [pair[place] for pair in pairs] for place, name in enumerate(("query", "product"))}
        return np.float32(SCALE) * scores(self.encoder, Dataset.from_dict(columns))


def quality(encoder: SentenceTransformer, *, setting: Setting) -> Quality:
    """Its quality on all judged pairs of `valid`."""
    return metrics.evaluate(setting.valid, scores(encoder, setting.valid), top_gain=setting.top_gain)


def tune(setting: Setting) -> Tuned:
    """Train the encoder on the labels at each rate, choose by `valid`, and take it back where labels do not help.

    Short looks would not do here: the gentle rate leads early and is behind at the end.
    """
    start, ends = open_encoder(), {}
    for name, budget in Budget.to_choose_from(setting.profile, n_labelled=len(setting.train)).items():
        environment.seed_everything(setting.seed)
        ends[name] = copy.deepcopy(start)
        learn(ends[name], setting=setting, budget=budget)
    rates = {name: quality(encoder, setting=setting) for name, encoder in ends.items()}
    chosen, before = choosing.best(rates, n_resamples=setting.profile.n_bootstrap), quality(start, setting=setting)
    if rates[chosen].ndcg10 > before.ndcg10:
        return Tuned(ends[chosen], rates, chosen, before, after=rates[chosen])
    return Tuned(start, rates, chosen, before, after=before)


def learn(encoder: SentenceTransformer, *, setting: Setting, budget: Budget) -> list[float]:
    """Train the encoder in place on lists of judged pairs; returns the loss of every step.

    The lists and the loss are those of `training.fine_tune`. On a CUDA device where there is one; the encoder comes
    back to the CPU.
    """
    pairs, rng = setting.train, random.Random(setting.seed)
    texts, gains = texts_of(pairs), torch.tensor(pairs["gain"][:], dtype=torch.float32)
    groups = list(rows_by_query(pairs).values())
    drawn = lists.draw_judged(pairs["gain"][:], groups=groups, n_lists=budget.n_lists, rng=rng)
    lengths = [len(product) for _, product in texts]  # in characters, to pad little
    drawn = lists.by_length(drawn, n_tokens=lengths, lists_per_step=budget.lists_per_step, rng=rng)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu").train()
    how = {"lr": budget.learning_rate, "betas": (0.9, training.BETA2), "weight_decay": 0.01}
    optimizer = torch.optim.AdamW(encoder.parameters(), **how, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, budget.n_steps // 10, budget.n_steps)
    losses = []
    with training.dropout(encoder, budget.dropout):
        for start in range(0, budget.n_lists, budget.lists_per_step):
            some = drawn[start : start + budget.lists_per_step]
            loss = loss_of_lists(encoder, some, texts=texts, gains=gains, max_tokens=setting.max_tokens)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), max_norm=1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    encoder.to("cpu").eval()
    return losses


def loss_of_lists(
    encoder: SentenceTransformer,
    drawn: Sequence[Rows],
    *,
    texts: Sequence[tuple[str, str]],
    gains: torch.Tensor,
    max_tokens: int,
) -> torch.Tensor:
    """The listwise loss of some lists with its gradient: the mean over them of `training.loss_of_lists`.

    Args:
        drawn: of every list the rows of its pairs, all of one query.
        texts, gains: of every pair its query and product, and what the product is worth, (n_pairs,).
    """
    queries, products = [texts[rows[0]][0] for rows in drawn], [texts[row][1] for rows in drawn for row in rows]
    with mixed_precision.autocast(encoder.device):
        of_queries, of_products = (vectors(encoder, some, max_tokens=max_tokens) for some in (queries, products))
    sizes = [len(rows) for rows in drawn]
    per_list = zip(of_queries.float(), of_products.float().split(sizes), drawn, strict=True)
    losses = [
        training.loss_of_lists(SCALE * (of_list @ query)[None], gains[rows][None].to(query.device))
        for query, of_list, rows in per_list
    ]
    return torch.stack(losses).mean()


def vectors(encoder: SentenceTransformer, texts: Sequence[str], *, max_tokens: int) -> torch.Tensor:
    """Unit vectors (n_texts, d_model), each text read alone and cut to `max_tokens`, with their gradient."""
    features = encoder.tokenizer(
        list(texts), padding=True, truncation=True, max_length=max_tokens, return_tensors="pt"
    ).to(encoder.device)
    return torch.nn.functional.normalize(encoder(dict(features))["sentence_embedding"], dim=1)


def _encode(encoder: SentenceTransformer, texts: Iterable[str], *, batch_size: int) -> dict[str, np.ndarray]:
    distinct = sorted(set(texts))
    beginnings = tokens.cut(encoder.tokenizer, distinct, at_most=encoder.max_seq_length)  # the encoder reads no more
    found = encoder.encode(beginnings, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
    return dict(zip(distinct, found, strict=True))
