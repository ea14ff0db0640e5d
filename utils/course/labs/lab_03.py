"""The tasks of lab 03: zeros by magnitude, the importance of heads, heads that leave, and words that leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from utils.course.labs.checks import Case, Task, named

Layer = Mapping[str, np.ndarray]
INWARDS = ("query", "key", "value")  # matrices whose rows belong to heads; of "output" the columns do
UNKNOWN = 0  # the row of words that are not kept


def zero_smallest(weight: np.ndarray, sparsity: float) -> np.ndarray:
    """A copy whose smallest weights by magnitude are zero: round(sparsity × n_weights) of them, no two alike."""
    return _zero(weight, sparsity)


def head_importance(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    """First-order (Taylor) importance of each head: (n_heads,).

    Of a list the sum of output × gradient over all that a head gives, without its sign; then the mean over lists.

    Args:
        outputs, gradients: (n_lists, n_tokens, d_model), the heads side by side; gradients of each list's own loss.

    Source: Michel, Levy, Neubig, "Are Sixteen Heads Really Better than One?", NeurIPS 2019,
    https://arxiv.org/abs/1905.10650
    """
    return np.abs(_of_heads(outputs * gradients, n_heads).sum(axis=(1, 3))).mean(axis=0)


def cut_heads(layer: Layer, keep: Sequence[int], n_heads: int) -> dict[str, np.ndarray]:
    """The weights and biases of an attention layer that has some of its heads alone, in their old order.

    Args:
        layer: `query`, `key`, `value` (n_heads × d_head, d_model) and `output` (d_model, n_heads × d_head), and their
            biases `query_bias` and so on.
    """
    return _cut(layer, keep, n_heads)


def cut_words(table: np.ndarray, keep: Sequence[int], input_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A table of embeddings with some of its rows, and token ids that point into it.

    Args:
        table: (n_vocab, d_model); keep: ids in the order in which their rows are to stand, UNKNOWN first.
        input_ids: (n_pairs, n_tokens); what is not kept becomes UNKNOWN.
    """
    return _cut_words(table, keep, input_ids)


def _zero(
    weight: np.ndarray,
    sparsity: float,
    *,
    size: Callable = np.abs,
    is_by_row: bool = False,
    rounds: Callable[[float], int] = round,
) -> np.ndarray:
    found = weight.copy()
    for part in found if is_by_row else [found.reshape(-1)]:
        part[np.argsort(size(part))[: rounds(sparsity * part.size)]] = 0
    return found


def _zero_largest(weight: np.ndarray, sparsity: float) -> np.ndarray:
    return _zero(weight, sparsity, size=lambda part: -np.abs(part))


def _below_a_share_of_the_largest(weight: np.ndarray, sparsity: float) -> np.ndarray:
    return np.where(np.abs(weight) < sparsity * np.abs(weight).max(), 0, weight)


def _of_heads(values: np.ndarray, n_heads: int) -> np.ndarray:
    return values.reshape(*values.shape[:2], n_heads, -1)


