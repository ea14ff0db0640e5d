"""The product's side of a split model, made once for a catalogue and read from disk, in fp32 or as 8-bit numbers.

Each product has as many vectors as it has tokens (one where two vectors meet), one product's behind the other's. As in
`utils.speed.vector_store` a text finds its own by a digest of itself, and a store is of one model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from utils import disk
from utils.edge import split_folder, split_texts
from utils.edge.split_model import SplitModel
from utils.rank import tokens
from utils.speed import text_index, vector_store
from utils.speed.text_index import TextIndex

FORMAT = "rank-for-less product states 1"
FACTS = "store.json"
FILES = ("states.npy", "scales.npy", "starts.npy", "digests.npy", FACTS)
PRECISIONS = ("int8", "fp32")
BATCH_SIZE = 64
INDEX_BYTES = 16  # of a product: its digest and where its vectors begin
AGAIN = "make it again with product_store.build"


@dataclass(frozen=True)
class ProductStore:
    """The vectors of products.

    Attributes:
        states: (n_vectors, d), int8 or float32, of all products.
        scales: (n_vectors,), float32; a vector is its numbers times its scale. Nothing in fp32: (0,).
        starts: (n_texts + 1,), int64; the vectors of row i are those from starts[i] to starts[i + 1].
        digests: (n_texts,), uint64, ascending.
        model_hash: `split_folder.weights_hash` of the model that made them.
    """

    states: np.ndarray
    scales: np.ndarray
    starts: np.ndarray
    digests: np.ndarray
    model_hash: str
    index: TextIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", TextIndex(self.digests))

    @property
    def n_texts(self) -> int:
        return len(self.digests)

    @property
    def precision(self) -> str:
        """Of the stored numbers: int8 or fp32."""
        return "int8" if self.states.dtype == np.int8 else "fp32"

    @property
    def bytes_per_product(self) -> float:
        """Of all arrays, the index among them, the mean over products."""
        arrays = (self.states, self.scales, self.starts, self.digests)
        return sum(array.nbytes for array in arrays) / max(1, self.n_texts)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """The row of each text, -1 where the store does not have this very text: (n_texts,), int64."""
        return self.index.rows(texts)

    def vectors(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The vectors of these rows one behind the other, (n_vectors, d) float32, and where each row's begin.

        Raises:
            ValueError: a row is below 0: that text has no stored states.
        """
        if len(rows) and np.min(rows) < 0:
            raise ValueError(f"a row is -1: that text has no stored states; compute them, or {AGAIN} and this text")
        lengths = self.starts[rows + 1] - self.starts[rows]
        begins = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self.starts[rows] - begins, lengths)
        found = self.states[places].astype(np.float32, copy=False)
        if self.precision == "int8":
            found *= self.scales[places][:, None]
        return found, begins

    def states_of(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The vectors of each text, (n_vectors, d) float32 each.

        Raises:
            ValueError: the store does not have one of these texts; names it.
        """
        rows = self.rows(texts)
        if (missing := np.flatnonzero(rows < 0)).size:
            raise ValueError(f"no stored states for {texts[missing[0]][:60]!r}; {AGAIN} and this text")
        found, begins = self.vectors(rows)
        return np.split(found, begins[1:]) if len(texts) else []


def build(
    texts: Iterable[str],
    *,
    model: SplitModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    precision: str = "int8",
) -> ProductStore:
    """Write the product's side of the distinct texts into `folder`, whole or not at all, and open it.

    Args:
        precision: "int8" stores each vector in 255 steps of its own, about a quarter of fp32.

    Raises:
        ValueError: an unknown precision, or no texts.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision '{precision}' is not one of {', '.join(PRECISIONS)}")
    ordered, digests = text_index.in_order(texts)
    if not ordered:
        raise ValueError(f"{folder}: no texts to store states of; give the catalogue's")
    states, lengths = compute(ordered, model=model, tokenizer=tokenizer)
    states, scales = vector_store.rounded(states) if precision == "int8" else (states, np.empty(0, dtype=np.float32))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    model_hash = split_folder.weights_hash(model)
    facts = {"format": FORMAT, "model_hash": model_hash, "n_texts": len(ordered), "n_vectors": len(states)}
    with disk.whole_folder(Path(folder)) as new:
        for name, array in zip(FILES, (states, scales, starts, digests), strict=False):
            np.save(new / name, array)
        disk.write_whole(new / FACTS, disk.json_text(facts))
    return open_store(folder)


def open_store(folder: Path, *, model_hash: str | None = None) -> ProductStore:
    """The store in a folder, mapped into memory.

    Args:
        model_hash: of the model that will read it; None: whichever.

    Raises:
        ValueError: it is of another format or another model, or damaged; names the folder and the remedy.
    """
    folder = Path(folder)
    facts = disk.read_object(folder / FACTS)
    if facts.get("format") != FORMAT:
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or not of format '{FORMAT}'; {AGAIN}")
    if model_hash is not None and facts.get("model_hash") != model_hash:
        raise ValueError(f"{folder}: states of model {facts.get('model_hash')}, asked for {model_hash}; {AGAIN}")
    try:
        arrays = [np.asarray(np.load(folder / name, mmap_mode="r")) for name in FILES[:-1]]
        store = ProductStore(*arrays, model_hash=facts["model_hash"])
        is_whole = _fits_together(store, n_texts=facts["n_texts"], n_vectors=facts["n_vectors"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{folder}: cannot be read, it is cut short or damaged ({reason}); {AGAIN}") from error
    if not is_whole:
        raise ValueError(f"{folder}: its files do not belong together, one is cut short or damaged; {AGAIN}")
    return store


def compute(
    texts: Sequence[str], *, model: SplitModel, tokenizer: PreTrainedTokenizerBase
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of all texts one behind the other, (n_vectors, d) float32, and how many each has, (n_texts,)."""
    beginnings = tokens.cut(tokenizer, texts, at_most=model.plan.n_product)
    order = np.argsort([len(text) for text in beginnings], kind="stable")  # in characters, to pad little
    found: list[np.ndarray] = [np.empty(0)] * len(texts)
    for start in range(0, len(order), BATCH_SIZE):
        places = order[start : start + BATCH_SIZE]
        some = [beginnings[place] for place in places]
        with torch.inference_mode():
            part = model.product_part(split_texts.encode_products(some, tokenizer=tokenizer, plan=model.plan))
        for place, states, mask in zip(places, part.states.numpy(), part.mask.numpy(), strict=True):
            found[place] = states[mask]
    return np.concatenate(found), np.array([len(states) for states in found])


def stored_bytes(*, n_vectors: float, d: int, precision: str = "int8") -> float:
    """Bytes of a product of so many vectors of d numbers, its place in the index among them."""
    return n_vectors * (d + 4 if precision == "int8" else 4 * d) + INDEX_BYTES


def _fits_together(store: ProductStore, *, n_texts: int, n_vectors: int) -> bool:
    n_scales = n_vectors if store.precision == "int8" else 0
    return (
        (len(store.digests), len(store.starts), len(store.scales)) == (n_texts, n_texts + 1, n_scales)
        and store.states.ndim == 2
        and len(store.states) == n_vectors == store.starts[-1]
        and bool((store.digests[1:] > store.digests[:-1]).all() and (store.starts[1:] > store.starts[:-1]).all())
    )
