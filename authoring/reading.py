"""How many minutes a notebook takes: to read, by what stands in it, and to run, by the run that published it.

A notebook's first table says both, and README.md's list says them again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from nbformat import NotebookNode

from authoring import prose
from utils.course.execution import STAMP

READ, RUN = "minutes to read", "minutes to run on 2 cores"
WORDS_A_MINUTE = 150  # of technical prose, for one whose second language is English
SECONDS_A_LINE = 3  # of code
SECONDS_AN_OUTPUT = 15  # a table, a picture, some lines
MOST_CELLS, MOST_WORDS, MOST_MINUTES = 45, 1_800, 35  # of a notebook in the reading order
SLACK = 1.25  # between what is said and what was run, either way: machines of one kind differ


def n_words(nb: NotebookNode) -> int:
    """Words of the prose; the list of papers is not read."""
    blocks = [block for cell in nb.cells if cell.cell_type == "markdown" for block in prose.blocks(cell.source)]
    return sum(len(block.text.split()) for block in blocks if not block.is_reference)


def minutes_to_read(nb: NotebookNode) -> int:
    """Of prose, code and outputs, rounded up."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    n_lines = sum(len(cell.source.splitlines()) for cell in code)
    n_outputs = sum(bool(cell.outputs) for cell in code)
    return math.ceil(n_words(nb) / WORDS_A_MINUTE + (n_lines * SECONDS_A_LINE + n_outputs * SECONDS_AN_OUTPUT) / 60)


def said(nb: NotebookNode) -> dict[str, str]:
    """The cells of the notebook's first table by their headers."""
    found = prose.blocks(nb.cells[0].source) if nb.cells else []
    texts = {tag: [block.text for block in found if block.tag == tag] for tag in ("th", "td")}
    return dict(zip(texts["th"], texts["td"], strict=False))


def problems(nb: NotebookNode) -> Iterator[tuple[int, str]]:
    """What the first table says wrong of the minutes, each with its cell."""
    table = said(nb)
    for column in (READ, RUN):
        if not table.get(column, "").isdecimal():
            yield 0, f"no table says how many minutes it takes; add the column '{column}' with a whole number"
            return
    if abs(int(table[READ]) - (minutes := minutes_to_read(nb))) > 1:
        yield 0, f"says {table[READ]} {READ}, but its text, code and outputs take {minutes}; write {minutes}"
    seconds = nb.metadata.get(STAMP, {}).get("seconds")
    if seconds is not None and not _is_near(int(table[RUN]), minutes=seconds / 60):
        yield 0, f"says {table[RUN]} {RUN}, but the published run took {seconds} s; write {math.ceil(seconds / 60)}"


def size_problems(nb: NotebookNode) -> Iterator[tuple[None, str]]:
    """Where a notebook in the reading order is longer than a reader stays with one."""
    remedy = "move what does not carry the story to notebooks/more/"
    sizes = {"cells": len(nb.cells), "words": n_words(nb), "minutes to read": minutes_to_read(nb)}
    for (what, size), most in zip(sizes.items(), (MOST_CELLS, MOST_WORDS, MOST_MINUTES), strict=True):
        if size > most:
            yield None, f"has {size:,} {what}, more than {most:,}; {remedy}"


def listing_problems(readme: str, *, notebooks: Mapping[str, NotebookNode]) -> Iterator[str]:
    """Where README.md's list says other minutes than the notebooks themselves, which come by their paths in it."""
    for link, row in _rows(readme):
        listed = [row[READ], row[RUN]]
        table = said(notebooks[link]) if link in notebooks else row
        if listed != [table.get(READ), table.get(RUN)]:
            yield (
                f"lists {link} with {' and '.join(listed)} minutes to read and to run; "
                f"the notebook says {table.get(READ)} and {table.get(RUN)}"
            )


def _rows(page: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Of the tables that have both columns every row by header, with where its first link leads."""
    headers: list[str] = []
    row: list[prose.Block] = []
    before = ""
    for block in prose.blocks(page):
        if block.tag == "th":
            headers = [*headers, block.text] if before == "th" else [block.text]
            row = []
        elif block.tag == "td" and {READ, RUN} <= set(headers):
            row.append(block)
            if len(row) == len(headers):
                links = [link for one in row for link in one.links]
                yield (links or [""])[0], dict(zip(headers, (one.text for one in row), strict=True))
                row = []
        before = block.tag


def _is_near(said_minutes: int, *, minutes: float) -> bool:
    return minutes / SLACK <= said_minutes <= math.ceil(minutes * SLACK)
