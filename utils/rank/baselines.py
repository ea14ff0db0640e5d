"""Rankers that nobody trained for this shop: BM25, the bi-encoder as it comes, and both fused.

A teacher has to beat the best of them, or they are what to ship. BM25 itself lives in `utils.data.candidates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from utils.data import candidates
from utils.data.candidates import Bm25
from utils.data.catalogue import Catalogue, texts_of
from utils.rank import metrics, models, tokens
from utils.rank.metrics import Interval, Quality

NAMES = {"bm25": "BM25", "bi_encoder": "bi-encoder", "fused": "fused"}  # of their stages in a ledger, and in words


def open_bi_encoder(checkpoint: str = models.MINILM) -> SentenceTransformer:
    """An encoder that turns one text into one vector.

    Source: Reimers, Gurevych, "Sentence-BERT", EMNLP 2019, https://arxiv.org/abs/1908.10084
    """
    return SentenceTransformer(models.resolve(checkpoint), device="cpu")


def bi_encoder_scores(encoder: SentenceTransformer, pairs: Dataset, *, batch_size: int = 64) -> np.ndarray:
    """Cosine of the query's and the product's vector: (n_pairs,), float32. Every distinct text is encoded once."""
    queries, products = (_encode(encoder, pairs[column], batch_size=batch_size) for column in ("query", "product"))
    columns = texts_of(pairs)
    return np.array([queries[query] @ products[product] for query, product in columns], dtype=np.float32)


def _encode(encoder: SentenceTransformer, texts: Iterable[str], *, batch_size: int) -> dict[str, np.ndarray]:
    distinct = sorted(set(texts))
    beginnings = tokens.cut(encoder.tokenizer, distinct, at_most=encoder.max_seq_length)  # the encoder reads no more
    vectors = encoder.encode(beginnings, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
    return dict(zip(distinct, vectors, strict=True))


def scores(catalogue: Catalogue, *, split: str, bm25: Bm25 | None = None) -> dict[str, np.ndarray]:
    """The scores that every baseline gives the judged pairs of a split, (n_pairs,) each, by the names of NAMES."""
    pairs = catalogue.pairs[split]
    found = {
        "bm25": candidates.score_judged(bm25 or candidates.build(catalogue), pairs),
        "bi_encoder": bi_encoder_scores(open_bi_encoder(), pairs),
    }
    return found | {"fused": metrics.reciprocal_rank_fusion(pairs, *found.values())}


def qualities(catalogue: Catalogue, *, split: str) -> dict[str, Quality]:
    """The quality of every baseline on a split, by the names of NAMES."""
    pairs, top_gain = catalogue.pairs[split], catalogue.top_gain
    found = scores(catalogue, split=split)
    return {name: metrics.evaluate(pairs, of_pairs, top_gain=top_gain) for name, of_pairs in found.items()}


@dataclass(frozen=True)
class Lead:
    """What a teacher is ahead of the best baseline, which was chosen on valid, on the queries of test."""

    baseline: str
    interval: Interval

    @property
    def is_sure(self) -> bool:
        """Whether it lies above zero beyond chance in the queries."""
        return self.interval.low > 0

    @property
    def advice(self) -> str:
        """What to ship, in words."""
        return "" if self.is_sure else f"ship the baseline: {NAMES[self.baseline]}"


def lead(teacher: Quality, *, on_test: Mapping[str, Quality], on_valid: Mapping[str, float], n_resamples: int) -> Lead:
    """The teacher's lead on test over the baseline that ranks best on valid.

    Args:
        on_test, on_valid: of every baseline, by its name.
    """
    best = max(on_test, key=lambda name: on_valid[name])
    return Lead(best, metrics.paired_bootstrap(teacher, on_test[best], n_resamples=n_resamples))
