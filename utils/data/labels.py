"""Scales of labels: the gain that each label stands for. Names belong to a known scale; numbers make their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from utils.data.csv_files import Row
from utils.data.errors import DataError, fail

NAMED = {
    "ESCI": {"Exact": 100, "Substitute": 10, "Complement": 1, "Irrelevant": 0},
    "ESCI letters": {"E": 100, "S": 10, "C": 1, "I": 0},
    "WANDS": {"Exact": 2, "Partial": 1, "Irrelevant": 0},
}
MOST_DECIMALS = 3
LARGEST_LABEL = 1_000_000
LARGEST_GAIN = 10_000_000  # training works in 32-bit floats, which hold every whole number up to here
BLANKS = ("", "nan", "null", "none", "na", "n/a", "-", "?")  # what a table says where nothing was written
COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass(frozen=True)
class Scale:
    """The gain, a whole number, of every label text; `lowest` is the label that numbers begin with, None of names."""

    gains: dict[str, int]
    lowest: str | None


def label_scale(rows: Sequence[Row]) -> Scale:
    """The scale that all labels of labels.csv belong to.

    Numbers, when most labels are numbers: each counts for what it is above the lowest one, times 1, 10, 100 or 1,000 so
    that all gains are whole. Else the known scale that has most of the names.

    Raises:
        DataError: there is no label, or one that is not of the scale; its line is named.
    """
    counts = Counter(row["label"] for row in rows)
    if not counts:
        raise DataError("labels.csv: no lines; add judged pairs")
    for gains in NAMED.values():
        if set(counts) <= set(gains):
            return Scale(gains, None)
    written = {label: n for label, n in counts.items() if label.lower() not in BLANKS}
    n_numbers = sum(n for label, n in written.items() if _number(label) is not None or COMMA.fullmatch(label))
    if 2 * n_numbers > sum(written.values()):
        return _of_numbers(rows, labels=list(counts))
    gains = max(NAMED.values(), key=lambda names: sum(counts[name] for name in names))
    stray = next(row for row in rows if row["label"] not in gains)
    return fail("labels.csv", stray, "label", f"is not one of {', '.join(gains)}")


def _of_numbers(rows: Sequence[Row], *, labels: Sequence[str]) -> Scale:
    problems = {label: _problem(label) for label in labels}
    for row in rows:
        if problems[row["label"]]:
            fail("labels.csv", row, "label", problems[row["label"]])
    numbers = {label: _number(label) for label in labels}
    factor = 10 ** max(map(_n_decimals, numbers.values()))
    lowest = min(numbers, key=numbers.get)
    gains = {label: int((number - numbers[lowest]) * factor) for label, number in numbers.items()}
    for row in rows:
        if gains[row["label"]] > LARGEST_GAIN:
            beside = f"is too large beside labels that are told apart by 1/{factor:,}"
            fail("labels.csv", row, "label", f"{beside}; round those, or divide all labels by a number")
    return Scale(gains, lowest)


def _problem(label: str) -> str:
    """Why a label cannot stand among numbers, and the remedy; '' when it can."""
    number = _number(label)
    if label.lower() in BLANKS:
        return "is not a number like the others; write one, or leave the line out if nobody judged the pair"
    if number is None and COMMA.fullmatch(label):
        return f"has a comma; write it with a point, as {label.replace(',', '.')}"
    if number is None:
        return "is not a number like the others; use one scale"
    if not 0 <= number <= LARGEST_LABEL:
        return f"is below 0 or above {LARGEST_LABEL:,}; use 0 for irrelevant"
    if _n_decimals(number) > MOST_DECIMALS:
        return f"has more than three decimals; round it to {round(number, MOST_DECIMALS)}"
    return ""


def _number(label: str) -> Decimal | None:
    """The number a label says, None when it says none; what lies beyond 9 decimals is a float's error."""
    try:
        number = Decimal(label)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return round(number, 9) if abs(number) <= LARGEST_LABEL else number


def _n_decimals(number: Decimal) -> int:
    return max(0, -number.normalize().as_tuple().exponent)
