"""A bi-encoder's query side as one ONNX graph, from token ids to a unit vector, in fp32 or with 8-bit products.

A query is some five tokens, so what is left of PyTorch's time is mostly not arithmetic. Products are in `vector_store`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from utils import disk
from utils.rank import models, tokens
from utils.rank.first_token import MASKED
from utils.rank.runtimes.in_onnxruntime import quiet_export, write_graph
from utils.shrink.quantize import int8_onnx
from utils.speed.vector_store import encoder_hash

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

GRAPH = "encoder.onnx"
FACTS = "encoder.json"
FORMAT = "rank-for-less query encoder 1"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PRECISIONS = ("int8", "fp32")
AGAIN = "make it again with query_encoder.export"


class UnitVector(nn.Module):
    """An encoder's unit vector of each text: its tokens' mean, at length 1.

    Takes input_ids, attention_mask and token_type_ids, each (n_texts, n_tokens); gives (n_texts, d_model).

    Source: Reimers, Gurevych, "Sentence-BERT", EMNLP 2019, https://arxiv.org/abs/1908.10084

    Raises:
        ValueError: the encoder is no BERT, or does not take the mean.
    """

    def __init__(self, encoder: SentenceTransformer):
        super().__init__()
        bert, pooling = encoder[0].auto_model, encoder[1].pooling_mode
        if bert.config.model_type != "bert" or pooling != "mean":
            raise ValueError(
                f"an encoder of type {bert.config.model_type} with {pooling} pooling; take a BERT with mean pooling"
            )
        self.embeddings, self.layers = bert.embeddings, bert.encoder.layer

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        hidden = self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)  # (n_texts, n_tokens, d_model)
        is_token = attention_mask.to(hidden.dtype)
        mask = (1.0 - is_token[:, None, None, :]) * MASKED  # added to the attention scores
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=mask)[0]
        mean = (hidden * is_token[:, :, None]).sum(dim=1) / is_token.sum(dim=1, keepdim=True)
        return nn.functional.normalize(mean, dim=1)


@dataclass(frozen=True)
class QueryEncoder:
    """Turns texts into unit vectors, each text alone: no padding, and no vector depends on what else is asked for.

    Attributes:
        encoder: `vector_store.encoder_hash` of the encoder that it was exported from.
        max_tokens: a text is cut to so many, the special ones included.
    """

    session: InferenceSession
    tokenizer: PreTrainedTokenizerBase
    encoder: str
    precision: str
    max_tokens: int

    @property
    def d_model(self) -> int:
        return self.session.get_outputs()[0].shape[1]

    def encode(self, queries: Sequence[str]) -> np.ndarray:
        """Unit vectors (n_queries, d_model), float32."""
        if not len(queries):
            return np.empty((0, self.d_model), dtype=np.float32)
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add(pair=False)
        texts = tokens.first_ids(self.tokenizer, queries, at_most=room)
        return np.concatenate([self._vector(self.tokenizer.build_inputs_with_special_tokens(ids)) for ids in texts])

    def _vector(self, ids: list[int]) -> np.ndarray:
        """(1, d_model)."""
        ids = np.array([ids], dtype=np.int64)
        return self.session.run(None, dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True)))[0]


def export(
    encoder: SentenceTransformer, *, folder: Path, precision: str = "int8", max_tokens: int | None = None
) -> Path:
    """Write the encoder's graph, its tokenizer and what they are into a folder, which is made.

    Args:
        precision: "fp32", or "int8": weights per channel now, the ranges of activations anew in every call.
        max_tokens: a text is cut to so many; the encoder's own limit when not given.

    Raises:
        ValueError: an unknown precision, or an encoder that `UnitVector` does not know.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision '{precision}' is not one of {', '.join(PRECISIONS)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with disk.scratch(folder / "export") as scratch:
        with quiet_export(), torch.inference_mode():
            write_graph(UnitVector(encoder).eval(), scratch / GRAPH, output="vectors")
        if precision == "int8":
            int8_onnx.dynamic(scratch / GRAPH, folder / GRAPH)
        else:
            (scratch / GRAPH).replace(folder / GRAPH)
    encoder.tokenizer.save_pretrained(folder)
    facts = {"format": FORMAT, "encoder": encoder_hash(encoder), "precision": precision}
    disk.write_whole(folder / FACTS, disk.json_text(facts | {"max_tokens": max_tokens or encoder.max_seq_length}))
    return folder


def open_encoder(folder: Path, *, threads: int) -> QueryEncoder:
    """The encoder in a folder, on that many threads, which do not spin while they wait.

    Raises:
        ValueError: it is of another format, or damaged; names the folder and the remedy.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    folder = Path(folder)
    facts = disk.read_object(folder / FACTS)
    if facts.get("format") != FORMAT:
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or not of format '{FORMAT}'; {AGAIN}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with models.readable(folder):
        session = onnxruntime.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"])
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return QueryEncoder(session, tokenizer, facts["encoder"], facts["precision"], facts["max_tokens"])