def _of_tokens(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return np.abs(_of_heads(outputs * gradients, n_heads).sum(axis=3)).sum(axis=1).mean(axis=0)


def _sum_over_lists(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return len(outputs) * head_importance(outputs, gradients, n_heads)


def _mean_over_tokens(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return head_importance(outputs, gradients, n_heads) / outputs.shape[1]


def _sum_of_magnitudes(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return np.abs(_of_heads(outputs * gradients, n_heads)).sum(axis=(1, 3)).mean(axis=0)


def _magnitude_of_mean(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return np.abs(_of_heads(outputs * gradients, n_heads).sum(axis=(1, 3)).mean(axis=0))


def _interleaved(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    products = (outputs * gradients).reshape(*outputs.shape[:2], -1, n_heads)
    return np.abs(products.sum(axis=(1, 2))).mean(axis=0)


def _gradient_alone(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return head_importance(np.ones_like(outputs), gradients, n_heads)


def _cut(
    layer: Layer,
    keep: Sequence[int],
    n_heads: int,
    *,
    is_turned: bool = False,
    is_complement: bool = False,
    is_zeroed: bool = False,
    zeroes_biases: bool = True,
    cuts_output_bias: bool = False,
) -> dict[str, np.ndarray]:
    d_head = len(layer["query"]) // n_heads
    heads = [head for head in range(n_heads) if head not in keep] if is_complement else sorted(keep)
    rows = np.concatenate([np.arange(head * d_head, (head + 1) * d_head) for head in heads]) if heads else []
    if is_zeroed:
        mask = np.isin(np.arange(len(layer["query"])), rows)
        found = {name: layer[name] * mask[:, None] for name in INWARDS}
        found |= {f"{name}_bias": layer[f"{name}_bias"] * (mask if zeroes_biases else 1) for name in INWARDS}
        return found | {"output": layer["output"] * mask, "output_bias": layer["output_bias"]}
    found = {name: layer[name][rows] for name in INWARDS} | {f"{n}_bias": layer[f"{n}_bias"][rows] for n in INWARDS}
    bias = layer["output_bias"]
    found["output"] = layer["output"][rows] if is_turned else layer["output"][:, rows]
    return found | {"output_bias": bias[rows] if cuts_output_bias else bias}


def _cut_words(
    table: np.ndarray,
    keep: Sequence[int],
    input_ids: np.ndarray,
    *,
    is_sorted: bool = False,
    sorts_rows: bool = False,
    drops: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    order = sorted(keep) if is_sorted else list(keep)
    places = np.full(len(table), UNKNOWN)
    places[order] = np.arange(len(order))
    rows = order if sorts_rows else list(keep)
    return table[rows], places[input_ids] if drops else np.where(np.isin(input_ids, keep), input_ids, UNKNOWN)


def _old_ids(table: np.ndarray, keep: Sequence[int], input_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _cut_words(table, keep, input_ids, drops=False)


def _zeroed_rows(table: np.ndarray, keep: Sequence[int], input_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = np.zeros_like(table)
    found[list(keep)] = table[list(keep)]
    return found, np.where(np.isin(input_ids, keep), input_ids, UNKNOWN)


def _weight_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    return [
        Case("four weights", {"weight": np.array([[0.1, -0.9], [0.4, -0.2]]), "sparsity": 0.5}),
        Case("nothing to zero", {"weight": np.array([[0.1, -0.9]]), "sparsity": 0.0}),
        Case("rows of different size", {"weight": np.array([[5.0, -6.0, 7.0, 8.0], [1.0, 2, -3, 4]]), "sparsity": 0.5}),
        Case(
            "a share between two numbers", {"weight": np.array([[0.3, -0.1, 0.2], [0.5, 0.4, -0.6]]), "sparsity": 0.3}
        ),
        Case("a hundred weights", {"weight": rng.normal(size=(10, 10)), "sparsity": 0.9}),
    ]


def _importance_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    one = np.array([[[1.0, 2.0, 3.0, 4.0]]])
    return [
        Case("one list, one token", {"outputs": one, "gradients": np.array([[[1.0, -1.0, 0.5, 0.5]]]), "n_heads": 2}),
        Case(
            "two lists that pull in opposite directions",
            {"outputs": np.concatenate([one, one]), "gradients": np.concatenate([one, -one]), "n_heads": 2},
        ),
        Case(
            "eight lists",
            {"outputs": rng.normal(size=(8, 5, 12)), "gradients": rng.normal(size=(8, 5, 12)), "n_heads": 3},
        ),
    ]


def _with_sign(outputs: np.ndarray, gradients: np.ndarray, n_heads: int) -> np.ndarray:
    return _of_heads(outputs * gradients, n_heads).sum(axis=(1, 3)).mean(axis=0)


def _layer(rng: np.random.Generator, *, n_heads: int, d_head: int, d_model: int) -> dict[str, np.ndarray]:
    width = n_heads * d_head
    found = {name: rng.normal(size=(width, d_model)) for name in INWARDS}
    found |= {f"{name}_bias": rng.normal(size=width) for name in INWARDS}
    return found | {"output": rng.normal(size=(d_model, width)), "output_bias": rng.normal(size=d_model)}


def _head_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    small, square = (_layer(rng, n_heads=4, d_head=2, d_model=d_model) for d_model in (3, 8))
    return [
        Case("two of four heads", {"layer": small, "keep": [0, 2], "n_heads": 4}),
        Case("one of four heads, as many numbers as the model has", {"layer": square, "keep": [3], "n_heads": 4}),
        Case("all heads", {"layer": square, "keep": [0, 1, 2, 3], "n_heads": 4}),
    ]


def _word_cases(seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    table = np.arange(12.0).reshape(6, 2)
    drawn = {"table": rng.normal(size=(40, 3)), "keep": [0, *(rng.permutation(39)[:15] + 1).tolist()]}
    return [
        Case("three of six words", {"table": table, "keep": [0, 2, 5], "input_ids": np.array([[2, 5, 3]])}),
        Case("an order of its own", {"table": table, "keep": [0, 5, 2], "input_ids": np.array([[2, 5], [1, 0]])}),
        Case("forty words", drawn | {"input_ids": rng.integers(0, 40, (4, 7))}),
    ]


TASKS = {
    "zero_smallest": Task(
        right=zero_smallest,
        cases=_weight_cases,
        misconceptions={
            "weights are compared with their sign": partial(_zero, size=np.asarray),
            "every row loses the same share": partial(_zero, is_by_row=True),
            "the number of zeros is cut off and not rounded": partial(_zero, rounds=int),
            "the largest weights become zero": _zero_largest,
            "the share is taken of the largest weight, and not of how many there are": _below_a_share_of_the_largest,
        },
    ),
    "head_importance": Task(
        right=head_importance,
        cases=_importance_cases,
        misconceptions={
            "the sign is taken off before a head's numbers are added up": _sum_of_magnitudes,
            "the sign is taken off for each token, and not for the whole list": _of_tokens,
            "the lists are added up, and not averaged": _sum_over_lists,
            "the tokens are averaged, and not added up": _mean_over_tokens,
            "the sign is taken off after the mean over lists, so that lists cancel": _magnitude_of_mean,
            "the numbers of the heads are taken for interleaved": _interleaved,
            "the gradient counts alone, without what the head gives": _gradient_alone,
            "the sign is never taken off, and a head whose absence helps counts as little": _with_sign,
        },
    ),
    "cut_heads": Task(
        right=cut_heads,
        cases=_head_cases,
        misconceptions={
            "the heads to keep are the ones that leave": partial(_cut, is_complement=True),
            "heads are set to zero, and nothing shrinks": partial(_cut, is_zeroed=True),
            "matrices are set to zero and biases are not, and nothing shrinks": partial(
                _cut, is_zeroed=True, zeroes_biases=False
            ),
            "the output loses rows, and not columns": partial(_cut, is_turned=True),
            "the bias of the output is cut as well": partial(_cut, cuts_output_bias=True),
        },
    ),
    "cut_words": Task(
        right=cut_words,
        cases=_word_cases,
        outcome=named("the table", "the token ids"),
        misconceptions={
            "the token ids still point into the old table": _old_ids,
            "rows are set to zero, and the table keeps its size": _zeroed_rows,
            "the ids follow the order of the old table, and not that of `keep`": partial(_cut_words, is_sorted=True),
            "rows and ids follow the order of the old table, and not that of `keep`": partial(
                _cut_words, is_sorted=True, sorts_rows=True
            ),
        },
    ),
}
