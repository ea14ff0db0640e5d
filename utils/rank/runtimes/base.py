"""What the course must know of an engine that runs model folders, in one object: `Runtime`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from utils.rank.ranker import Ranker

TOKENIZER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


class SizedRanker(Ranker, Protocol):
    """A ranker whose batches have a size that can be set."""

    batch_size: int


class Open(Protocol):
    """Opens a model folder on a device, for that many threads."""

    def __call__(self, folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> SizedRanker: ...


@dataclass(frozen=True)
class Part:
    """A model folder in an engine, and the share of a query's pairs that it scores."""

    folder: Path
    runtime: str
    share: float = 1.0


@dataclass(frozen=True)
class Runtime:
    """One engine.

    Attributes:
        name: as the ledger calls it.
        library: the module that it imports. Memory is counted from after that import.
        distribution: the package whose version every row records.
        weights: the files of a model folder that it reads, relative to it; the last one is the model's identity.
        open: opens a model folder.
        precision: of the numbers that a model folder's weights are stored as in those files, such as "fp32" or "int8".
        export: writes `weights` into a folder that holds what `save` and the runtimes before it wrote; None where
            saving a model writes them already.
        devices: where it can run.
        skips_unread_work: whether its graphs compute the last layer for the first token alone.
        parts: the models that a folder consists of, for engines that run several, such as a cascade; None: the folder.
        also_ships: further files to ship with the folder.
    """

    name: str
    library: str
    distribution: str
    weights: tuple[str, ...]
    open: Open
    precision: Callable[[Path], str]
    export: Callable[[Path], object] | None = None
    devices: tuple[str, ...] = ("cpu",)
    skips_unread_work: bool = False
    parts: Callable[[Path], Sequence[Part]] | None = None
    also_ships: tuple[str, ...] = TOKENIZER_FILES

    def parts_of(self, folder: Path) -> Sequence[Part]:
        """The models that the folder consists of."""
        return self.parts(folder) if self.parts else [Part(Path(folder), self.name)]
