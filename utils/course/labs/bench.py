"""What the labs are tried on: a part of the embedded shop, small enough to be made in seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset

from utils import disk, settings
from utils.data import candidates, catalogue
from utils.data.catalogue import Catalogue, rows_by_query
from utils.rank import bi_encoder

MOST_FEATURES = 6  # that a learner may add
SPARSITIES = (0.5, 0.8, 0.95)  # of the matrices of lab 05
LEVELS = 16  # of a weight of 4 bits
LARGEST_BATCH = 64  # sequences
BATCH_COST = 150.0  # of a batch, whatever is in it, in the unit of a token
N_VALID = 120  # queries; enough to tell rankers of lab 01 apart


@dataclass(frozen=True)
class JudgedLists:
    """Queries, each with the products that were judged for it.

    Attributes:
        queries: (n_lists,) texts; products: (n_lists, n_products) texts.
        bm25, cosine: (n_lists, n_products), the scores of BM25 and of the bi-encoder.
        gains: (n_lists, n_products), what each product is worth to the query.
    """

    queries: list[str]
    products: list[list[str]]
    bm25: np.ndarray
    cosine: np.ndarray
    gains: np.ndarray


def shop() -> Catalogue:
    """The embedded shop in the sizes of the profile ci, with more queries of valid."""
    sizes = dataclasses.replace(settings.profile("ci"), n_valid_queries=N_VALID)
    return catalogue.load(settings.EMBEDDED, profile=sizes)


def judged_lists(shop: Catalogue, *, split: str, n_queries: int) -> JudgedLists:
    """The first queries of a split with their judged products, as many for each, and the scores of two baselines.

    The bi-encoder takes a minute; its scores are kept.
    """
    pairs = shop.pairs[split]
    groups = list(rows_by_query(pairs).values())[:n_queries]
    pairs = pairs.select([row for rows in groups for row in rows])
    shape = (len(groups), len(groups[0]))
    columns = {name: np.array(pairs[name][:]).reshape(shape) for name in ("query", "product", "gain")}
    bm25 = candidates.score_judged(candidates.build(shop), pairs)
    cosine = _kept_scores(pairs, name=f"{split}-{n_queries}-{shop.hash[:8]}")
    return JudgedLists(
        queries=columns["query"][:, 0].tolist(),
        products=columns["product"].tolist(),
        bm25=bm25.reshape(shape),
        cosine=cosine.reshape(shape),
        gains=columns["gain"].astype(float),
    )


def _kept_scores(pairs: Dataset, *, name: str) -> np.ndarray:
    """The bi-encoder's scores of these pairs, computed once; a file that cannot be read is made again."""
    path = settings.ARTIFACTS / "labs" / f"cosine-{name}.json"
    kept = disk.read_object(path).get("scores", [])
    if len(kept) != len(pairs):
        kept = bi_encoder.scores(bi_encoder.open_encoder(), pairs).astype(float).tolist()
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_whole(path, disk.json_text({"scores": kept}))
    return np.array(kept, dtype=np.float32)


def untied(scores: np.ndarray) -> np.ndarray:
    """Scores (n_lists, n_products) whose ties are broken by the order of the products."""
    places = np.arange(scores.shape[1])
    return np.stack([-(np.lexsort((places, -of_list)).argsort().astype(float)) for of_list in scores])


def tabulate(features: Callable[[str, str], Sequence[float]] | None, lists: JudgedLists) -> list[np.ndarray]:
    """A learner's numbers of every pair, each number as an array (n_lists, n_products); none without a function.

    Raises:
        ValueError: it gives no list of finite numbers, not always as many, or more than MOST_FEATURES.
    """
    if features is None:
        return []
    rows = [
        [_numbers(features(query, product), query=query, product=product) for product in products]
        for query, products in zip(lists.queries, lists.products, strict=True)
    ]
    lengths = {len(numbers) for row in rows for numbers in row}
    if len(lengths) > 1 or not 1 <= max(lengths) <= MOST_FEATURES:
        raise ValueError(f"lists of {sorted(lengths)} numbers came; give from 1 to {MOST_FEATURES}, always as many")
    return list(np.moveaxis(np.array(rows, dtype=float), 2, 0))


def _numbers(given: Sequence[float], *, query: str, product: str) -> list[float]:
    try:
        numbers = [float(one) for one in given]
    except (TypeError, ValueError):
        numbers = [np.nan]
    if not np.isfinite(numbers).all():
        raise ValueError(f"for '{query}' and '{product}' came {given!r}; give a list of finite numbers")
    return numbers


