"""Bad bundles for a device: what is wrong with each, what the device said to it, and what it serves afterwards.

Each is a whole bundle with one thing changed, as a bad line, a wrong build or a lost battery changes it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from utils import disk
from utils.course import tables
from utils.edge import manifest
from utils.edge.installed import Place
from utils.edge.manifest import CATALOGUE, NAME, STATES, Refused

PRODUCTS = f"{CATALOGUE}/products.json"


class PowerCut(Exception):
    """Ends an update at a chosen step, as a dead battery would."""


@dataclass(frozen=True)
class Tried:
    """A bad bundle on a device.

    Attributes:
        said: the sentence of the refusal, or where the update was cut off.
        serves: the version in use afterwards.
    """

    said: str
    serves: int | None


def cut_short(bundle: Path) -> None:
    """The largest file lost its second half."""
    largest = max((path for path in bundle.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    data = largest.read_bytes()
    largest.write_bytes(data[: len(data) // 2])


def tampered(bundle: Path) -> None:
    """One bit of the products' texts differs."""
    path = bundle / PRODUCTS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def older(bundle: Path) -> None:
    """A whole bundle of the first version."""
    _describe(bundle, version=1)


def of_another_format(bundle: Path) -> None:
    """A manifest that a later program wrote."""
    _describe(bundle, format="rank-for-less bundle 2")


def mixed(bundle: Path) -> None:
    """States that another model made, in a bundle whose every sum is right."""
    (facts,) = (path for path in (bundle / STATES).glob("*.json") if "model_hash" in disk.read_object(path))
    disk.write_whole(facts, disk.json_text(disk.read_object(facts) | {"model_hash": "0" * manifest.N_DIGITS}))
    name = facts.relative_to(bundle).as_posix()
    files = disk.read_object(bundle / NAME)["files"]
    _describe(bundle, files=files | {name: {"sha256": disk.sha256(facts), "bytes": facts.stat().st_size}})


WAYS: Mapping[str, Callable[[Path], None]] = {
    "cut short on the line": cut_short,
    "one bit changed": tampered,
    "an older version": older,
    "a format from the future": of_another_format,
    "states of another model": mixed,
}


def _describe(bundle: Path, **entries: object) -> None:
    found = disk.read_object(bundle / NAME)
    (bundle / NAME).write_text(json.dumps(found | entries), encoding="utf-8")


def tried(place: Place, *, good: Path, work: Path) -> dict[str, Tried]:
    """Offer a device each bad form of a good bundle, then the good one with a power cut half-way.

    Args:
        place: with a bundle of version 2 or later in use.
        good: a bundle of a later version than that; it stays as it is.
        work: a folder for the copies.
    """
    found = {}
    for name, spoil in WAYS.items():
        bad = work / "bundle"
        shutil.copytree(good, bad)
        spoil(bad)
        try:
            place.install(bad)
            found[name] = Tried("accepted", place.version)
        except Refused as refused:
            found[name] = Tried(str(refused).partition(": ")[2], place.version)
        shutil.rmtree(bad)
    return found | {"the battery dies half-way": _cut_off(place, good=good)}


def _cut_off(place: Place, *, good: Path) -> Tried:
    def cut(step: str) -> None:
        if step == "copied":
            raise PowerCut(f"cut off after '{step}'")

    try:
        place.install(good, after=cut)
    except PowerCut as cut_off:
        return Tried(str(cut_off), place.version)
    return Tried("accepted", place.version)


def table(found: Mapping[str, Tried]) -> pd.DataFrame:
    """One line a bad bundle."""
    return tables.from_rows(
        {"the bundle": name, "the device": one.said.partition(";")[0], "serves then": f"version {one.serves}"}
        for name, one in found.items()
    )
