"""Product vectors of a bi-encoder, made once for a catalogue and read from disk, in fp32 or as 8-bit numbers.

As with token ids (`token_store`) a text finds its vector by a digest of itself, and a store is of one encoder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from utils import disk
from utils.rank import bi_encoder, tokens
from utils.speed import text_index
from utils.speed.text_index import TextIndex

FORMAT = "rank-for-less vectors 1"
FACTS = "store.json"
FILES = ("vectors.npy", "scales.npy", "digests.npy", FACTS)
PRECISIONS = ("int8", "fp32")
AGAIN = "make it again with vector_store.build"


@dataclass(frozen=True)
class VectorStore:
    """Unit vectors of texts.

    Attributes:
        vectors: (n_texts, d_model), int8 or float32.
        scales: (n_texts,), float32; a vector is its numbers times its scale.
        digests: (n_texts,), uint64, ascending.
        encoder: `encoder_hash` of the encoder that made them.
        max_tokens: of a text that the encoder read.
    """

    vectors: np.ndarray
    scales: np.ndarray
    digests: np.ndarray
    encoder: str
    max_tokens: int
    index: TextIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", TextIndex(self.digests))

    @property
    def n_texts(self) -> int:
        return len(self.digests)

    @property
    def n_bytes(self) -> int:
        """Of all arrays, as they lie on disk."""
        return self.vectors.nbytes + self.scales.nbytes + self.digests.nbytes

    @property
    def precision(self) -> str:
        """Of the stored numbers: int8 or fp32."""
        return "int8" if self.vectors.dtype == np.int8 else "fp32"

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """The row of each text, -1 where the store does not have this very text: (n_texts,), int64."""
        return self.index.rows(texts)

    def similarity(self, query_vector: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The dot products of a vector (d_model,) with the stored ones at these rows: (n_rows,), float32.

        Raises:
            ValueError: a row is below 0: encode that text, for it has no stored vector.
        """
        if len(rows) and np.min(rows) < 0:
            raise ValueError("a row is -1: that text has no stored vector; encode it, or build the store with it")
        # a matrix product would round equal rows unlike, by their places, and break the ties of equal texts
        products = np.einsum("nd,d->n", self.vectors[rows].astype(np.float32, copy=False), query_vector)
        return products * self.scales[rows]


def build(
    texts: Iterable[str],
    *,
    encoder: SentenceTransformer,
    folder: Path,
    precision: str = "int8",
    max_tokens: int | None = None,
) -> VectorStore:
    """Write the vectors of the distinct texts into `folder`, whole or not at all, and open it.

    Args:
        precision: "int8" stores every vector in 255 steps of its own, a quarter of fp32.
        max_tokens: a text is cut to so many; the encoder's own limit when not given.

    Raises:
        ValueError: an unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision '{precision}' is not one of {', '.join(PRECISIONS)}")
    ordered, digests = text_index.in_order(texts)
    max_tokens = max_tokens or encoder.max_seq_length
    found = encode(encoder, ordered, max_tokens=max_tokens)
    vectors, scales = rounded(found) if precision == "int8" else (found, np.ones(len(found), dtype=np.float32))
    facts = {"format": FORMAT, "encoder": encoder_hash(encoder), "max_tokens": max_tokens, "n_texts": len(ordered)}
    with disk.whole_folder(Path(folder)) as new:
        for name, array in zip(FILES, (vectors, scales, digests), strict=False):
            np.save(new / name, array)
        disk.write_whole(new / FACTS, disk.json_text(facts))
    return open_vectors(folder)


def rounded(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each vector as int8 and a scale: (n, d_model) and (n,); the largest number of a vector becomes 127 or -127."""
    scales = np.maximum(np.abs(vectors).max(axis=1, initial=0.0), np.finfo(np.float32).tiny) / np.float32(127)
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def open_vectors(folder: Path) -> VectorStore:
    """The store in a folder, mapped into memory.

    Raises:
        ValueError: it is of another format, or damaged; names the folder and the remedy.
    """
    folder = Path(folder)
    facts = disk.read_object(folder / FACTS)
    if facts.get("format") != FORMAT:
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or not of format '{FORMAT}'; {AGAIN}")
    try:
        arrays = [np.asarray(np.load(folder / name, mmap_mode="r")) for name in FILES[:-1]]
        store = VectorStore(*arrays, encoder=facts["encoder"], max_tokens=facts["max_tokens"])
        n_rows = {len(array) for array in arrays} | {facts["n_texts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{folder}: cannot be read, it is cut short or damaged ({reason}); {AGAIN}") from error
    if len(n_rows) > 1 or store.vectors.ndim != 2 or (store.digests[1:] <= store.digests[:-1]).any():
        raise ValueError(f"{folder}: its files do not belong together, one is cut short or damaged; {AGAIN}")
    return store


def encode(encoder: SentenceTransformer, texts: Sequence[str], *, max_tokens: int, batch_size: int = 64) -> np.ndarray:
    """Unit vectors of texts, each read alone and cut to `max_tokens`: (n_texts, d_model), float32."""
    beginnings = tokens.cut(encoder.tokenizer, texts, at_most=max_tokens)
    order = np.argsort([len(text) for text in beginnings], kind="stable")  # in characters, to pad little
    found = np.empty((len(texts), encoder.get_embedding_dimension()), dtype=np.float32)
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        some = [beginnings[place] for place in places]
        with torch.inference_mode():
            found[places] = bi_encoder.vectors(encoder, some, max_tokens=max_tokens).float().cpu().numpy()
    return found


def encoder_hash(encoder: SentenceTransformer) -> str:
    """The identity of an encoder: sha256 of its weights by name, the first 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, weights in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {tuple(weights.shape)} {weights.dtype}".encode())
        digest.update(np.ascontiguousarray(weights.detach().float().cpu().numpy()).data)
    return digest.hexdigest()[:16]
