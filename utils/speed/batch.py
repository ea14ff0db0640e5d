"""One function over many texts or pairs, in pieces of a bounded size: texts or pairs go in, states or scores come out.

Each finished piece lies on disk, so that a run that was killed goes on where it stopped; the result appears whole. What
the function does, be it a ranker's scores or an encoder's states, is the caller's.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from utils import disk

Item = TypeVar("Item", str, tuple[str, str])
PIECE = 4_096  # items at a time where nothing else is said
FACTS = "pieces.json"


def in_pieces(
    items: Sequence[Item], function: Callable[[Sequence[Item]], np.ndarray], *, piece: int = PIECE
) -> Iterator[np.ndarray]:
    """The function's results, an array (n_items_of_the_piece, ...) for each piece in turn, one in memory at a time.

    Raises:
        ValueError: `piece` is below 1, or a result has not one row an item or a number that is not finite.
    """
    if piece < 1:
        raise ValueError(f"piece is {piece}; take at least one item at a time")
    for start in range(0, len(items), piece):
        yield _result(items[start : start + piece], function, start=start)


def to_file(
    path: Path,
    items: Sequence[Item],
    function: Callable[[Sequence[Item]], np.ndarray],
    *,
    made_by: str,
    piece: int = PIECE,
) -> np.ndarray:
    """Write the results of all items as one `.npy` file, whole or not at all: (n_items, ...), mapped into memory.

    Finished pieces wait in `<path>.pieces`. The next call goes on with them when the items, `made_by` and the size of
    a piece are the same, and begins anew otherwise; a piece that is damaged is made again.

    Args:
        made_by: the identity of what the function computes, such as the hash of a model's weights.

    Raises:
        ValueError: no items, or as `in_pieces`, or the pieces do not fit together.
    """
    if not len(items):
        raise ValueError(f"{path.name}: no items; give at least one text or pair")
    waiting = path.with_name(f"{path.name}.pieces")
    _begin(waiting, facts={"made_by": made_by, "items": digest(items), "piece": piece, "n_items": len(items)})
    files = []
    for start in range(0, len(items), piece):
        files.append(waiting / f"{start:012d}.npy")
        some = items[start : start + piece]
        if not _is_whole(files[-1], n_rows=len(some)):
            (result,) = in_pieces(some, function, piece=piece)
            with disk.whole_file(files[-1]) as new:
                np.save(new, result)
    _join(files, path=path, n_items=len(items))
    shutil.rmtree(waiting)
    return np.load(path, mmap_mode="r")


def digest(items: Sequence[Item]) -> str:
    """The identity of texts or pairs and their order, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for item in items:
        found.update(json.dumps(item).encode() + b"\n")
    return found.hexdigest()[:16]


def _result(some: Sequence[Item], function: Callable[[Sequence[Item]], np.ndarray], *, start: int) -> np.ndarray:
    result = np.asarray(function(some))
    if result.ndim == 0 or len(result) != len(some):
        raise ValueError(f"items {start} to {start + len(some)}: the function gave {result.shape}, not a row an item")
    if result.dtype.kind == "f" and not np.isfinite(result).all():
        place = start + int(np.argwhere(~np.isfinite(result))[0][0])
        raise ValueError(f"item {place}: the function gave a number that is not finite; look at that item alone")
    return result


def _begin(waiting: Path, *, facts: dict) -> None:
    """The folder of the pieces, emptied when it is of other work."""
    if disk.read_object(waiting / FACTS) != facts:
        shutil.rmtree(waiting, ignore_errors=True)
        waiting.mkdir(parents=True)
        disk.write_whole(waiting / FACTS, disk.json_text(facts))


def _is_whole(path: Path, *, n_rows: int) -> bool:
    try:
        return len(np.load(path)) == n_rows
    except (OSError, ValueError, EOFError):
        return False


def _join(files: Sequence[Path], *, path: Path, n_items: int) -> None:
    """All pieces as one file, of which no more than a piece is in memory at a time."""
    first = np.load(files[0], mmap_mode="r")
    with disk.whole_file(path) as new:
        whole = np.lib.format.open_memmap(new, mode="w+", dtype=first.dtype, shape=(n_items, *first.shape[1:]))
        start = 0
        for file in files:
            rows = np.load(file, mmap_mode="r")
            if (rows.dtype, rows.shape[1:]) != (first.dtype, first.shape[1:]):
                raise ValueError(f"{path.name}: pieces of {first.shape[1:]} and {rows.shape[1:]} do not fit together")
            whole[start : start + len(rows)] = rows
            start += len(rows)
        whole.flush()
        del whole
