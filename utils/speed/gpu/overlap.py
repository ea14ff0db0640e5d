"""Tokenizing beside multiplying: one thread of the host makes the next batches while the device works on this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from utils.rank.ranker import Pair
from utils.speed.gpu.device_ranker import DeviceRanker
from utils.speed.gpu.layouts import Batch

Item = TypeVar("Item")
PIECE = 1_024  # pairs that are tokenized and sorted together
AHEAD = 4  # batches that wait at most


@dataclass
class OverlappedRanker:
    """A ranker that tokenizes piece after piece while its device multiplies those before."""

    ranker: DeviceRanker
    piece: int = PIECE

    @property
    def batch_size(self) -> int:
        """Of the ranker."""
        return self.ranker.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self.ranker.batch_size = size

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """As `Ranker.score`."""
        return self.ranker.score_batches(prefetch(self._batches(pairs), ahead=AHEAD))

    def _batches(self, pairs: Sequence[Pair]) -> Iterator[tuple[np.ndarray, Batch]]:
        for start in range(0, len(pairs), self.piece):
            encoded = self.ranker.encode(pairs[start : start + self.piece])
            for rows, batch in self.ranker.layout.batches(encoded, batch_size=self.batch_size):
                yield rows + start, batch


def prefetch(items: Iterable[Item], *, ahead: int) -> Iterator[Item]:
    """The same items in their order, made by a thread of their own, `ahead` of them at most waiting to be taken.

    What goes wrong where they are made is raised where they are taken. A taker who stops early stops the maker.
    """
    waiting: queue.Queue = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def put(what: tuple[str, object]) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(what, timeout=0.05)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(("item", item)):
                    return
            put(("end", None))
        except BaseException as error:
            put(("error", error))

    maker = threading.Thread(target=make, daemon=True)
    maker.start()
    try:
        while (got := waiting.get())[0] == "item":
            yield got[1]
        if got[0] == "error":
            raise got[1]
    finally:
        stopped.set()
        maker.join()
