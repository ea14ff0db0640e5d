"""A bi-encoder as an engine: a query is encoded once, and its products' vectors are read from a store.

It costs a query what one short text costs, whatever the number of candidates, so it is the natural first ranker of a
cascade.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

from utils import disk
from utils.rank import ranker
from utils.rank.ranker import Pair
from utils.rank.runtimes.base import Runtime
from utils.speed import query_encoder, vector_store
from utils.speed.query_encoder import QueryEncoder
from utils.speed.vector_store import VectorStore

VECTORS = "vectors"
FACTS = "stored_vectors.json"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
AGAIN = "make it again with vectors_ranker.make"


@dataclass
class StoredVectorsRanker:
    """A ranker whose score is the cosine of the query's vector and the product's stored one.

    Attributes:
        encoder: of queries, and of a product that is not in the store, or whose text has changed.
        batch_size: without a meaning here, for texts are encoded one by one; others set it on every ranker.
    """

    encoder: QueryEncoder
    store: VectorStore
    batch_size: int = 32

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`."""
        scores = np.empty(len(pairs), dtype=np.float32)
        products = [product for _, product in pairs]
        rows = self.store.rows(products)
        missing = np.flatnonzero(rows < 0).tolist()
        fresh = self._vectors([products[place] for place in missing])
        grouped = ranker.by_query(pairs)
        vectors = self._vectors(grouped)
        for query, places in grouped.items():
            known = [place for place in places if rows[place] >= 0] if missing else places
            scores[known] = self.store.similarity(vectors[query], rows[known])
        for place in missing:
            scores[place] = vectors[pairs[place][0]] @ fresh[products[place]]
        return scores

    def _vectors(self, texts: Iterable[str]) -> dict[str, np.ndarray]:
        """The vector of every distinct text."""
        distinct = list(dict.fromkeys(texts))
        return dict(zip(distinct, self.encoder.encode(distinct), strict=True))


def make(
    folder: Path,
    *,
    encoder: SentenceTransformer,
    texts: Iterable[str],
    max_tokens: int | None = None,
    precision: str = "int8",
    query_precision: str = "int8",
) -> Path:
    """Make the folder of an encoder with stored vectors, whole or not at all; `fill` says what of."""
    with disk.whole_folder(Path(folder)) as new:
        fill(
            new,
            encoder=encoder,
            texts=texts,
            max_tokens=max_tokens,
            precision=precision,
            query_precision=query_precision,
        )
    return Path(folder)


def fill(
    folder: Path,
    *,
    encoder: SentenceTransformer,
    texts: Iterable[str],
    max_tokens: int | None = None,
    precision: str = "int8",
    query_precision: str = "int8",
) -> Path:
    """Write the encoder's graph and the vectors of these products into a folder.

    Args:
        max_tokens: a text is cut to so many; the encoder's own limit when not given.
        precision: of the stored vectors; query_precision: of the encoder's weights. "int8" or "fp32".
    """
    folder = Path(folder)
    query_encoder.export(encoder, folder=folder, precision=query_precision, max_tokens=max_tokens)
    limits = {"precision": precision, "max_tokens": max_tokens}
    store = vector_store.build(texts, encoder=encoder, folder=folder / VECTORS, **limits)
    files = (query_encoder.GRAPH, f"{VECTORS}/vectors.npy")
    facts = {"encoder": store.encoder, "precision": {"queries": query_precision, "products": precision}}
    hashes = {name: disk.sha256(folder / name) for name in files}
    disk.write_whole(folder / FACTS, disk.json_text(facts | {"sha256": hashes}))
    return folder


def open_stored_vectors(
    folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str
) -> StoredVectorsRanker:
    """The encoder on that many threads and its store. Texts are cut as when the vectors were made, not to `max_tokens`.

    Raises:
        ValueError: a file is damaged, or encoder and vectors are not of one model.
    """
    written = disk.read_object(folder / FACTS).get("sha256", {}).get(query_encoder.GRAPH)
    graph = folder / query_encoder.GRAPH
    if not graph.is_file() or disk.sha256(graph) != written:
        raise ValueError(f"{graph}: is missing, damaged, or not the one that {FACTS} names; {AGAIN}")
    encoder, store = query_encoder.open_encoder(folder, threads=threads), vector_store.open_vectors(folder / VECTORS)
    if encoder.encoder != store.encoder or encoder.max_tokens != store.max_tokens:
        raise ValueError(f"{folder}: the stored vectors are of another encoder than {query_encoder.GRAPH}; {AGAIN}")
    return StoredVectorsRanker(encoder, store, batch_size)


def stored_precision(folder: Path) -> str:
    """That of the encoder's weights."""
    return disk.read_object(Path(folder) / query_encoder.FACTS).get("precision", "unknown")


RUNTIME = Runtime(
    name="stored_vectors",
    library="onnxruntime",
    distribution="onnxruntime",
    weights=(*(f"{VECTORS}/{name}" for name in vector_store.FILES), query_encoder.GRAPH, query_encoder.FACTS, FACTS),
    open=open_stored_vectors,
    precision=stored_precision,
    also_ships=TOKENIZER,
)
