"""A split model as an engine: a query's side is computed once, and meets the stored sides of its candidates.

The sides are made by one ONNX graph. Where layers join them, that is a second graph; where tokens or vectors meet, it
is a product of small matrices in NumPy. A product that is not in the store is computed when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from utils import disk
from utils.edge import product_store, split_folder, split_graphs, split_texts
from utils.edge.product_store import ProductStore
from utils.edge.split_graphs import INPUTS, JOIN, JOIN_INPUTS, PRECISIONS, SIDES
from utils.edge.split_model import Split, SplitModel
from utils.rank import models, ranker
from utils.rank.ranker import Pair
from utils.rank.runtimes.base import TOKENIZER_FILES, Runtime

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

STORE = "products"
FACTS = "split_ranker.json"
QUERY, PRODUCT = 0, 1  # sides, and the places of their states among what the graph gives
MATCHED_AT_ONCE = 1024  # products
AGAIN = "make it again with in_split.make"

Join = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass
class SplitRanker:
    """A ranker over a split model's graphs and a store.

    Attributes:
        sides: the graph of `Sides`.
        join: of a query's states (n_vectors, d), its products' one behind the other, and where each product's begin:
            scores (n_products,).
        batch_size: products of a query that layers join at a time; where tokens or vectors meet it has no meaning.
    """

    sides: InferenceSession
    join: Join
    store: ProductStore
    tokenizer: PreTrainedTokenizerBase
    plan: Split
    batch_size: int = 32

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`.

        Raises:
            ValueError: a score is not a finite number.
        """
        scores = np.empty(len(pairs), dtype=np.float32)
        fresh: dict[str, np.ndarray] = {}
        for query, places in ranker.by_query(pairs).items():
            texts = [pairs[place][1] for place in places]
            distinct = list(dict.fromkeys(texts))  # equal texts get one score, and stay a tie
            found = dict(zip(distinct, self._of_query(query, distinct, fresh=fresh).tolist(), strict=True))
            scores[places] = [found[text] for text in texts]
        ranker.require_finite(scores, runtime="split")
        return scores

    def query_part(self, query: str) -> np.ndarray:
        """The query's side, (n_vectors, d)."""
        ids = split_texts.query_ids([query], tokenizer=self.tokenizer, plan=self.plan)
        return self._side(ids[0], side=QUERY)

    def _of_query(self, query: str, products: Sequence[str], *, fresh: dict[str, np.ndarray]) -> np.ndarray:
        """Scores of distinct products."""
        of_query, scores = self.query_part(query), np.empty(len(products), dtype=np.float32)
        rows = self.store.rows(products)
        known = np.flatnonzero(rows >= 0)
        at_once = self.batch_size if self.plan.meeting == "layers" else MATCHED_AT_ONCE
        for start in range(0, len(known), at_once):
            some = known[start : start + at_once]
            scores[some] = self.join(of_query, *self.store.vectors(rows[some]))
        for place in np.flatnonzero(rows < 0).tolist():
            text = products[place]
            if text not in fresh:
                ids = split_texts.product_ids([text], tokenizer=self.tokenizer, plan=self.plan)
                fresh[text] = self._side(ids[0], side=PRODUCT)
            scores[place] = self.join(of_query, fresh[text], np.zeros(1, dtype=np.int64))[0]
        return scores

    def _side(self, ids: list[int], *, side: int) -> np.ndarray:
        batch = split_texts.padded([ids], side=side, pad_id=0)
        return self.sides.run(None, {name: batch[name] for name in INPUTS})[side][0]


