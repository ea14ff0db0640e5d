"""Putting the outputs of a default run into the repository's notebooks, without what only holds on one machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from utils import settings
from utils.course import fingerprint as prints
from utils.course import runner

DEFAULTS = {"profile": "laptop", "dataset": "synthetic", "seed": 0}


def publish(*, from_: str | None = None, only: str | None = None, echo: Callable[[str], object] = print) -> list[Path]:
    """Run with the notebooks' own parameters and put the outputs into the masters, all of them or none.

    Raises:
        runner.RunFailed: a cell wrote to standard error, or an output holds a path of this machine.
        ValueError: a notebook's defaults are not those of the command line.
    """
    folder = runner.run(**DEFAULTS, from_=from_, only=only, echo=echo)
    published = {
        path: _published(path, executed=folder / "notebooks" / path.name) for path in runner.notebooks(only, from_)
    }
    for path, nb in published.items():
        partial = path.with_suffix(".partial")
        nbformat.write(nb, partial)
        os.replace(partial, path)
        echo(f"{path.name}: published")
    return list(published)


def _published(path: Path, *, executed: Path) -> nbformat.NotebookNode:
    """The executed copy without papermill's metadata, timings and what else would differ on the next machine."""
    master, nb = nbformat.read(path, as_version=4), nbformat.read(executed, as_version=4)
    if len(nb.cells) != len(master.cells):
        raise ValueError(f"{path.name}: its defaults are not those of the command line ({DEFAULTS}); set them so")
    for index, (cell, own) in enumerate(zip(nb.cells, master.cells, strict=True)):
        for output in cell.get("outputs", []):
            _check_output(output, place=f"{path.name} cell {index}")
            output.get("metadata", {}).pop("papermill", None)
        own.update({key: cell[key] for key in ("outputs", "execution_count") if key in cell})
    master.metadata[runner.STAMP] = dict(master.metadata.get(runner.STAMP, {})) | {"cells": prints.cells_hash(master)}
    return master


def _check_output(output: nbformat.NotebookNode, *, place: str) -> None:
    if output.get("name") == "stderr":
        first = output.text.strip().splitlines()[:1]
        raise runner.RunFailed(f"{place}: standard error: {' '.join(first)}; remove its cause, then publish again")
    for private in (settings.ROOT, Path(sys.prefix), Path.home()):
        if f"{private}/" in json.dumps(output).replace("\\\\", "/"):
            raise runner.RunFailed(f"{place}: an output holds a path of this machine, {private}; print a name instead")
