"""Reading the layout's CSV files: every row with the line it begins on, and a plain word for a file that is not CSV.

What the values mean is judged in `checks`, what the columns are called in `columns`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from utils.data import columns
from utils.data.errors import DataError, trimmed

TRIMMED = frozenset(
    ("query_id", "product_id", "split", "kind", "label", "time", "user_id", "event", "position")
)  # columns whose values are read without spaces and invisible characters at their ends

Row = dict[str, str | int]  # the values of a row by column, and `line`, the line it begins on, counted from 1
Tables = dict[str, list[Row]]  # the rows of each file


def read_files(folder: Path) -> Tables:
    """Rows of the three files, and of events.csv when there is one.

    Raises:
        DataError: a file is missing, or nearly called events.csv; it is not CSV in UTF-8; its header is not the
            layout's.
    """
    if not folder.is_dir():
        needed = ", ".join(file for file in columns.REQUIRED if file != "events.csv")
        raise DataError(f"{folder}: no such folder; give 'synthetic' or a folder with {needed}")
    has_events = (folder / "events.csv").exists()
    if not has_events:
        _refuse_near_events(folder)
    return {file: read_csv(folder / file) for file in columns.REQUIRED if file != "events.csv" or has_events}


def read_csv(path: Path) -> list[Row]:
    """Rows of one file as text; names of columns as `columns.named` gives them."""
    lines = _rows(_text(path), file=path.name)
    line, header = next(lines, (1, []))
    names = columns.named(header, file=path.name, line=line)
    rows = []
    for line, values in lines:
        if len(values) != len(names):
            raise DataError(f"{path.name} line {line}: not {len(names)} values; quote texts that hold commas")
        rows.append({name: _value(name, value) for name, value in zip(names, values, strict=True)} | {"line": line})
    return rows


def _refuse_near_events(folder: Path) -> None:
    others = sorted(path.name for path in folder.glob("*") if path.name not in columns.REQUIRED)
    for name in others:
        if name.lower() == "events.csv" or columns.near(name.lower(), ["events.csv"]):
            raise DataError(f"{name}: is 'events.csv' meant? call it that, or move it elsewhere; it would not be read")


def _text(path: Path) -> str:
    if not path.is_file():
        needed = ", ".join(columns.REQUIRED[path.name])
        raise DataError(f"{path.name}: not found in {path.parent}; it needs the columns {needed}")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = data[: error.start].count(b"\n") + 1, data[error.start]
        raise DataError(f"{path.name} line {line}: byte {byte:#04x} is not UTF-8; save the file as UTF-8") from None


def _rows(text: str, *, file: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        first = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{file} {_explained(str(error), first=first, last=reader.line_num)}") from None
        if values is None:
            return
        if values:
            yield first, values


def _explained(error: str, *, first: int, last: int) -> str:
    """What the csv library says of a row that begins on line `first`, in plain words; `last` is the line it read."""
    if "field limit" in error:
        limit = f"{csv.field_size_limit():,}"
        return f"line {first}: a value is longer than {limit} characters; shorten it, or close its quotation mark"
    if "unexpected end" in error:
        return f"line {first}: a quotation mark opens a value that never ends; close it, or leave the mark out"
    if "expected after" in error:
        begun = f", or close the one that opens on line {first}" if first < last else ""
        return f"line {last}: text follows a closing quotation mark; write a mark inside a quoted text twice{begun}"
    return f"line {last}: {error}; check the quotation marks"


def _value(name: str, value: str) -> str:
    if name not in TRIMMED:
        return value
    return trimmed(value).lower() if name == "split" else trimmed(value)
