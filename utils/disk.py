"""Files and folders that appear whole or not at all, a lock that lasts as long as its process, and hashes of files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"  # begins the name of whatever is not whole yet; the writing process comes next


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def partial(path: Path) -> Path:
    """Where this process writes what becomes `path` once it is whole: beside it, so that a rename is enough."""
    return path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; when the block ends well it becomes `path`, whole, else it is removed."""
    try:
        yield partial(path)
        os.replace(partial(path), path)
    finally:
        partial(path).unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> Path:
    """Write a text file beside its place, then put it there: whole or not at all."""
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")
    return path


def json_text(value: object) -> str:
    """JSON with an entry a line, but a list of plain values on one, for a long one would take thousands of lines.

    Raises:
        ValueError: a number is not finite.
    """
    return f"{_json(value, indent=0)}\n"


def _json(value: object, *, indent: int) -> str:
    nested = isinstance(value, list) and any(isinstance(one, dict | list) for one in value)
    if not value or not (nested or isinstance(value, dict)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = indent + 1
    if isinstance(value, dict):
        parts = [f"{json.dumps(str(key))}: {_json(one, indent=inner)}" for key, one in value.items()]
    else:
        parts = [_json(one, indent=inner) for one in value]
    lines = f",\n{' ' * inner}".join(parts)
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return f"{begin}\n{' ' * inner}{lines}\n{' ' * indent}{end}"


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """An empty folder beside that path, removed at the end of the block, or by `sweep` when the process is killed."""
    folder = partial(beside)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; when the block ends well it takes the place of `folder`, whole, else it is removed.

    An older folder is moved aside before the new one comes, so that no moment shows a mixture of both.
    """
    with scratch(folder) as new, scratch(folder.with_name(f"{folder.name}-old")) as aside:
        yield new
        if folder.exists():
            os.replace(folder, aside / folder.name)
        os.replace(new, folder)


@contextmanager
def lock(lock_file: Path, *, busy: str) -> Iterator[None]:
    """Hold a lock, whose folder is made; the system lets go of it when the process ends, however it ends.

    Raises:
        ValueError: another process holds it (the message is `busy`), or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file, timeout=0)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ValueError(busy) from None
    except OSError as error:
        raise ValueError(f"{lock_file.parent}: cannot be written ({error.strerror}); give another folder") from None
    try:
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written under `folder`; what a living one writes stays."""
    import psutil

    for path in sorted(folder.rglob(f"{PARTIAL}*")):
        owner = path.name.removeprefix(PARTIAL).partition("-")[0]
        if path.exists() and not (owner.isdecimal() and psutil.pid_exists(int(owner))):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
