"""A run in one file, so that a room full of people need not make its stages one by one: packed once, unpacked checked.

The file is a zip without compression, which weights hardly allow: what the run's folder holds, and a list of checksums.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from utils import disk, settings
from utils.course import stages

FORMAT = 1  # of the list
LIST = "warm.json"  # of the files: their sha256, and of which run they are
LEFT_OUT = ("logs",)  # curves of the trainings, which nothing reads again
AT_ONCE = 1 << 20  # bytes


def pack(run_folder: Path, *, run: str, target: Path) -> Path:
    """Write a run's folder into one file; the run is not touched.

    Args:
        run: its name, by which another machine finds it, as `identity.run_name` gives it.

    Raises:
        ValueError: the folder has no stage, or one that is damaged.
    """
    made = stages.hashes(run_folder)
    if not made:
        raise ValueError(f"{run_folder}: has no stage to pack; run the notebooks first: course run")
    for stage in made:
        if problem := stages.problem(run_folder / stage):
            raise ValueError(f"{run_folder / stage}: {problem}; make it again with: course run")
    files = {path.relative_to(run_folder).as_posix(): path for path in _files(run_folder)}
    listed = {"format": FORMAT, "run": run, "files": {name: disk.sha256(path) for name, path in files.items()}}
    with disk.whole_file(target) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(LIST, json.dumps(listed, indent=1) + "\n")
        for name, path in files.items():
            archive.write(path, name)
    return target


def unpack(source: Path) -> Path:
    """Put a packed run where its notebooks look for it, once every file is the one that was packed.

    Raises:
        ValueError: the file is none of `pack`, or damaged, or the run is there already; nothing is left of it then.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return _unpack(archive, source=source)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{source}: is no packed run, or cut short ({error}); copy it again") from None


def _unpack(archive: zipfile.ZipFile, *, source: Path) -> Path:
    run, files = _listed(archive, source=source)
    folder = settings.ARTIFACTS / run
    if folder.exists():
        raise ValueError(f"{folder}: is there already; move it away, or keep it and go on with: course status")
    if strange := set(archive.namelist()) - {LIST} - files.keys():
        raise ValueError(f"{source}: holds {min(strange)}, which is not on its list; pack the run again")
    with disk.whole_folder(folder) as partial:
        for name, digest in files.items():
            if _write(archive, name=name, to=partial / name) != digest:
                raise ValueError(f"{source}: {name} is damaged; copy the file again, or pack the run again")
    return folder


def _listed(archive: zipfile.ZipFile, *, source: Path) -> tuple[str, Mapping[str, str]]:
    """The run's name, and the sha256 of every file by its path within the folder."""
    try:
        found = json.loads(archive.read(LIST))
        version, run, files = found["format"], found["run"], dict(found["files"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{source}: is no packed run of this course; make one with: course warm pack") from None
    if version != FORMAT:
        raise ValueError(f"{source}: was packed by another version of the course (format {version}, here {FORMAT})")
    for name in (run, *files):
        if not _is_within(name) or (name == run and "/" in name):
            raise ValueError(f"{source}: names {name!r}, which lies outside of the run's folder; it is not unpacked")
    if not re.fullmatch(rf".+-({'|'.join(settings.PROFILES)})-\d+", run):
        raise ValueError(f"{source}: '{run}' is no name of a run of this course; make one with: course warm pack")
    return run, files


def _is_within(name: object) -> bool:
    """Whether a path stays below the folder it is joined to, on every system."""
    is_plain = isinstance(name, str) and name and not set(name) & set('\\:*?"<>|\0')
    return bool(is_plain) and not name.startswith("/") and not {"", ".", ".."} & set(PurePosixPath(name).parts)


def _write(archive: zipfile.ZipFile, *, name: str, to: Path) -> str:
    """Write one file of the archive; its sha256."""
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(name) as stored, to.open("wb") as file:
        while chunk := stored.read(AT_ONCE):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """The files of a run that are worth a place; none that is hidden, as locks and half-written ones are."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in LEFT_OUT and not any(part.startswith(".") for part in parts):
            yield path
