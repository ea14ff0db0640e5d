"""Token ids of a catalogue's products, made once and read from disk: a product's words do not change between queries.

The files are mapped into memory, so that several processes share one copy and only what is read is loaded. A text finds
its ids by a digest of itself, and a store is of one tokenizer: another one is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils import disk
from utils.rank import tokens
from utils.speed import text_index
from utils.speed.text_index import TextIndex

FORMAT = "rank-for-less token ids 1"
FACTS = "store.json"
FILES = ("ids.npy", "starts.npy", "digests.npy", FACTS)
AGAIN = "make it again with token_store.build"


@dataclass(frozen=True)
class TokenStore:
    """The token ids of texts, without special tokens.

    Attributes:
        ids: (n_ids,), uint16 or int32; those of text i are `ids[starts[i]:starts[i + 1]]`.
        starts: (n_texts + 1,), int64.
        digests: (n_texts,), uint64, ascending.
        at_most: ids kept of a text; of a longer one the first.
    """

    ids: np.ndarray
    starts: np.ndarray
    digests: np.ndarray
    at_most: int
    index: TextIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", TextIndex(self.digests))

    @property
    def n_texts(self) -> int:
        return len(self.digests)

    @property
    def n_bytes(self) -> int:
        """Of all arrays, as they lie on disk."""
        return self.ids.nbytes + self.starts.nbytes + self.digests.nbytes

    def of(self, text: str) -> np.ndarray | None:
        """The ids of a text, at most `at_most`; None where the store does not have this very text."""
        row = int(self.index.rows([text])[0])
        return None if row < 0 else self.ids[self.starts[row] : self.starts[row + 1]]


def build(texts: Iterable[str], *, tokenizer: PreTrainedTokenizerBase, folder: Path, at_most: int) -> TokenStore:
    """Write the ids of the distinct texts into `folder`, whole or not at all, and open it.

    Args:
        at_most: ids to keep of a text. A pair of `max_tokens` needs one more than the texts have room for, to see that
            a text is cut: `stored_ids.ids_needed`.

    Raises:
        ValueError: `at_most` is below 1.
    """
    if at_most < 1:
        raise ValueError(f"at_most is {at_most}; keep at least one id of a text")
    ordered, digests = text_index.in_order(texts)
    kind = np.uint16 if len(tokenizer) <= 2**16 else np.int32
    parts, lengths = [np.empty(0, dtype=kind)], [0]
    for start in range(0, len(ordered), tokens.TEXTS_AT_ONCE):
        of_texts = tokens.first_ids(tokenizer, ordered[start : start + tokens.TEXTS_AT_ONCE], at_most=at_most)
        lengths += map(len, of_texts)
        parts.append(np.fromiter((i for ids in of_texts for i in ids), dtype=kind))
    facts = {"format": FORMAT, "tokenizer_hash": tokenizer_hash(tokenizer), "at_most": at_most}
    with disk.whole_folder(Path(folder)) as new:
        np.save(new / "ids.npy", np.concatenate(parts))
        np.save(new / "starts.npy", np.cumsum(lengths, dtype=np.int64))
        np.save(new / "digests.npy", digests)
        disk.write_whole(new / FACTS, disk.json_text(facts | {"n_texts": len(ordered)}))
    return open_store(folder, tokenizer=tokenizer)


def open_store(folder: Path, *, tokenizer: PreTrainedTokenizerBase) -> TokenStore:
    """The store in a folder, mapped into memory.

    Raises:
        ValueError: it is of another tokenizer or format, or damaged; names the folder and the remedy.
    """
    folder = Path(folder)
    facts = disk.read_object(folder / FACTS)
    if facts.get("format") != FORMAT:
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or not of format '{FORMAT}'; {AGAIN}")
    if facts.get("tokenizer_hash") != tokenizer_hash(tokenizer):
        raise ValueError(f"{folder}: these token ids are of another tokenizer; {AGAIN}, with this one")
    try:
        ids, starts, digests = (np.load(folder / name, mmap_mode="r") for name in FILES[:-1])
        store = TokenStore(*map(np.asarray, (ids, starts, digests)), at_most=int(facts["at_most"]))
        whole = _is_whole(store, n_texts=facts["n_texts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{folder}: cannot be read, it is cut short or damaged ({reason}); {AGAIN}") from error
    if not whole:
        raise ValueError(f"{folder}: its files do not belong together, one is cut short or damaged; {AGAIN}")
    return store


def _is_whole(store: TokenStore, *, n_texts: int) -> bool:
    """Whether the arrays fit each other; the ids themselves are not looked at, or all of them would be loaded."""
    lengths = np.diff(store.starts)
    return bool(
        store.n_texts == n_texts == len(lengths)
        and store.starts[0] == 0
        and store.starts[-1] == len(store.ids)
        and (lengths >= 0).all()
        and (lengths <= store.at_most).all()
        and (store.digests[1:] > store.digests[:-1]).all()
    )


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """The identity of a tokenizer: sha256 of all it consists of, the first 16 hexadecimal digits.

    How it pads and truncates is left out: it is set to neither, as `tokens` does before every use.
    """
    return hashlib.sha256(tokens.plain(tokenizer).to_str().encode()).hexdigest()[:16]
