"""What decides the outcome of a notebook, as one hash: its code cells, its parameters, the modules of ours that they
reach, the locked requirements and the stages it builds on. Imports are read with `ast`; nothing is executed, so a
module named only in a string is not seen.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from nbformat import NotebookNode

import utils
from utils import disk, settings
from utils.data import identity

PACKAGE = Path(utils.__file__).resolve().parent


def fingerprint(nb: NotebookNode, *, parameters: Mapping[str, object], upstream: Mapping[str, str]) -> str:
    """Hash of all that decides what the notebook gives; `upstream` maps a stage (or the data) to its hash."""
    lock = settings.ROOT / "requirements.txt"
    parts = {
        "cells": cells_hash(nb),
        "parameters": dict(parameters),
        "modules": {str(path.relative_to(PACKAGE)): disk.sha256(path) for path in modules(nb)},
        "requirements": disk.sha256(lock) if lock.exists() else "",
        "upstream": dict(upstream),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def cells_hash(nb: NotebookNode) -> str:
    """sha256 of the code cells in order; prose, outputs and a cell of injected parameters do not count."""
    return hashlib.sha256(json.dumps(_sources(nb)).encode()).hexdigest()


def data_hashes(dataset: str) -> dict[str, str]:
    """Hashes of the files of a data set; none for the embedded shop, whose code is among the modules.

    Raises:
        ValueError: there is no such folder, or the public set has not been fetched.
    """
    return {f"data {name}": digest for name, digest in identity.file_hashes(dataset).items()}


def recorded_hashes(nb: NotebookNode, *, dataset: str) -> dict[str, str]:
    """Hashes of the recorded results that the notebook may show; none where it does not reach them."""
    name, readers = f"{settings.dataset_name(dataset)}-*.json", modules(nb)
    places = {"recorded.py": settings.RESULTS, "recorded_grid.py": settings.RESULTS / "grid"}
    folders = [folder for reader, folder in places.items() if PACKAGE / "course" / "records" / reader in readers]
    files = sorted(path for folder in folders for path in folder.glob(name))
    return {f"recorded {path.relative_to(settings.RESULTS)}": disk.sha256(path) for path in files}


def modules(nb: NotebookNode) -> set[Path]:
    """Files of `utils` that the notebook reaches by imports, those inside functions included."""
    return reached(*map(plain, _sources(nb)))


def code_of(name: str) -> str:
    """One hash of a module of ours, by its dotted name, with all that it reaches, and of the lock."""
    files = sorted(reached(f"import {name}"))
    lock = settings.ROOT / "requirements.txt"
    digests = [disk.sha256(path) for path in [*files, *([lock] if lock.exists() else [])]]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def reached(*sources: str) -> set[Path]:
    """Files of `utils` that Python sources reach by imports, those inside functions included."""
    found: set[Path] = set()
    waiting = [path for source in sources for path in _imported_files(source, package="")]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            package = ".".join(("utils", *path.relative_to(PACKAGE).parent.parts))
            waiting.extend(_imported_files(path.read_text(encoding="utf-8"), package=package))
    return found


def _sources(nb: NotebookNode) -> list[str]:
    code = (cell for cell in nb.cells if cell.cell_type == "code")
    return [cell.source for cell in code if "injected-parameters" not in cell.metadata.get("tags", [])]


def plain(source: str) -> str:
    """The cell with IPython's own syntax (%magic, !command) turned into Python."""
    from IPython.core.inputtransformer2 import TransformerManager

    with contextlib.suppress(SyntaxError):
        return TransformerManager().transform_cell(source)
    return source


def _imported_files(source: str, *, package: str) -> Iterator[Path]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # the run will say so, naming the cell
        return
    for name in _imported_names(tree, package=package):
        yield from _files_of(name)


def _imported_names(tree: ast.Module, *, package: str) -> Iterator[str]:
    """Dotted names; `from a.b import c` gives `a.b.c`, of which `c` may be a module or a thing in `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def _files_of(name: str) -> Iterator[Path]:
    """The files that importing `name` runs: every package on the way down, then the module."""
    first, *rest = name.split(".")
    if first != "utils":
        return
    folder = PACKAGE
    yield folder / "__init__.py"
    for part in rest:
        if (folder / f"{part}.py").exists():
            yield folder / f"{part}.py"
            return
        folder = folder / part
        if not (folder / "__init__.py").exists():
            return
        yield folder / "__init__.py"
