"""The form of a committed notebook: the metadata it keeps, and the stamp that says its outputs are published ones.

`publish` writes this form and `tidy` restores it. Which outputs a notebook should have is for them to say.
"""

from __future__ import annotations

import hashlib
import json

import nbformat
from nbformat import NotebookNode

from utils import freshness
from utils.course.execution import STAMP

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
KEPT = ("tags", STAMP)  # metadata of a cell: its tags, and what makes a box of it
PUBLISHED = ("cells", "outputs")  # the keys of the stamp that publishing writes; `needs` and others are the author's


def text(nb: NotebookNode) -> str:
    """The text of the file, in nbformat's own layout; metadata that is not committed is cut from `nb`."""
    own = {STAMP: nb.metadata[STAMP]} if nb.metadata.get(STAMP) else {}
    nb.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE} | own)
    for cell in nb.cells:
        cell.metadata = nbformat.from_dict({key: value for key, value in cell.metadata.items() if key in KEPT})
    return nbformat.writes(nb) + "\n"


def stamp(nb: NotebookNode, *, seconds: float | None = None) -> None:
    """Say in the metadata that the outputs of `nb` are those of its cells, and how long they took, where that is known.

    Seconds are whole ones.
    """
    took = {} if seconds is None else {"seconds": round(seconds)}
    nb.metadata[STAMP] = dict(nb.metadata.get(STAMP, {})) | _state(nb) | took


def is_published(nb: NotebookNode) -> bool:
    """Whether cells and outputs are still those that were stamped; a stamp without outputs does not count."""
    found = nb.metadata.get(STAMP, {})
    return {key: found.get(key) for key in PUBLISHED} == _state(nb)


def _state(nb: NotebookNode) -> dict[str, str]:
    made = [(cell.execution_count, cell.outputs) for cell in nb.cells if cell.cell_type == "code"]
    outputs = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
    return {"cells": freshness.of_cells(nb), "outputs": outputs}
