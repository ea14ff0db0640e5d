"""An update that holds only what changed between two bundles: of arrays their rows, of JSON and CSV files their lines.

Rows are found again by their bytes wherever they moved to, so that nothing has to be known of what they mean, and a
product that vanished costs nothing. What comes out is the new bundle bit for bit: its manifest says whether it is.
The idea is rsync's, with rows in the place of blocks.

Source: Tridgell, Mackerras, "The rsync algorithm", Australian National University TR-CS-96-05, 1996,
https://rsync.samba.org/tech_report/
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils import disk
from utils.edge import manifest
from utils.edge.manifest import NAME, Refused

FORMAT = "rank-for-less delta 1"
FACTS = "delta.json"
IN_LINES = (".json", ".csv", ".txt")
LEAST_RUN = 32  # bytes that are worth being copied from the old file; naming a place costs some 10
Step = list[int]  # [start, end] of bytes in the old file, or [n] for the next n bytes of what is new


def make(old: Path, new: Path, *, folder: Path) -> int:
    """Write what leads from one bundle to another into `folder`, whole or not at all; the bytes of it.

    Raises:
        Refused: one of them is damaged.
    """
    before, after = manifest.verify(old), manifest.verify(new)
    steps: dict[str, list[Step] | str] = {}
    with disk.whole_folder(folder) as made:
        for number, (name, file) in enumerate(after.files.items()):
            source = next((one for one, of in before.files.items() if of == file), None)
            if source is not None:
                steps[name] = source
                continue
            data = (old / name).read_bytes() if name in before.files else b""
            steps[name], fresh = _compare(data, (new / name).read_bytes(), name=name)
            (made / f"{number}.new").write_bytes(zlib.compress(fresh, 9))
        disk.write_whole(made / NAME, manifest.text_of(after))
        facts = {"format": FORMAT, "from": manifest.digest(old), "steps": steps}
        disk.write_whole(made / FACTS, disk.json_text(facts))
    return n_bytes(folder)


def apply(old: Path, delta: Path, *, folder: Path) -> Path:
    """The new bundle, made from the old one and a delta, whole or not at all.

    Raises:
        Refused: the delta is damaged or leads from another bundle, or what comes out is not the new bundle.
    """
    facts = disk.read_object(delta / FACTS)
    if facts.get("format") != FORMAT:
        raise Refused(f"{delta.name}: {FACTS} is missing, damaged, or not of format '{FORMAT}'; {manifest.AGAIN}")
    if facts.get("from") != manifest.digest(old):
        raise Refused(f"{delta.name}: it leads from another bundle than the installed one; fetch the whole bundle")
    after = manifest.read(delta)
    try:
        with disk.whole_folder(folder) as made:
            for number, name in enumerate(after.files):
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_bytes(_rebuild(old, delta, steps=facts["steps"][name], number=number, name=name))
            disk.write_whole(made / NAME, (delta / NAME).read_text(encoding="utf-8"))
            manifest.verify(made)
    except (OSError, KeyError, TypeError, zlib.error) as error:
        raise Refused(f"{delta.name}: it is cut short or damaged ({error}); {manifest.AGAIN}") from None
    return folder


def n_bytes(folder: Path) -> int:
    """Of all files in a folder: what is sent when it is."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _rebuild(old: Path, delta: Path, *, steps: list[Step] | str, number: int, name: str) -> bytes:
    if isinstance(steps, str):
        return (old / steps).read_bytes()
    data = (old / name).read_bytes() if (old / name).is_file() else b""
    fresh, place, parts = zlib.decompress((delta / f"{number}.new").read_bytes()), 0, []
    for step in steps:
        if len(step) == 2:
            parts.append(data[step[0] : step[1]])
        else:
            parts.append(fresh[place : place + step[0]])
            place += step[0]
    return b"".join(parts)


def _compare(before: bytes, after: bytes, *, name: str) -> tuple[list[Step], bytes]:
    """The steps that make `after`, and the bytes that `before` does not have."""
    known: dict[bytes, int] = {}
    for record, start in _placed(_records(before, name=name)):
        known.setdefault(record, start)
    steps: list[Step] = []
    for record in _records(after, name=name):
        place = _place(record, known=known, before=before, last=steps[-1] if steps else None)
        _extend(steps, place=place, length=len(record))
    return _without_short_runs(steps, after=after)


def _place(record: bytes, *, known: dict[bytes, int], before: bytes, last: Step | None) -> int | None:
    """Where the old file has a record: right after the one before it if it can be, so that runs are long."""
    if last is not None and len(last) == 2 and before[last[1] : last[1] + len(record)] == record:
        return last[1]
    return known.get(record)


def _extend(steps: list[Step], *, place: int | None, length: int) -> None:
    last = steps[-1] if steps else []
    if place is None and len(last) == 1:
        last[0] += length
    elif place is not None and len(last) == 2 and last[1] == place:
        last[1] += length
    else:
        steps.append([length] if place is None else [place, place + length])


def _without_short_runs(steps: Sequence[Step], *, after: bytes) -> tuple[list[Step], bytes]:
    """Short runs are sent as new bytes, for to name their place would cost more."""
    kept: list[Step] = []
    fresh, start = [], 0
    for step in steps:
        length = step[0] if len(step) == 1 else step[1] - step[0]
        is_new = len(step) == 1 or length < LEAST_RUN
        if is_new:
            fresh.append(after[start : start + length])
            _extend(kept, place=None, length=length)
        else:
            kept.append(list(step))
        start += length
    return kept, b"".join(fresh)


def _records(data: bytes, *, name: str) -> list[bytes]:
    """The parts of a file that may stay the same while others change: rows, lines, or all of it."""
    suffix = Path(name).suffix
    if suffix in IN_LINES:
        return data.splitlines(keepends=True)
    if suffix != ".npy" or not data:
        return [data] if data else []
    head, row = _layout(data)
    return [data[:head], *(data[start : start + row] for start in range(head, len(data), row))]


def _layout(data: bytes) -> tuple[int, int]:
    """Of a `.npy` file: the bytes of its header, and of one row."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    return file.tell(), max(1, int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize)


def _placed(records: Sequence[bytes]) -> list[tuple[bytes, int]]:
    places, start = [], 0
    for record in records:
        places.append((record, start))
        start += len(record)
    return places
