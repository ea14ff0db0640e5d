"""What the measured int8 peak allows a model, and what lies between that and what its ranker reaches.

Work is that of the graphs that we export, whose last layer works for the first token alone. The peak is measured in
`products`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from transformers import BertConfig, PretrainedConfig

from utils.measure.cost import linear_macs
from utils.rank import models, runtimes
from utils.rank.ranker import Batch
from utils.shrink.quantize import int8_onnx, int8_openvino
from utils.speed import operations, steps_of_query
from utils.speed.products import Shape
from utils.speed.steps_of_query import Split


def linear_shapes(config: PretrainedConfig, *, n_pairs: int, n_tokens: int) -> list[Shape]:
    """The products with weights (rows, d_in, d_out) that an exported BERT classifier computes for a padded batch.

    Of the last layer the other tokens are needed as keys and values alone.
    """
    d, d_ff, last = config.hidden_size, config.intermediate_size, config.num_hidden_layers - 1
    every = n_pairs * n_tokens
    shapes: list[Shape] = []
    for layer in range(config.num_hidden_layers):
        d_heads, rows = _d_heads(config, layer=layer), n_pairs if layer == last else every
        shapes += [(rows, d, d_heads), (every, d, d_heads), (every, d, d_heads), (rows, d_heads, d)]
        shapes += [(rows, d, d_ff), (rows, d_ff, d)]
    return [*shapes, (n_pairs, d, d), (n_pairs, d, config.num_labels)]


def shapes_of_batches(config: PretrainedConfig, *, batches: Sequence[Batch]) -> Counter[Shape]:
    """How often each product with weights occurs when these padded batches are scored."""
    sizes = (batch["input_ids"].shape for batch in batches)
    return Counter(shape for n, t in sizes for shape in linear_shapes(config, n_pairs=n, n_tokens=t))


def exported_macs(config: PretrainedConfig, *, n_tokens: int) -> int:
    """MACs of one pair through the graph that `runtimes.export_onnx` writes of a BERT classifier of that shape.

    By hand from the configuration; `cost.macs_per_pair(model, n_tokens=..., exported=True)` counts the same.
    """
    shapes = linear_shapes(config, n_pairs=1, n_tokens=n_tokens)
    products = sum(linear_macs(n_tokens=rows, d_in=d_in, d_out=d_out) for rows, d_in, d_out in shapes)
    last = config.num_hidden_layers - 1
    asking = (1 if layer == last else n_tokens for layer in range(last + 1))
    attention = sum(2 * n * n_tokens * _d_heads(config, layer=layer) for layer, n in enumerate(asking))
    return products + attention


def allowed_pairs_per_s(config: PretrainedConfig, *, n_tokens: int, gops: float) -> float:
    """Pairs a second if nothing but the exported graph's MACs took time, at `gops` G operations a second.

    Source: Williams, Waterman, Patterson, "Roofline", CACM 2009, https://doi.org/10.1145/1498765.1498785
    """
    return gops * 1e9 / (2 * exported_macs(config, n_tokens=n_tokens))


def gap_table(
    config: PretrainedConfig,
    *,
    batches: Sequence[Batch],
    gops: float,
    shapes_gops: float,
    operation_ms: Mapping[str, float],
    split: Split,
    n_candidates: int,
) -> dict[str, float]:
    """Microseconds of one pair from the bound to what was measured: the parts add up to the measured whole.

    What the engine's profiler tells is scaled to the engine's time without it, since a profiler costs time itself.
    "products in the graph, beyond alone" is what they take more than by themselves; it is negative where they take
    less, because a graph finds its numbers in the cache.

    Args:
        batches: that the ranker hands to its engine, of one or more queries, as `steps_of_query.batches_of` gives them.
        gops, shapes_gops: of `products.peak_gops`, and of `products.gops_of_shapes` for these batches.
        operation_ms: of `operations.operation_times` for these batches.
        split: of one query with `n_candidates` pairs.

    Raises:
        ValueError: no batches.
    """
    if not batches:
        raise ValueError("gap_table: no batches; give those of steps_of_query.batches_of")
    whole = {step: 1000 * ms / n_candidates for step, ms in split.parts_ms.items()}
    kinds = operations.by_kind(operation_ms)
    scale = whole[steps_of_query.ENGINE] / sum(kinds.values())
    real, padded = (2 * macs / 1000 for macs in _macs_a_pair(config, batches=batches))  # k operations; / gops is µs
    alone = padded / shapes_gops
    in_engine = {kind: scale * ms for kind, ms in kinds.items() if kind != operations.PRODUCTS}
    return {
        "at the measured peak": real / gops,
        "products smaller than the peak's": real / shapes_gops - real / gops,
        "fillers": alone - real / shapes_gops,
        "products in the graph, beyond alone": scale * kinds.get(operations.PRODUCTS, 0.0) - alone,
        **in_engine,
        **{step: value for step, value in whole.items() if step != steps_of_query.ENGINE},
    }


def _macs_a_pair(config: PretrainedConfig, *, batches: Sequence[Batch]) -> tuple[float, float]:
    """Mean MACs of a pair, of its own tokens alone and with the fillers of its batch."""
    own = [int(n) for batch in batches for n in batch["attention_mask"].sum(axis=1)]
    padded = [t for batch in batches for n, t in [batch["input_ids"].shape] for _ in range(n)]
    macs = {n: exported_macs(config, n_tokens=n) for n in {*own, *padded}}
    return tuple(float(np.mean([macs[n] for n in lengths])) for lengths in (own, padded))


def _d_heads(config: PretrainedConfig, *, layer: int) -> int:
    """The width of all heads of a layer together, those pruned left out."""
    d_head = config.hidden_size // config.num_attention_heads
    return d_head * (config.num_attention_heads - len(config.pruned_heads.get(layer, [])))


def bert_base_int8(folder: Path, *, seed: int) -> Path:
    """A folder with BERT-base in int8 for both engines, of random weights: it has a cost and no quality.

    Dynamic in ONNX Runtime, static in OpenVINO, as notebook 06 makes them; time both, and take the faster one. Its
    vocabulary is that of the tokenizer installed with the course, which is BERT's own.

    Source: Devlin et al., "BERT", NAACL 2019, https://arxiv.org/abs/1810.04805 (table 1: 12 layers, 768 wide)
    """
    return untrained_int8(folder, config=BertConfig(num_labels=1), seed=seed)


def untrained_int8(folder: Path, *, config: PretrainedConfig, seed: int, max_tokens: int = 96) -> Path:
    """As `bert_base_int8`, of another shape. The weights in fp32 are not kept: only the two graphs are run."""
    model, tokenizer = models.build_untrained(config, seed=seed), models.open_tokenizer()
    models.save(model, tokenizer=tokenizer, folder=folder, max_tokens=max_tokens)
    in_onnx, in_openvino = runtimes.export_onnx(folder), runtimes.export_openvino(folder)
    batches = _random_batches(config, seed=seed)
    int8_openvino.save(int8_openvino.static(in_openvino, batches=batches), in_openvino)
    int8_onnx.dynamic(in_onnx, in_onnx)
    (folder / "model.safetensors").unlink()
    return folder


def _random_batches(config: PretrainedConfig, *, seed: int, n_batches: int = 4, n_tokens: int = 32) -> list[Batch]:
    """Pairs of random tokens (1, n_tokens), on which the ranges of a model of random weights are measured."""
    rng, ones = np.random.default_rng(seed), np.ones((1, n_tokens), dtype=np.int64)
    ids = rng.integers(0, config.vocab_size, (n_batches, 1, n_tokens))
    return [{"input_ids": row, "attention_mask": ones, "token_type_ids": 0 * ones} for row in ids]
