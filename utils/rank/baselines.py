"""Rankers that nobody trained for this shop: the bi-encoder as it comes. BM25 lives in `utils.data.candidates`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from utils.data.catalogue import texts_of
from utils.rank import models, tokens


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
