"""Putting back what an editor changes in a notebook without being asked: outputs and execution counts of cells that
were only run again, metadata, an empty last cell, the layout of the file.

What somebody wrote stays: prose, code, tags, the stages a notebook needs. Code that is new or changed has no outputs
until it is published. Outputs that `authoring.publish` has just written bear its stamp and stay.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from authoring import committed_form
from utils import disk

MINOR = 5  # of the notebook format; the first in which cells have ids
HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")  # set by git for a hook; they hide where a file lies in its tree


def tidy(path: Path, *, committed: str | None) -> bool:
    """Restore a notebook's committed form; returns whether the file changed. A tidy file is not written.

    Args:
        committed: text of the version in git; None when git has none.

    Raises:
        ValueError: the file is no notebook, or no JSON at all; names the line.
    """
    found = path.read_bytes()
    nb = _parse(found, place=str(path))
    while nb.cells and nb.cells[-1].cell_type == "code" and not nb.cells[-1].source.strip():
        nb.cells.pop()
    before = _before(committed)
    _restore_ids(nb, before=before)
    if not committed_form.is_published(nb):
        _restore_outputs(nb, before=before)
    text = committed_form.text(nb)
    if text.encode() == found:
        return False
    disk.write_whole(path, text)
    return True


def committed(path: Path) -> str | None:
    """The text of the file in git's last commit; None when it is not there.

    Raises:
        ValueError: git cannot say, so that nothing may be taken for new; with git's own words.
    """
    if not _git(path, "rev-list", "--all", "--max-count=1"):
        return None  # nothing is committed yet
    listed = _git(path, "ls-tree", "HEAD", "--", f"./{path.name}")
    return _git(path, "show", f"HEAD:./{path.name}") if listed else None


def _git(path: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in HOOK}
    command = ["git", "-C", str(path.absolute().parent), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise ValueError(f"{path}: git does not say what is committed ({done.stderr.strip()}); run: git status")
    return done.stdout


def _parse(data: bytes, *, place: str) -> NotebookNode:
    """The notebook in today's form of the format, each cell with an id."""
    remedy = f"correct it there, or take back what is committed: git restore {place}"
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{place} line {line}: a character is not UTF-8; {remedy}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{place} line {error.lineno}: this is not JSON ({error.msg}); {remedy}") from error
    if not isinstance(found, dict) or found.get("nbformat") != 4:
        raise ValueError(f"{place} line 1: this is not a notebook of format 4; {remedy}")
    found["nbformat_minor"] = MINOR
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a cell without an id, which is given one here
            _, nb = nbformat.validator.normalize(nbformat.v4.to_notebook(found))
        nbformat.validate(nb)
    except (nbformat.ValidationError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{place} line 1: this is not a notebook ({str(error).splitlines()[0]}); {remedy}") from error
    return nb


def _before(committed: str | None) -> NotebookNode:
    """The committed notebook; an empty one where there is none, or none that can be read and so restored from."""
    with contextlib.suppress(ValueError):
        return _parse((committed or "").encode(), place="HEAD")
    return nbformat.v4.new_notebook()


def _restore_ids(nb: NotebookNode, *, before: NotebookNode) -> None:
    taken = {cell.id for cell in nb.cells}
    for cell, old in _unchanged(nb, before=before):
        if old.id not in taken:
            cell.id = old.id


def _restore_outputs(nb: NotebookNode, *, before: NotebookNode) -> None:
    """Give code the outputs it had in `before`, or none, and the whole what publishing wrote there of the stamp."""
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    for cell, old in _unchanged(nb, before=before):
        if cell.cell_type == "code":
            cell.update(outputs=old.outputs, execution_count=old.execution_count)
    stamp, old_stamp = (each.metadata.get(committed_form.STAMP, {}) for each in (nb, before))
    own = {key: value for key, value in (stamp or old_stamp).items() if key not in committed_form.PUBLISHED}
    nb.metadata[committed_form.STAMP] = own | {
        key: old_stamp[key] for key in committed_form.PUBLISHED if key in old_stamp
    }


def _unchanged(nb: NotebookNode, *, before: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    """The cells whose kind and source are in both, in order, each with its old self.

    The kinds are matched apart, so that moved prose never costs code its outputs.
    """
    for kind in ("code", "markdown", "raw"):
        new, old = ([cell for cell in each.cells if cell.cell_type == kind] for each in (nb, before))
        sources = ([cell.source for cell in cells] for cells in (new, old))
        for i, j, size in SequenceMatcher(None, *sources, autojunk=False).get_matching_blocks():
            yield from zip(new[i : i + size], old[j : j + size], strict=True)
