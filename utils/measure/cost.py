"""What a model costs by counting: parameters, multiply-accumulates (MACs) and bytes. Dollars are in `pricing`.

Nothing here runs a clock. One MAC is a multiplication and an addition, two floating point operations.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from math import prod
from pathlib import Path

import torch
from torch.nn import Module
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_utils import no_init_weights

from utils.rank.first_token import FirstTokenOnly, fits
from utils.rank.ranker import Pair, encode


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers of weights: all, those not zero, the embedding tables', the encoder layers'. The head is the rest."""

    n_params: int
    n_params_nonzero: int
    n_params_embedding: int
    n_params_encoder: int

    def __add__(self, other: ParameterCounts) -> ParameterCounts:
        return ParameterCounts(*(ours + theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)))


def count_parameters(model: PreTrainedModel) -> ParameterCounts:
    """Count the weights of a BERT-like model; its encoder is called `encoder`, `transformer` or `layers`."""
    parameters = list(model.parameters())
    parts = dict(model.base_model.named_children())
    encoder = next(parts[name] for name in ("encoder", "transformer", "layers") if name in parts)
    return ParameterCounts(
        n_params=sum(p.numel() for p in parameters),
        n_params_nonzero=sum(int(torch.count_nonzero(p)) for p in parameters),
        n_params_embedding=sum(p.numel() for p in model.base_model.embeddings.parameters()),
        n_params_encoder=sum(p.numel() for p in encoder.parameters()),
    )


def linear_macs(*, n_tokens: int, d_in: int, d_out: int) -> int:
    """MACs of one Linear layer on `n_tokens` tokens: every output of every token sums d_in products."""
    return n_tokens * d_in * d_out


def macs_by_hand(config: PretrainedConfig, *, n_tokens: int) -> dict[str, int]:
    """MACs of one pair of `n_tokens` tokens through a BERT classifier, by part. Embedding look-ups multiply nothing.

    Heads in the configuration's `pruned_heads` are left out.

    Source: Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762
    """
    d, d_ff, n_layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    n_pruned = sum(len(heads) for heads in config.pruned_heads.values())
    d_heads = (n_layers * config.num_attention_heads - n_pruned) * (d // config.num_attention_heads)
    return {
        "projections (Q, K, V, output)": 4 * linear_macs(n_tokens=n_tokens, d_in=d, d_out=d_heads),
        "attention (scores and sums)": 2 * n_tokens * n_tokens * d_heads,
        "feed-forward": n_layers * 2 * linear_macs(n_tokens=n_tokens, d_in=d, d_out=d_ff),
        "head": linear_macs(n_tokens=1, d_in=d, d_out=d) + linear_macs(n_tokens=1, d_in=d, d_out=config.num_labels),
    }


def parameters_by_part(model: PreTrainedModel) -> dict[str, int]:
    """Weights of a BERT classifier by the parts of `macs_by_hand`, and its embedding tables.

    Biases and LayerNorms count with the part that they stand in. Scores and sums of attention have no weights.
    """
    layers = model.base_model.encoder.layer
    return {
        "embeddings": _n_weights(model.base_model.embeddings),
        "projections (Q, K, V, output)": _n_weights(*(layer.attention for layer in layers)),
        "attention (scores and sums)": 0,
        "feed-forward": _n_weights(*(part for layer in layers for part in (layer.intermediate, layer.output))),
        "head": _n_weights(model.base_model.pooler, model.classifier),
    }


def _n_weights(*modules: Module) -> int:
    return sum(weights.numel() for module in modules for weights in module.parameters())


def padded_tokens(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], *, max_tokens: int, batch_size: int
) -> int:
    """Tokens that a batched ranker computes for these pairs, fillers included.

    Pairs are sorted by length, and each batch is padded to its longest one.
    """
    lengths = sorted(len(ids) for ids in encode(tokenizer, pairs, max_tokens=max_tokens)["input_ids"])
    batches = [lengths[start : start + batch_size] for start in range(0, len(lengths), batch_size)]
    return sum(len(batch) * batch[-1] for batch in batches)


def macs_per_pair(model: PreTrainedModel, *, n_tokens: int, exported: bool = False) -> int:
    """MACs of one pair of `n_tokens` tokens, counted while it runs.

    Args:
        exported: count the graph that `runtimes.export_onnx` writes, whose last layer works for one token alone.

    PyTorch's counter does not know the fused attention kernel of the CPU. So a twin of the model's shape with eager
    attention is run, on the `meta` device, where tensors have shapes but no values. The twin is built on the CPU,
    since pruning heads needs values, from a copy of the configuration, since building writes "eager" into it.
    """
    with no_init_weights():
        config = copy.deepcopy(model.config)
        twin = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    twin = FirstTokenOnly(twin.to("meta")) if exported and fits(twin) else twin.to("meta")
    with torch.device("meta"):
        ids, ones = (torch.full((1, n_tokens), value) for value in (0, 1))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            twin(input_ids=ids, attention_mask=ones, **({"token_type_ids": ids} if fits(model) else {}))
    return counter.get_total_flops() // 2


def bytes_moved(config: PretrainedConfig, *, n_tokens: int, batch_size: int, bytes_per_number: int = 4) -> int:
    """Bytes that a batch must move at least: each Linear's weights once, and its inputs and outputs once.

    A lower bound: attention, normalisation and whatever does not stay in a cache come on top. Heads in the
    configuration's `pruned_heads` are left out.
    """
    d, d_ff, rows = config.hidden_size, config.intermediate_size, batch_size * n_tokens
    d_head, numbers = d // config.num_attention_heads, 0
    for layer in range(config.num_hidden_layers):
        d_heads = d - d_head * len(config.pruned_heads.get(layer, []))
        linears = 4 * [(d, d_heads)] + [(d, d_ff), (d_ff, d)]
        numbers += sum(d_in * d_out + rows * (d_in + d_out) for d_in, d_out in linears)
    return bytes_per_number * numbers


def disk_bytes(paths: Iterable[Path]) -> int:
    """Bytes of all the files together."""
    return sum(path.stat().st_size for path in paths)


def scaled(quantity: float, **factors: float) -> float:
    """A cost after several levers, each multiplying it by a factor: P' = P × f_prune × f_distil × f_sparse (× f_quant).

    Raises:
        ValueError: a factor is not above 0; names it.
    """
    for name, factor in factors.items():
        if not factor > 0:
            raise ValueError(f"{name} is {factor}; a factor is what remains of the cost and must be above 0")
    return quantity * prod(factors.values())
