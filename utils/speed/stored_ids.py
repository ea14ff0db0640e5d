"""A ranker that reads its products' token ids from a store and fills its batches with NumPy.

The ids of every pair, their order and their batches are those of `BatchedRanker`; the model cannot tell the two apart.
As an engine it is the model of another folder, with the ids of a catalogue beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils import disk
from utils.rank import models, ranker, runtimes
from utils.rank.ranker import Batch, Pair
from utils.rank.runtimes.base import Part, Runtime
from utils.speed import token_store
from utils.speed.joined_pairs import Frame, kept_lengths, lay_out
from utils.speed.token_store import TokenStore

FACTS = "stored_ids.json"
IDS = "ids"
AGAIN = "make it again with stored_ids.make"


def join(query_ids: Sequence[int], product_ids: Sequence[int], *, frame: Frame, room: int) -> list[int]:
    """The ids of one pair, by hand: special tokens around two texts, the longer of which is cut until both fit.

    Args:
        query_ids, product_ids: of the whole texts, or the first `room` + 1; where both have more, of the whole texts.
        frame: what the tokenizer puts around them, `ranker.pair_frame`.
        room: tokens that both texts may have together.
    """
    texts = (query_ids, product_ids)
    kept = kept_lengths(len(query_ids), len(product_ids), room=room)
    ids: list[int] = []
    for token, _, side in frame:
        ids += [token] if side is None else [int(one) for one in texts[side][: kept[side]]]
    return ids


def room_of(frame: Frame, *, max_tokens: int) -> int:
    """The tokens that both texts of a pair may have together.

    Raises:
        ValueError: `max_tokens` leaves no room for the special tokens.
    """
    n_special = sum(side is None for _, _, side in frame)
    if max_tokens < n_special:
        raise ValueError(f"max_tokens is {max_tokens}; the special tokens of a pair alone are {n_special}")
    return max_tokens - n_special


def ids_needed(tokenizer: PreTrainedTokenizerBase, *, max_tokens: int) -> int:
    """How many ids of a text must be stored for pairs of that many tokens: one more than can be used, to see a cut."""
    return room_of(ranker.pair_frame(tokenizer), max_tokens=max_tokens) + 1


@dataclass
class StoredIdsRanker:
    """A ranker as `BatchedRanker`, with the same scores, whose products come out of a store.

    Attributes:
        forward: takes input_ids, attention_mask and token_type_ids (n_pairs, n_tokens), gives logits (n_pairs,).
        runtime: the name of the engine behind `forward`, for messages.
        store: of the products; one that is not there, or whose text has changed, is tokenized.
    """

    tokenizer: PreTrainedTokenizerBase
    forward: Callable[[Batch], np.ndarray]
    runtime: str
    store: TokenStore
    max_tokens: int = 96
    batch_size: int = 32

    @cached_property
    def frame(self) -> Frame:
        """What the tokenizer puts around two texts."""
        return ranker.pair_frame(self.tokenizer)

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`.

        Raises:
            ValueError: a score is not a finite number, or the store has too few ids of a text for `max_tokens`.
        """
        scores = np.empty(len(pairs), dtype=np.float32)
        for places, batch in self.batches(pairs):
            scores[places] = self.forward(batch)
        ranker.require_finite(scores, runtime=self.runtime)
        return scores

    def batches(self, pairs: Sequence[Pair]) -> Iterator[tuple[np.ndarray, Batch]]:
        """The padded batches, shortest pairs first, each with the places of its pairs in `pairs`."""
        if not len(pairs):
            return
        room = room_of(self.frame, max_tokens=self.max_tokens)
        if self.store.at_most <= room:
            raise ValueError(
                f"the store has {self.store.at_most} ids of a text; {self.max_tokens} tokens need {room + 1}; {AGAIN}"
            )
        joined = lay_out(pairs, store=self.store, tokenizer=self.tokenizer, frame=self.frame, room=room)
        yield from joined.batches(self.batch_size, tokenizer=self.tokenizer)


def make(folder: Path, *, model: Path, runtime: str, texts: Iterable[str], max_tokens: int) -> Path:
    """Make the folder of a model with stored ids, whole or not at all; `fill` says what of."""
    with disk.whole_folder(Path(folder)) as new:
        fill(new, model=model, runtime=runtime, texts=texts, max_tokens=max_tokens)
    return Path(folder)


def fill(folder: Path, *, model: Path, runtime: str, texts: Iterable[str], max_tokens: int) -> Path:
    """Write into a folder beside the model's the ids of these texts, and which model in which engine reads them.

    Raises:
        ValueError: the two folders do not lie in one.
    """
    folder, model = Path(folder), Path(model)
    if folder.resolve().parent != model.resolve().parent:
        raise ValueError(f"{folder}: does not lie beside {model}; put it there, so that both move together")
    _, tokenizer = models.described(model)
    at_most = ids_needed(tokenizer, max_tokens=max_tokens)
    token_store.build(texts, tokenizer=tokenizer, folder=folder / IDS, at_most=at_most)
    weights = runtimes.weights_hash(model, runtime=runtime)
    facts = {"stage": model.name, "runtime": runtime, "weights": weights}
    disk.write_whole(folder / FACTS, disk.json_text(facts))
    return folder


def parts(folder: Path) -> list[Part]:
    """The model that scores.

    Raises:
        ValueError: the folder does not say which one it is.
    """
    facts = disk.read_object(Path(folder) / FACTS)
    if not {"stage", "runtime", "weights"} <= facts.keys():
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or names no model; {AGAIN}")
    return [Part(Path(folder).parent / facts["stage"], facts["runtime"])]


def open_stored_ids(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> StoredIdsRanker:
    """The model that the folder names, reading the folder's ids.

    Raises:
        ValueError: the model is another one than the folder was made for, its engine does not take token ids, or the
            store is not of its tokenizer, damaged, or of shorter pairs.
    """
    (part,) = parts(folder)
    written = disk.read_object(folder / FACTS)["weights"]
    if (found := runtimes.weights_hash(part.folder, runtime=part.runtime)) != written:
        raise ValueError(f"{folder}: was made for weights {written} of {part.folder.name}, which has {found}; {AGAIN}")
    limits = {"threads": threads, "max_tokens": max_tokens, "batch_size": batch_size, "device": device}
    inner = runtimes.open_ranker(part.folder, runtime=part.runtime, **limits)
    if not hasattr(inner, "forward"):
        raise ValueError(f"{folder}: runtime '{part.runtime}' takes texts and not token ids; choose another engine")
    store = token_store.open_store(folder / IDS, tokenizer=inner.tokenizer)
    if store.at_most < (needed := ids_needed(inner.tokenizer, max_tokens=max_tokens)):
        raise ValueError(f"{folder}: has {store.at_most} ids of a text; {max_tokens} tokens need {needed}; {AGAIN}")
    return StoredIdsRanker(inner.tokenizer, inner.forward, inner.runtime, store, max_tokens, batch_size)


def stored_precision(folder: Path) -> str:
    """That of the model's weights."""
    (part,) = parts(folder)
    return runtimes.named(part.runtime).precision(part.folder)


RUNTIME = Runtime(
    name="stored_ids",
    library="numpy",
    distribution="numpy",
    weights=(*(f"{IDS}/{name}" for name in token_store.FILES), FACTS),
    open=open_stored_ids,
    precision=stored_precision,
    devices=("cpu", "cuda"),
    parts=parts,
    also_ships=(),
)