def draw_lengths(*, n_sequences: int = 1_000, seed: int = 0) -> list[int]:
    """Lengths in tokens as those of pairs of a shop: most are short, some are long."""
    drawn = np.random.default_rng(seed).lognormal(mean=3.2, sigma=0.45, size=n_sequences)
    return np.clip(drawn.round(), 6, 96).astype(int).tolist()


def cost_of_batches(batches: Sequence[Sequence[int]], *, n_tokens: Sequence[int]) -> float:
    """The cost of batches in the unit of a token: each costs BATCH_COST, and a filler as much as a token.

    Args:
        batches: of places in `n_tokens`, every place once, at most LARGEST_BATCH in one.

    Raises:
        ValueError: a batch is empty or too large, or a place is missing, strange or there twice.
    """
    places = sorted(place for batch in batches for place in batch)
    if places != list(range(len(n_tokens))):
        raise ValueError(
            f"{len(places)} places came; every sequence from 0 to {len(n_tokens) - 1} has to be there once"
        )
    if any(not 1 <= len(batch) <= LARGEST_BATCH for batch in batches):
        raise ValueError(f"a batch holds from 1 to {LARGEST_BATCH} sequences")
    return float(sum(BATCH_COST + len(batch) * max(n_tokens[place] for place in batch) for batch in batches))


def draw_sparse(*, sparsity: float, n_rows: int = 128, n_columns: int = 384, seed: int = 0) -> np.ndarray:
    """A matrix of float32 with that share of zeros, wherever they fall."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_rows, n_columns)).astype(np.float32)
    matrix[rng.random(matrix.shape) < sparsity] = 0
    return matrix


def packed_bytes(pack: Callable[[np.ndarray], bytes], unpack: Callable[[bytes], np.ndarray], *, seed: int) -> float:
    """Bytes a number that a learner's format takes, the mean over matrices of 50%, 80% and 95% zeros.

    Raises:
        ValueError: no bytes come, or what is unpacked is not the matrix to the last bit.
    """
    found = []
    for place, sparsity in enumerate(SPARSITIES):
        matrix = draw_sparse(sparsity=sparsity, seed=seed + place)
        packed = pack(matrix.copy())
        if not isinstance(packed, bytes):
            raise ValueError(f"pack gave {type(packed).__name__}; give bytes")
        again = np.asarray(unpack(packed))
        if again.dtype != matrix.dtype or again.shape != matrix.shape or again.tobytes() != matrix.tobytes():
            raise ValueError(f"of a matrix with {sparsity:.0%} zeros something else came back; it has to be the same")
        found.append(len(packed) / matrix.size)
    return float(np.mean(found))


def layer_with_inputs(*, n_pairs: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """The first feed-forward matrix of the pretrained encoder's fourth layer, and what comes into it.

    Returns:
        weight (n_out, n_in), and inputs (n_tokens, n_in) of pairs from the shop's train split.
    """
    pairs = shop().pairs["train"].select(range(n_pairs))
    encoder = bi_encoder.open_encoder()
    model, tokenizer = encoder[0].auto_model.eval(), encoder.tokenizer
    layer, seen = model.encoder.layer[3].intermediate.dense, []
    hook = layer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    batch = tokenizer(list(pairs["query"]), list(pairs["product"]), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        model(**batch)
    hook.remove()
    return layer.weight.detach().numpy().copy(), seen[0][batch["attention_mask"].bool()].numpy()


def output_error(weight: np.ndarray, rounded: np.ndarray, *, inputs: np.ndarray) -> float:
    """How far a layer's outputs are off with rounded weights: the norm of the difference over that of the outputs.

    Raises:
        ValueError: another shape, or an output with more than 16 different weights, which 4 bits cannot hold.
    """
    rounded = np.asarray(rounded, dtype=float)
    if rounded.shape != weight.shape or not np.isfinite(rounded).all():
        raise ValueError(f"weights of shape {rounded.shape} came; give finite ones of shape {weight.shape}")
    if (most := max(len(np.unique(row)) for row in rounded)) > LEVELS:
        raise ValueError(f"an output has {most} different weights; 4 bits hold {LEVELS}")
    return float(np.linalg.norm(inputs @ (rounded - weight).T) / np.linalg.norm(inputs @ weight.T))
