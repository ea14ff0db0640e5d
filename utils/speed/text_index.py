"""Which row of a store is a text's: found by a digest of the text itself, so that a changed text finds no old row.

Product ids would not do. A shop changes a product's text and keeps its id, and whatever was stored for the old words
would be used for the new ones, without a sign of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

REMEMBERED = 32_768  # distinct texts whose rows are kept at hand


def digests(texts: Iterable[str]) -> np.ndarray:
    """The first 8 bytes of each text's BLAKE2b hash: (n_texts,), uint64.

    Two texts of a catalogue of a million share one with a chance of 3 in 100 million, and `in_order` would refuse them.

    Source: Aumasson et al., "BLAKE2: simpler, smaller, fast as MD5", 2013, https://www.blake2.net
    """
    whole = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(whole, dtype="<u8")


def in_order(texts: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts in the order of their digests, and these, ascending.

    Raises:
        ValueError: two different texts have one digest.
    """
    distinct = list(dict.fromkeys(texts))
    found = digests(distinct)
    order = np.argsort(found, kind="stable")
    ascending = found[order]
    if (same := np.flatnonzero(ascending[1:] == ascending[:-1])).size:
        one, two = (distinct[order[same[0] + step]] for step in (0, 1))
        raise ValueError(f"two texts have one digest: {one[:60]!r} and {two[:60]!r}; change a letter of one of them")
    return [distinct[place] for place in order], ascending


class TextIndex:
    """Finds the rows of texts in a store whose digests are ascending; what it found it remembers, within a bound."""

    def __init__(self, ascending: np.ndarray) -> None:
        self._digests, self._rows = ascending, {}

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """The row of each text, -1 where the store has none: (n_texts,), int64.

        A text that was asked for before costs one look into a dictionary. All is forgotten once there are more than
        REMEMBERED of them.
        """
        remembered = self._rows
        if len(remembered) > REMEMBERED:
            remembered.clear()
        if new := [text for text in dict.fromkeys(texts) if text not in remembered]:
            remembered.update(zip(new, self._find(new), strict=True))
        return np.fromiter(map(remembered.__getitem__, texts), dtype=np.int64, count=len(texts))

    def _find(self, texts: Sequence[str]) -> list[int]:
        if not len(self._digests):
            return [-1] * len(texts)
        wanted = digests(texts)
        places = np.minimum(np.searchsorted(self._digests, wanted), len(self._digests) - 1)
        return np.where(self._digests[places] == wanted, places, -1).tolist()
