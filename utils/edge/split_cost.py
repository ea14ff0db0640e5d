"""What a split model costs by formula: MACs of a query when it comes, and of a product once, long before.

Embedding look-ups, maxima and sums multiply nothing. `utils.measure.cost` counts whole models.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PretrainedConfig

from utils.edge.split_model import Split
from utils.measure.cost import linear_macs


@dataclass(frozen=True)
class RequestMacs:
    """MACs of one query when it comes.

    Attributes:
        query: of the query's side, once.
        joins: of its meeting with all candidates.
    """

    query: int
    joins: int

    @property
    def total(self) -> int:
        return self.query + self.joins


def at_request(
    config: PretrainedConfig, plan: Split, *, n_query: int, n_product: int, n_candidates: int
) -> RequestMacs:
    """MACs of a query of `n_query` tokens with its candidates, whose stored side is there already.

    Args:
        n_query, n_product: tokens of the two sides, special ones included.
    """
    query, d = _layers(config, plan, n_tokens=n_query), config.hidden_size
    if plan.meeting == "layers":
        return RequestMacs(query, n_candidates * _layered_join(config, plan, n_query=n_query, n_product=n_product))
    d_stored = plan.d_stored or d
    if plan.meeting == "vectors":
        return RequestMacs(query + _projection(config, plan, n_tokens=1), n_candidates * d_stored)
    query += _projection(config, plan, n_tokens=n_query) + linear_macs(n_tokens=n_query, d_in=d, d_out=1)
    return RequestMacs(query, n_candidates * n_query * n_product * d_stored)


def of_product(config: PretrainedConfig, plan: Split, *, n_tokens: int) -> int:
    """MACs of a product's stored side, paid once."""
    projected = 1 if plan.meeting == "vectors" else n_tokens
    return _layers(config, plan, n_tokens=n_tokens) + _projection(config, plan, n_tokens=projected)


def whole_at_request(config: PretrainedConfig, *, n_query: int, n_product: int, n_candidates: int) -> int:
    """MACs of the same query through the student whole, pair by pair, its last layer for the first token alone."""
    together = Split(0, "layers")
    return at_request(config, together, n_query=n_query, n_product=n_product, n_candidates=n_candidates).total


def _projection(config: PretrainedConfig, plan: Split, *, n_tokens: int) -> int:
    return linear_macs(n_tokens=n_tokens, d_in=config.hidden_size, d_out=plan.d_stored) if plan.d_stored else 0


def _layers(config: PretrainedConfig, plan: Split, *, n_tokens: int) -> int:
    """Of the layers that see a text alone."""
    return sum(_layer(config, layer, n_tokens=n_tokens, n_read=n_tokens) for layer in range(plan.n_apart))


def _layered_join(config: PretrainedConfig, plan: Split, *, n_query: int, n_product: int) -> int:
    """Of one pair from the stored states to its score."""
    n_tokens, last, d = n_query + n_product, config.num_hidden_layers - 1, config.hidden_size
    between = [_layer(config, layer, n_tokens=n_tokens, n_read=n_tokens) for layer in range(plan.n_apart, last)]
    head = linear_macs(n_tokens=1, d_in=d, d_out=d) + linear_macs(n_tokens=1, d_in=d, d_out=1)
    expanded = _projection(config, plan, n_tokens=n_product)
    return expanded + sum(between) + _layer(config, last, n_tokens=n_tokens, n_read=1) + head


def _layer(config: PretrainedConfig, layer: int, *, n_tokens: int, n_read: int) -> int:
    """Of one layer on `n_tokens` tokens, of which only `n_read` are read afterwards."""
    d, d_head = config.hidden_size, config.hidden_size // config.num_attention_heads
    d_heads = d - d_head * len(config.pruned_heads.get(layer, []))
    projections = 2 * linear_macs(n_tokens=n_tokens, d_in=d, d_out=d_heads)  # keys and values, of all
    projections += 2 * linear_macs(n_tokens=n_read, d_in=d, d_out=d_heads)  # queries and output, of those read
    attention = 2 * n_read * n_tokens * d_heads
    return projections + attention + 2 * linear_macs(n_tokens=n_read, d_in=d, d_out=config.intermediate_size)
