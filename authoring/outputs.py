"""What a committed notebook must not show: errors, warnings, paths of one machine, widgets, timings, and sheer size."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from utils import settings

WIDGET = "application/vnd.jupyter.widget-view+json"
LARGEST_BYTES = 500_000
LEFT_OVER = {"papermill", "execution", "ExecuteTime", "widgets"}  # written by whatever ran the notebook
PRIVATE = re.compile(
    r"(?<![\w./~}-])/(?:(?:home|Users)/\w|root/|tmp\b|var/folders/)[^\s'\"<>]*"
    r"|\b[A-Za-z]:/+Users\b[^\s'\"<>]*|\bsite-packages\b|\bfile:/+[^\s'\"<>]*"
)
SHARED = {"/", "/usr", "/usr/local"}  # where a system's own Python lies: not private, and in many harmless texts


def output_problems(output: NotebookNode) -> Iterator[str]:
    """What keeps one output of a cell from being committed."""
    if output.output_type == "error":
        yield f"stopped with {output.ename}; correct the cell, then run: make notebooks"
        return
    if output.get("name") == "stderr":
        first = output.text.strip().splitlines()[:1]
        yield f"standard error: {' '.join(first)}; remove its cause, then publish again"
    if WIDGET in output.get("data", {}):
        yield "an output is a widget, which lives only in a running notebook; run: make notebooks, which leaves it out"
    for text in _texts(output):
        if path := private_path(text):
            yield f"an output holds a path of this machine, {path}; print a name instead"
            return


def leftovers(nb: NotebookNode) -> Iterator[tuple[int | None, str]]:
    """Metadata and cells that whatever ran the notebook left behind, each with its cell, or None for the notebook."""
    if "injected-parameters" in (tag for cell in nb.cells for tag in cell.metadata.get("tags", [])):
        yield None, "holds a cell of injected parameters; delete it, the defaults are in the cell tagged 'parameters'"
    whose: list[tuple[int | None, NotebookNode]] = [(None, nb.metadata)]
    for index, cell in enumerate(nb.cells):
        metadata = [cell.metadata, *(output.get("metadata", {}) for output in cell.get("outputs", []))]
        whose += [(index, each) for each in metadata]
    for index, metadata in whose:
        for name in sorted(LEFT_OVER & metadata.keys()):
            yield index, f"metadata '{name}' differs from run to run; delete it"


def size_problems(text: str) -> Iterator[str]:
    """Whether the notebook's file is too large to be read on a web page."""
    if (size := len(text.encode())) > LARGEST_BYTES:
        yield f"the file has {size:,} bytes, more than {LARGEST_BYTES:,}; make its pictures and tables smaller"


def private_path(text: str) -> str:
    """The first path in the text that only this machine, or its user, has; empty when there is none."""
    plain = text.replace("\\", "/")
    own = {Path(path).as_posix() for path in (settings.ROOT, sys.prefix, Path.home())} - SHARED
    for path in sorted(own, key=len, reverse=True):
        if re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w-])", plain):
            return path
    found = PRIVATE.search(plain)
    return found.group() if found else ""


def _texts(output: NotebookNode) -> Iterator[str]:
    """The texts of an output; pictures are left out, in whose letters anything may stand by chance."""
    yield output.get("text", "")
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") or kind.endswith(("json", "xml")):
            yield value if isinstance(value, str) else json.dumps(value)
