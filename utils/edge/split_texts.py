"""Texts as the parts of a split model read them: `[CLS] query [SEP]` and `product [SEP]`, each side padded alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from utils.edge.split_model import Part, Split, SplitModel
from utils.rank import tokens

Ids = list[list[int]]


def query_ids(queries: Sequence[str], *, tokenizer: PreTrainedTokenizerBase, plan: Split) -> Ids:
    """The ids of each query with the special tokens around it, `plan.n_query` at most."""
    texts = tokens.first_ids(tokenizer, queries, at_most=plan.n_query - 2)
    return [[tokenizer.cls_token_id, *ids, tokenizer.sep_token_id] for ids in texts]


def product_ids(products: Sequence[str], *, tokenizer: PreTrainedTokenizerBase, plan: Split) -> Ids:
    """The ids of each product with the special token behind it, `plan.n_product` at most."""
    texts = tokens.first_ids(tokenizer, products, at_most=plan.n_product - 1)
    return [[*ids, tokenizer.sep_token_id] for ids in texts]


def padded(ids: Ids, *, side: int, pad_id: int) -> dict[str, np.ndarray]:
    """input_ids, attention_mask and token_type_ids of one side, int64, (n_texts, n_tokens) each; 0 is the query's."""
    lengths = np.array([len(of_text) for of_text in ids])
    real = np.arange(lengths.max())[None, :] < lengths[:, None]
    filled = np.full(real.shape, pad_id, dtype=np.int64)
    filled[real] = np.concatenate([np.array(of_text, dtype=np.int64) for of_text in ids])
    return {"input_ids": filled, "attention_mask": real.astype(np.int64), "token_type_ids": np.full_like(filled, side)}


def encode_queries(queries: Sequence[str], *, tokenizer: PreTrainedTokenizerBase, plan: Split) -> dict[str, Tensor]:
    """The batch of `SplitModel.query_part`."""
    return _tensors(query_ids(queries, tokenizer=tokenizer, plan=plan), side=0, tokenizer=tokenizer)


def encode_products(products: Sequence[str], *, tokenizer: PreTrainedTokenizerBase, plan: Split) -> dict[str, Tensor]:
    """The batch of `SplitModel.product_part`."""
    return _tensors(product_ids(products, tokenizer=tokenizer, plan=plan), side=1, tokenizer=tokenizer)


def _tensors(ids: Ids, *, side: int, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    batch = padded(ids, side=side, pad_id=tokenizer.pad_token_id)
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def parts(
    model: SplitModel, *, query: str, products: Sequence[str], tokenizer: PreTrainedTokenizerBase
) -> tuple[Part, Part]:
    """A query's side and its products' sides, made apart: two `Part`, of (1, ...) and of (n_products, ...)."""
    how = {"tokenizer": tokenizer, "plan": model.plan}
    return model.query_part(encode_queries([query], **how)), model.product_part(encode_products(products, **how))
