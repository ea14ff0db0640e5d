"""The plans for a room: their minutes are those of the notebooks and labs, and add up; every lab is told of."""

import re

import nbformat

from authoring import prose, reading
from utils import settings
from utils.course.labs import checks

PAGE = settings.ROOT / "labs" / "INSTRUCTOR.md"


def plans():
    """Of every plan its rows: (minutes, words, where its link leads)."""
    found, row = [], []
    for block in prose.blocks(PAGE.read_text(encoding="utf-8")):
        if block.tag == "th" and block.text == "minutes":
            found.append([])
        if block.tag in ("th", "td") and found and len(row) == 0 and re.fullmatch(r"\d+", block.text):
            row.append(block)
        elif row:
            found[-1].append((int(row[0].text), block.text, (PAGE.parent / block.links[0]) if block.links else None))
            row = []
    return found


def minutes_of(path):
    table = reading.said(nbformat.read(path, as_version=4))
    return int(table.get(reading.READ) or table["minutes"])


def test_every_row_has_the_minutes_of_what_it_names_and_a_plan_adds_up():
    for plan in plans():
        *rows, (total, words, _) = plan
        assert words == "in all" and total == sum(minutes for minutes, _, _ in rows), rows[0]
        for minutes, words, path in rows:
            assert path is None or minutes == minutes_of(path), words


def test_there_are_three_plans_and_the_longest_has_every_notebook_and_lab():
    half, day, *days = ({path.stem for *_, path in plan if path} for plan in plans())
    longest = set().union(*days)
    assert len(days) == 4 and half < day < longest
    notebooks = {path.stem for path in settings.NOTEBOOKS.glob("*.ipynb")}
    assert longest == notebooks | set(checks.labs())


def test_every_lab_has_a_place_where_people_get_stuck():
    cells = [block.text for block in prose.blocks(PAGE.read_text(encoding="utf-8")) if block.tag == "td"]
    assert {cell[:2] for cell in cells if re.match(r"\d\d, ", cell)} == {lab[-2:] for lab in checks.labs()}
