"""Where the public data sets come from, and how a copy of one of their files is told from anything else.

`data/checksums.json` names the files; nothing here reaches for the network.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from utils import disk, settings

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
WEB_PAGE = (b"<!doctype html", b"<html")


class DiskFull(OSError):
    """No space is left: the message names the folder and says that nothing is lost."""


@dataclass(frozen=True)
class PublicFile:
    """One file of a public set, checked against its sha256, or against its git object id where that is all we know."""

    name: str
    url: str
    bytes: int | None = None
    sha256: str = ""
    git_object: str = ""

    @property
    def hash(self) -> str:
        return f"sha256 {self.sha256}" if self.sha256 else f"git object {self.git_object}"


@dataclass(frozen=True)
class PublicSet:
    """A public data set; `hosts` are those that its files may come from, by redirect as well."""

    name: str
    page: str
    licence: str
    hosts: tuple[str, ...]
    files: tuple[PublicFile, ...]


def public_set(name: str) -> PublicSet:
    """The public set called `name`; ValueError naming the known ones otherwise."""
    if name not in settings.PUBLIC_SETS:
        raise ValueError(f"data set '{name}' is not one of {', '.join(settings.PUBLIC_SETS)}")
    listed = json.loads((settings.DATA / "checksums.json").read_text(encoding="utf-8")).get(name)
    if listed is None:
        raise ValueError(f"data/checksums.json does not list '{name}'; add its page, licence, hosts and files")
    files = tuple(PublicFile(**file) for file in listed.pop("files"))
    return PublicSet(name=name, hosts=tuple(listed.pop("hosts")), files=files, **listed)


def problem(path: Path, *, file: PublicFile) -> str:
    """What shows that `path` does not hold `file`; empty when it does."""
    with path.open("rb") as opened:
        start = opened.read(1_000)
    if start.startswith(LFS_POINTER):
        return "is a Git LFS pointer, which only names the file; take the file itself (git lfs pull)"
    if start.lstrip().lower().startswith(WEB_PAGE):
        return "is a web page, such as a proxy's or a login page, not the file"
    n_bytes = path.stat().st_size
    if file.bytes is not None and n_bytes != file.bytes:
        return f"has {n_bytes:,} bytes, not {file.bytes:,}"
    found = disk.sha256(path) if file.sha256 else git_object(path)
    if found != (file.sha256 or file.git_object):
        return f"has another content: its hash is {found}, not {file.sha256 or file.git_object}"
    return ""


def git_object(path: Path) -> str:
    """The id that git gives a file's bytes: the sha1 of a header with their number, then the bytes."""
    header = b"blob %d\0" % path.stat().st_size
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.sha1(header, usedforsecurity=False)).hexdigest()


@contextlib.contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the system's 'no space left' into DiskFull with the folder's name."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(f"{folder}: the disk is full; free some space, then the same command goes on") from error
