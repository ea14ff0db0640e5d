"""A search for raw user ids in everything that a run wrote, inside archives, arrays and databases too.

It proves what it finds, and makes the rest likely: an id that is encrypted, or written in a way that is not listed
here, is not seen. Files of a model's numbers are looked through for ids of LONG bytes and more only, for any four bytes
occur somewhere in millions of numbers by chance.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")
NUMBERS = (".safetensors", ".onnx", ".bin", ".ort", ".tflite", ".pte")
LONG = 8
DEEPEST = 4  # archives within archives
WORD = "[0-9A-Za-z_]"  # what stands next to an id makes it a part of another word


@dataclass(frozen=True)
class Found:
    """A raw id, the file that holds it, and the place in that file."""

    user_id: str
    file: str
    place: str


def found_in(folder: Path, ids: Collection[str]) -> list[Found]:
    """Every raw id in the files under a folder and in their names, with the first place of it in each file.

    Raises:
        ValueError: no ids, or an empty one.
    """
    if not ids or not all(ids):
        raise ValueError("no ids to look for, or an empty one; give the user ids of events.csv")
    found: dict[tuple[str, str], str] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        wanted = [one for one in ids if len(one.encode()) >= LONG or not _holds_numbers(path)]
        places = [*_in_bytes(name.encode(), ids, place="its name, ")]
        places += [*_in_file(path, wanted)] if wanted else []
        for user_id, place in places:
            found.setdefault((user_id, name), place)
    return [Found(user_id, name, place) for (user_id, name), place in found.items()]


def _holds_numbers(path: Path) -> bool:
    if path.suffix != ".npy":
        return path.suffix in NUMBERS
    try:
        return np.load(path, mmap_mode="r").dtype.kind in "biufc"
    except (OSError, ValueError, EOFError):
        return False


def _in_file(path: Path, ids: Collection[str]) -> Iterator[tuple[str, str]]:
    data = path.read_bytes()
    if data.startswith(b"SQLite format 3\0"):
        yield from _in_database(path, ids)
    yield from _in_content(data, ids, place="", depth=0)


def _in_content(data: bytes, ids: Collection[str], *, place: str, depth: int) -> Iterator[tuple[str, str]]:
    yield from _in_bytes(data, ids, place=place)
    if depth == DEEPEST:
        return
    for name, inner in _parts(data):
        yield from _in_content(inner, ids, place=f"{place}{name}", depth=depth + 1)


def _parts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is packed into these bytes, with a name; nothing where they are no archive or table, or a damaged one."""
    try:
        if data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from ((f"{name}: ", archive.read(name)) for name in archive.namelist())
        elif data.startswith(b"\x1f\x8b"):
            yield "unpacked, ", gzip.decompress(data)
        elif data.startswith(b"\x93NUMPY"):
            array = np.load(io.BytesIO(data), allow_pickle=False)
            if array.dtype.kind in "US":
                yield "array, ", "\n".join(map(str, array.ravel().tolist())).encode()
        elif data.startswith(b"PAR1"):
            import pyarrow.parquet

            yield from _columns(pyarrow.parquet.read_table(io.BytesIO(data)))
        elif data.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
            is_file = data.startswith(b"ARROW1")
            yield from _columns((pa.ipc.open_file if is_file else pa.ipc.open_stream)(data).read_all())
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, RuntimeError):
        return


def _columns(table: pa.Table) -> Iterator[tuple[str, bytes]]:
    for name in table.column_names:
        column = table[name]
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            yield f"column {name}, ", "\n".join(map(str, column.to_pylist())).encode()


def _in_database(path: Path, ids: Collection[str]) -> Iterator[tuple[str, str]]:
    """In the cells of an SQLite file, which lie in it without anything between them."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            quoted = table.replace('"', '""')
            for row, cells in enumerate(connection.execute(f'SELECT * FROM "{quoted}"'), start=1):
                for cell in cells:
                    data = cell if isinstance(cell, bytes) else str(cell).encode()
                    yield from _in_content(data, ids, place=f"table {table}, row {row}, ", depth=1)
    except sqlite3.Error:  # damaged: its bytes are looked through all the same
        return
    finally:
        connection.close()


def _in_bytes(data: bytes, ids: Collection[str], *, place: str) -> Iterator[tuple[str, str]]:
    for encoding in ENCODINGS:
        if encoding != "utf-8" and b"\0" not in data:
            continue
        written = {form.encode(encoding): user_id for user_id in ids for form in {user_id, json.dumps(user_id)[1:-1]}}
        before, after = _edges(encoding)
        inner = b"|".join(map(re.escape, sorted(written, key=len, reverse=True)))
        for match in re.finditer(b"".join((before, b"(", inner, b")", after)), data):
            yield written[match[1]], f"{place}{encoding}, byte {match.start()}"


def _edges(encoding: str) -> tuple[bytes, bytes]:
    """What must not stand before and after an id: a letter or digit in this encoding."""
    word, width = WORD.encode(), len("a".encode(encoding)) - 1
    letter = b"\0" * width + word if encoding.endswith("be") else word + b"\0" * width
    return b"(?<!" + letter + b")", b"(?!" + letter + b")"
