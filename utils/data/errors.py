"""What is said of data that cannot be used: the file, the line, the value and the remedy, nothing invisible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

import regex

SHOWN = 80  # characters of a value that a message repeats
LINE_END = re.compile(r"\r\n|\r|\n")
BLANK_ENDS = regex.compile(r"^[\s\p{Cf}]+|[\s\p{Cf}]+$")


class DataError(ValueError):
    """Data that cannot be used: the message names the file, the line, the value and the remedy."""


def fail(file: str, row: Mapping, column: str, problem: str) -> NoReturn:
    """Raise DataError for one value of a row."""
    raise DataError(f"{file} line {line_of(row, column)}: {column} '{shown(row[column])}' {problem}")


def line_of(row: Mapping, column: str) -> int:
    """The line that the value begins on: the row's own, and one more for each line end in the values before it."""
    names = list(row)
    before = (str(row[name]) for name in names[: names.index(column)])
    return row["line"] + sum(len(LINE_END.findall(value)) for value in before)


def shown(text: str) -> str:
    """The text as a message repeats it: cut to SHOWN characters, each invisible one as its code, such as \\u200b."""
    cut = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in cut)


def trimmed(text: str) -> str:
    """The text without spaces, byte order marks and zero-width characters at its two ends."""
    stripped = text.strip()
    return stripped if stripped.isascii() else BLANK_ENDS.sub("", stripped)