def best_matches(query: np.ndarray, vectors: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """As `split_model.best_matches`, of one query and products that lie one behind the other: (n_products,).

    Args:
        query: (n_query, d); vectors: (n_vectors, d), of all products; begins: where each product's begin.
    """
    return np.maximum.reduceat(vectors @ query.T, begins, axis=0).sum(axis=1)


def layers_join(session: InferenceSession, query: np.ndarray, vectors: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The scores by the graph of the upper layers; products are padded to the longest of them."""
    lengths = np.diff(begins, append=len(vectors))
    mask = np.arange(lengths.max())[None, :] < lengths[:, None]
    product = np.zeros((*mask.shape, vectors.shape[1]), dtype=np.float32)
    product[mask] = vectors
    given = (query[None], product, mask.astype(np.int64))
    return session.run(None, dict(zip(JOIN_INPUTS, given, strict=True)))[0][:, 0]


def make(
    folder: Path,
    *,
    model: SplitModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    precision: str = "int8",
    query_precision: str = "int8",
) -> Path:
    """Make the folder of a split model with its stored products, whole or not at all; `fill` says what of."""
    with disk.whole_folder(Path(folder)) as new:
        fill(
            new,
            model=model,
            tokenizer=tokenizer,
            texts=texts,
            precision=precision,
            query_precision=query_precision,
        )
    return Path(folder)


def fill(
    folder: Path,
    *,
    model: SplitModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    precision: str = "int8",
    query_precision: str = "int8",
) -> Path:
    """Write the model, its graphs and the stored side of these products into a folder that is there.

    Args:
        precision: of the stored states; query_precision: of the graphs' weights. "int8" or "fp32".

    Raises:
        ValueError: an unknown precision, or no texts.
    """
    folder = Path(folder)
    if query_precision not in PRECISIONS:
        raise ValueError(f"query_precision '{query_precision}' is not one of {', '.join(PRECISIONS)}")
    split_folder.fill(folder, model=model, tokenizer=tokenizer)
    store = product_store.build(texts, model=model, tokenizer=tokenizer, folder=folder / STORE, precision=precision)
    graphs = split_graphs.write(folder, model=model, precision=query_precision)
    hashes = {name: disk.sha256(folder / name) for name in graphs}
    facts = {"model_hash": store.model_hash, "precision": {"queries": query_precision, "products": precision}}
    disk.write_whole(folder / FACTS, disk.json_text(facts | {"sha256": hashes}))
    return folder


def open_split(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> SplitRanker:
    """The graphs on that many threads and the store. Texts are cut as the plan says, not to `max_tokens`.

    Raises:
        ValueError: a file is missing or damaged, or graphs and store are not of one model.
    """
    return open_parts(folder, store=Path(folder) / STORE, threads=threads, batch_size=batch_size)


def open_parts(folder: Path, *, store: Path, threads: int, batch_size: int = 32) -> SplitRanker:
    """As `open_split`, with the store in another folder, as a bundle has it."""
    folder, plan = Path(folder), split_folder.read_plan(folder)
    facts = disk.read_object(folder / FACTS)
    for name, written in (facts.get("sha256") or {SIDES: None}).items():
        if not (folder / name).is_file() or disk.sha256(folder / name) != written:
            raise ValueError(f"{folder / name}: is missing, damaged, or not the one that {FACTS} names; {AGAIN}")
    opened = product_store.open_store(store, model_hash=facts["model_hash"])
    with models.readable(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder)
    sides, join = _session(folder / SIDES, threads=threads), best_matches
    if plan.meeting == "layers":
        join = partial(layers_join, _session(folder / JOIN, threads=threads))
    return SplitRanker(sides, join, opened, tokenizer, plan, batch_size)


def _session(path: Path, *, threads: int) -> InferenceSession:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with models.readable(path):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def stored_precision(folder: Path) -> str:
    """That of the graphs' weights."""
    return disk.read_object(Path(folder) / FACTS).get("precision", {}).get("queries", "unknown")


RUNTIME = Runtime(
    name="split",
    library="onnxruntime",
    distribution="onnxruntime",
    weights=(*(f"{STORE}/{name}" for name in product_store.FILES), JOIN, SIDES, split_folder.FACTS, FACTS),
    open=open_split,
    precision=stored_precision,
    also_ships=TOKENIZER_FILES,
)
