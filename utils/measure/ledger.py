"""The ledger: one checked row for every model or way of running one, in `ledger.jsonl`.

A row is a line of groups (`row_groups`). Rows are appended whole; which row of a variant counts is decided here too.
"""

from __future__ import annotations

import errno
import os
import subprocess
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from utils import disk, settings
from utils.measure.row_groups import Row

CUT = b" #cut short"  # ends a half line left by a crash, so that damage elsewhere stays an error
CODE = ("utils", "notebooks", "data/recipes", "requirements.txt")  # what a run is made by
PACKAGES = ("torch", "transformers", "nncf", "optimum", "numpy")  # beside those of the engines


def append(path: Path, *rows: Row) -> None:
    """Add rows at the end, whole: one write, then flushed to the disk. A half line left by a crash is marked first.

    Raises:
        OSError: the disk took only a part of the rows; `read` passes over what is not a whole row.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(row.model_dump_json().encode() + b"\n" for row in rows)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, 0o644)
    try:
        if os.fstat(file).st_size:
            os.lseek(file, -1, os.SEEK_END)
            if os.read(file, 1) != b"\n":
                lines = CUT + b"\n" + lines
        if os.write(file, lines) != len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> list[Row]:
    """All rows; none when there is no file. A line that a crash cut short is no row and is passed over.

    Lines are split at newlines only: a label may hold other characters that Python's `splitlines` would split at.

    Raises:
        ValueError: a line that was written whole is not a row; names the file and the line.
    """
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.endswith(CUT):
            if line != CUT:
                warnings.warn(f"{path.name} line {number}: cut short by a crash, passed over", stacklevel=2)
            continue
        try:
            rows.append(Row.model_validate_json(line))
        except ValidationError as error:
            said = disk.first_error(error, whole="row")
            raise ValueError(f"{path.name} line {number}: {said}; delete the line and rerun") from None
    return rows


def latest(rows: Sequence[Row]) -> list[Row]:
    """The last row of each variant and data set, in order of first appearance."""
    return list({(row.identity.variant.key, row.identity.dataset_hash): row for row in rows}.values())


def current(path: Path, *, dataset_hash: str | None = None, until: str | None = None) -> list[Row]:
    """The latest rows of that data, or of the data measured last; rows of data that has changed since are history.

    Args:
        until: a notebook's name; rows of those that come after it are left out.
    """
    rows = [row for row in read(path) if until is None or row.identity.notebook <= until]
    wanted = dataset_hash or (rows[-1].identity.dataset_hash if rows else "")
    return latest([row for row in rows if row.identity.dataset_hash == wanted])


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a measurement, those of all engines among them."""
    from utils.rank import runtimes  # PyTorch, which reading a ledger does without

    engines = (runtimes.named(name).distribution for name in runtimes.known())
    found = {}
    for name in dict.fromkeys((*PACKAGES, *engines)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_revision() -> str:
    """The checkout's commit, with '-dirty' where code differs from it; 'unknown' outside a checkout."""
    try:
        revision = _git("rev-parse", "--short=12", "HEAD")
        return f"{revision}-dirty" if _git("status", "--porcelain", "--", *CODE) else revision
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    command = ["git", "-C", str(settings.ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
