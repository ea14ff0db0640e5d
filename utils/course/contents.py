"""The map of the course: which notebooks there are and what each promises, read from the notebooks themselves."""

from __future__ import annotations

import re

import nbformat
import pandas as pd

from utils.course import runner

PROMISE = re.compile(r"\*\*Promise:\*\* ([^\n]+)")


def table() -> pd.DataFrame:
    """A line for each notebook of the reading order: its number and title, and its promise."""
    lines = []
    for path in runner.notebooks():
        text = nbformat.read(path, as_version=4).cells[0].source
        title = text.partition("\n")[0].removeprefix("# ")
        promise = PROMISE.search(text)
        lines.append({"notebook": title, "when you have worked through it": promise[1] if promise else ""})
    return pd.DataFrame(lines).set_index("notebook")
