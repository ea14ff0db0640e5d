"""A device's storage for lab 11, in memory: power may fail at any step, and what then serves is told in words.

A write that is cut leaves half a file; a rename happens or does not. A program finds its bundle as the lab says: the
file `current` holds a version, and the bundle's files lie under `versions/<version>/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

CURRENT = "current"
NEW_BUNDLE, OLD_BUNDLE, NONE_YET = "the new bundle", "the old bundle", "no bundle yet"
Files = Mapping[str, bytes]


class PowerLoss(BaseException):
    """The device is off; no program goes on after it, not even one that catches every `Exception`."""


class Flash:
    """Files by name, such as "versions/9/model".

    Args:
        fails_at: the step, counted from 1, at which power fails; never where it is None.
    """

    def __init__(self, files: Files | None = None, *, fails_at: int | None = None) -> None:
        self._files, self._steps, self._fails_at = dict(files or {}), 0, fails_at

    def write(self, name: str, data: bytes) -> None:
        """Write a file, over one of that name if there is one; cut in the middle, half of it is there."""
        if not isinstance(data, bytes):
            raise TypeError(f"{name}: {type(data).__name__} came; a file takes bytes")
        if self._is_last_step():
            self._files[name] = data[: len(data) // 2]
            raise PowerLoss
        self._files[name] = data

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in one step, and put it in the place of one that has it.

        Raises:
            FileNotFoundError: there is no such file.
        """
        self._require(old)
        if self._is_last_step():
            raise PowerLoss
        self._files[new] = self._files.pop(old)

    def remove(self, name: str) -> None:
        """Remove a file; FileNotFoundError where there is none."""
        self._require(name)
        if self._is_last_step():
            raise PowerLoss
        del self._files[name]

    def read(self, name: str) -> bytes:
        """What a file holds; FileNotFoundError where there is none."""
        self._require(name)
        return self._files[name]

    def names(self) -> list[str]:
        """Of all files, sorted."""
        return sorted(self._files)

    def switched_on(self) -> Flash:
        """The same files after the loss, in a device whose power lasts."""
        return Flash(self._files)

    def _require(self, name: str) -> None:
        self._require_power()
        if name not in self._files:
            raise FileNotFoundError(f"{name}: no such file; there are {', '.join(self.names()) or 'none'}")

    def _require_power(self) -> None:
        if self._fails_at is not None and self._steps >= self._fails_at:
            raise PowerLoss

    def _is_last_step(self) -> bool:
        self._require_power()
        self._steps += 1
        return self._steps == self._fails_at


def with_bundle(version: int | None, files: Files, *, fails_at: int | None = None) -> Flash:
    """A device that a bundle serves; an empty one where the version is None."""
    placed = {} if version is None else {place_of(version, name): data for name, data in files.items()}
    pointer = {} if version is None else {CURRENT: str(version).encode()}
    return Flash(placed | pointer, fails_at=fails_at)


def place_of(version: int, name: str) -> str:
    return f"versions/{version}/{name}"


def serving(flash: Flash, *, bundles: Mapping[int, Files], newest: int) -> str:
    """What a program finds: one of the three words above, or what is wrong.

    Args:
        bundles: what each version ought to hold; newest: the version that is being installed.
    """
    if CURRENT not in flash.names():
        return "the pointer is missing" if len(bundles) > 1 else NONE_YET
    version = next((one for one in bundles if flash.read(CURRENT) == str(one).encode()), None)
    if version is None:
        return f"the pointer holds {flash.read(CURRENT)!r}"
    files = {place_of(version, name): data for name, data in bundles[version].items()}
    if not set(files) <= set(flash.names()):
        return f"version {version} lacks a file"
    if any(flash.read(name) != data for name, data in files.items()):
        return f"a file of version {version} is not as it was made"
    return NEW_BUNDLE if version == newest else OLD_BUNDLE


def losses(
    install: Callable[[Flash, int, Files], object], *, installed: int | None, old: Files, version: int, files: Files
) -> dict[str, str]:
    """What serves if power never fails, if it fails at any step, and if the same bundle is installed once more then."""
    bundles = {version: files} | ({} if installed is None else {installed: old})
    states: list[set[str]] = [set(), set()]
    fails_at = 0
    while True:
        fails_at += 1
        flash = with_bundle(installed, old, fails_at=fails_at)
        try:
            install(flash, version, dict(files))
        except PowerLoss:
            flash = flash.switched_on()
            states[0].add(serving(flash, bundles=bundles, newest=version))
            install(flash, version, dict(files))
            states[1].add(serving(flash, bundles=bundles, newest=version))
        else:
            whole = serving(flash, bundles=bundles, newest=version)
            break
    allowed = {NEW_BUNDLE, OLD_BUNDLE, NONE_YET}
    return {
        "with power all the time": whole,
        "after a loss of power": "; ".join(sorted(states[0] - allowed)) or "a whole bundle",
        "installed again after it": "; ".join(sorted(states[1] - {NEW_BUNDLE})) or NEW_BUNDLE,
    }
