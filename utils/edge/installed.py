"""Where a device keeps its bundles: each version in a folder of its own, and a pointer to the one in use.

A new bundle is checked, copied, checked again and only then pointed to, by the rename of one small file. So whatever
goes wrong, at whatever moment, the old one is whole and goes on serving.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from utils import disk
from utils.edge import manifest
from utils.edge.manifest import NAME, Manifest, Refused

POINTER = "current"
STEPS = ("begun", "checked", "copied", "placed", "flipped", "tidied")


def _go_on(step: str) -> None:
    """What `install` calls after each step when nobody wants to know."""


class Place:
    """A folder of installed bundles."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    @property
    def version(self) -> int | None:
        """The version in use; None before the first one, or when the pointer is damaged."""
        try:
            return int((self.folder / POINTER).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def current(self) -> Path:
        """The folder of the bundle in use, as it was verified when it was installed.

        Raises:
            ValueError: there is none.
        """
        path = self._of(self.version)
        if self.version is None or not (path / NAME).is_file():
            raise ValueError(f"{self.folder}: no bundle is installed; install one with Place.install")
        return path

    def install(self, bundle: Path, *, after: Callable[[str], None] = _go_on) -> Path:
        """Take a bundle into use, and give its folder here; the version before it is kept, for who is still reading it.

        Args:
            after: is called with the name of each of STEPS once it is done.

        Raises:
            Refused: the bundle is damaged, older than the one in use, of another format, or mixed; nothing changed.
            ValueError: another process is installing.
        """
        with disk.lock(self.folder / ".lock", busy=f"{self.folder}: another update is under way; try again after it"):
            disk.sweep(self.folder)
            after("begun")
            try:
                return self._take(Path(bundle), after=after)
            except Refused as refused:
                serving = "nothing is installed" if self.version is None else f"version {self.version} goes on serving"
                raise Refused(f"{refused}; {serving}") from None

    def _take(self, bundle: Path, *, after: Callable[[str], None]) -> Path:
        found = manifest.verify(bundle)
        if self._is_in_use(bundle, found):
            return self.current()
        after("checked")
        with disk.whole_folder(self._of(found.version)) as new:
            _copy(bundle, new, files=[NAME, *found.files])
            manifest.verify(new)  # what lies here is what will be used
            after("copied")
        after("placed")
        kept = {self.version, found.version}
        _write_through(self.folder / POINTER, f"{found.version}\n")
        after("flipped")
        self._tidy(keep=kept)
        after("tidied")
        return self.current()

    def _is_in_use(self, bundle: Path, found: Manifest) -> bool:
        """Whether it is the very bundle in use; raises `Refused` for an older one, or another one of its version."""
        if self.version is None or found.version > self.version:
            return False
        if found.version == self.version and manifest.digest(bundle) == manifest.digest(self.current()):
            return True
        kind = "older than" if found.version < self.version else "another one than"
        raise Refused(f"{bundle.name}: version {found.version} is {kind} the installed one; fetch a newer one")

    def _tidy(self, *, keep: set[int | None]) -> None:
        """Remove all versions but the one in use and the one before it."""
        names = {str(number) for number in keep}
        for path in (self.folder / "versions").iterdir():
            if path.name not in names:
                shutil.rmtree(path)

    def _of(self, version: int | None) -> Path:
        return self.folder / "versions" / str(version)


def _copy(bundle: Path, folder: Path, *, files: list[str]) -> None:
    """The manifest and the files that it names, and nothing else that lies in the bundle."""
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle / name, target)


def _write_through(path: Path, text: str) -> None:
    """Write a file whole, and wait until the disk has it: a device may lose power at any time."""
    with disk.whole_file(path) as new, new.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
