"""Files of a public set that a reader hands over: in a folder, or in a zip such as GitHub's download of a repository.

They are found by their own name, whatever folders they lie in, and checked like a download.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from utils.data.public import sources
from utils.data.public.sources import PublicFile, PublicSet


def find(place: Path, *, wanted: PublicSet, into: Path) -> dict[str, Path]:
    """The set's files by name: where they lie in a folder, or read out of a zip into the folder `into`.

    Raises:
        ValueError: `place` is neither, lacks a file, or holds another file under that name; a zip that is unsafe.
    """
    if place.is_dir():
        return {file.name: _in_folder(place, file=file, page=wanted.page) for file in wanted.files}
    if not zipfile.is_zipfile(place):
        raise ValueError(f"{place}: no folder and no zip; --from takes a folder, a .zip, or the address of a mirror")
    into.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place) as archive:
        _refuse_unsafe(archive, place=place)
        return {file.name: _in_zip(archive, file=file, page=wanted.page, into=into) for file in wanted.files}


def _in_folder(folder: Path, *, file: PublicFile, page: str) -> Path:
    problems = []
    for path in sorted(folder.rglob(file.name)):
        if path.is_file():
            problem = sources.problem(path, file=file)
            if not problem:
                return path
            problems.append(f"{path} {problem}")
    raise ValueError(_none_right(folder, file=file, page=page, problems=problems))


def _in_zip(archive: zipfile.ZipFile, *, file: PublicFile, page: str, into: Path) -> Path:
    place, part, problems = into / file.name, into / f"{file.name}.unzipped", []
    for member in archive.infolist():
        if PurePosixPath(member.filename).name == file.name and not member.is_dir():
            _copy(archive, member=member, part=part)
            problem = sources.problem(part, file=file)
            if not problem:
                os.replace(part, place)
                return place
            part.unlink()
            problems.append(f"{archive.filename}: {member.filename} {problem}")
    raise ValueError(_none_right(Path(archive.filename), file=file, page=page, problems=problems))


def _copy(archive: zipfile.ZipFile, *, member: zipfile.ZipInfo, part: Path) -> None:
    """A member's bytes into `part`; its path in the archive plays no part."""
    try:
        with archive.open(member) as packed, part.open("wb") as opened:
            shutil.copyfileobj(packed, opened)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: it wants a password
        part.unlink(missing_ok=True)
        raise ValueError(
            f"{archive.filename}: {member.filename} cannot be read ({error}); make the archive again"
        ) from error


def _refuse_unsafe(archive: zipfile.ZipFile, *, place: Path) -> None:
    for name in archive.namelist():
        plain = name.replace("\\", "/")
        if plain.startswith("/") or re.match(r"[A-Za-z]:", plain) or ".." in plain.split("/"):
            raise ValueError(f"{place}: '{name}' points out of the archive; do not trust it, get another copy")


def _none_right(place: Path, *, file: PublicFile, page: str, problems: list[str]) -> str:
    found = problems[0] if problems else f"{place}: no file {file.name} there or in a folder inside"
    return f"{found}; get a fresh copy from {page}"
