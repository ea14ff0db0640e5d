"""Stages on disk: a model folder and its `stage.json`, which says what made it and what each of its files must be.

A stage appears whole or not at all, and is checked before another notebook builds on it. The model card is no part of
the check: it is written later, from the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from utils import disk

FORMAT = 1  # of stage.json and the folder's layout; raise it when older folders can no longer be read
MANIFEST = "stage.json"


@contextmanager
def whole(folder: Path, *, notebook: str, facts: Mapping[str, str | None] | None = None) -> Iterator[Path]:
    """A folder to fill with a stage's files; at the end it gets its `stage.json` and takes its place, whole.

    Args:
        facts: further entries, read at the end, so that some may be found out on the way.
    """
    with disk.whole_folder(folder) as partial:
        yield partial
        files = {str(path.relative_to(partial)): disk.sha256(path) for path in _files(partial)}
        manifest = {"format": FORMAT, "stage": folder.name, "notebook": notebook} | dict(facts or {}) | {"files": files}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def manifest(folder: Path) -> dict:
    """What `stage.json` says.

    Raises:
        ValueError: it is missing, cannot be read, or is of another format.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        version, whole = found["format"], {"stage", "notebook", "files"} <= found.keys()
    except FileNotFoundError:
        raise ValueError(f"{MANIFEST} is missing") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        version, whole = None, False
    if not whole:
        raise ValueError(f"{MANIFEST} is not one of this course's, or damaged")
    if version != FORMAT:
        raise ValueError(f"it was made by another version of the course (format {version}, here {FORMAT})")
    return found


def problem(folder: Path) -> str:
    """What is wrong with a stage, in words; empty when every file is the one that was written."""
    try:
        files = manifest(folder)["files"]
    except ValueError as error:
        return str(error)
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if disk.sha256(path) != digest:
            return f"{name} is damaged: it is not the file that was written"
    return ""


def require(folder: Path, *, command: str) -> Path:
    """The folder, when the stage in it is whole.

    Raises:
        FileNotFoundError: there is no such stage; the message holds the command that makes it.
        ValueError: it cannot be used; names the file, and the command that makes it again.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"stage '{folder.name}' is missing; make it with: {command}")
    if found := problem(folder):
        raise ValueError(f"stage '{folder.name}' cannot be used: {found}; make it again with: {command}")
    return folder


def hashes(run_folder: Path) -> dict[str, str]:
    """The hash of every stage's stage.json, which holds those of its files, by the stage's name."""
    found = (path for path in sorted(run_folder.glob(f"*/{MANIFEST}")) if not path.parent.name.startswith("."))
    return {path.parent.name: digest(path.parent) for path in found}


def digest(folder: Path) -> str:
    """The hash of a stage's stage.json, which holds those of its files."""
    return disk.sha256(folder / MANIFEST)


def made_by(run_folder: Path, *, notebook: str) -> list[str]:
    """The names of the stages that a notebook made."""
    return [name for name in hashes(run_folder) if _maker(run_folder / name) == notebook]


def _maker(folder: Path) -> str | None:
    try:
        return manifest(folder)["notebook"]
    except ValueError:
        return None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
