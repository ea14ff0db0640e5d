"""Releases of the labs, made from their masters by nbgrader: solutions and held-out tests are cut out.

A release is never edited by hand; a test makes it again and finds no difference.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path

import nbformat

from utils import disk
from utils.course.labs import checks, workbook


def release_all() -> list[Path]:
    """Write the release of every lab; returns the files."""
    return [disk.write_whole(_made(workbook.release(lab)), released(lab)) for lab in checks.labs()]


def released(lab: str) -> str:
    """The text of a lab's release, made from its master.

    Raises:
        RuntimeError: nbgrader refuses the master; says why.
    """
    with tempfile.TemporaryDirectory() as root:
        source = Path(root, "source", lab)
        source.mkdir(parents=True)
        shutil.copy(workbook.master(lab), source)
        _generate(Path(root), lab=lab)
        made = nbformat.read(Path(root, "release", lab, f"{lab}.ipynb"), as_version=4)
    return nbformat.writes(made) + "\n"


def _generate(root: Path, *, lab: str) -> None:
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory

    course = CourseDirectory()
    course.root, course.assignment_id = str(root), lab
    converter = GenerateAssignment(coursedir=course)
    converter.no_database = True
    converter.preprocessors = [
        one for one in converter.preprocessors if one.__name__ != "SaveCells"
    ]  # needs a database
    converter.log.setLevel(logging.ERROR)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            converter.start()
    except (NbGraderException, SystemExit) as error:
        raise RuntimeError(f"{lab}: nbgrader cannot make the release: {error}") from error


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
