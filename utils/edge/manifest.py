"""The manifest of a bundle: its version, what model and catalogue it is of, and the sha256 of each of its files.

A bundle is checked against it before use. The sums show what was cut, changed by accident or mixed up; against somebody
who rewrites the manifest as well, it must come from a trusted place or be signed.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from utils import disk
from utils.edge import products

FORMAT = "rank-for-less bundle 1"
NAME = "manifest.json"
MODEL, STATES, CATALOGUE = "model", "states", "catalogue"  # the folders of a bundle
AGAIN = "fetch it again"
N_DIGITS = 16  # of sha256, by which the course knows weights
Whole = Annotated[int, Field(ge=0, strict=True)]


class Refused(ValueError):
    """A bundle that must not be used, in a sentence that says why and what to do."""


class File(BaseModel):
    """What a file of the bundle must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Whole


class Manifest(BaseModel):
    """What a bundle says of itself.

    Attributes:
        version: grows with every bundle that is made.
        weights: the file of the model by which it is known: `model_of` it is `model_hash`.
        catalogue_version: of the products' texts; prices and stock have no part in it.
        files: by name, with `/` between folders.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    format: str = FORMAT
    version: Annotated[int, Field(ge=1, strict=True)]
    model_hash: str
    weights: str
    catalogue_version: str
    files: dict[str, File]

    @field_validator("files")
    @classmethod
    def _names_stay_inside(cls, files: dict[str, File]) -> dict[str, File]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name or ":" in name:
                raise ValueError(f"'{name}' leads out of the bundle")
        return files

    @property
    def n_bytes(self) -> int:
        """Of all files that it names."""
        return sum(file.bytes for file in self.files.values())


def describe(folder: Path, *, version: int, weights: str) -> Manifest:
    """The manifest of the files that lie in a folder; raises `Refused` as `require_one_model` does."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / NAME]
    files = {
        path.relative_to(folder).as_posix(): File(sha256=disk.sha256(path), bytes=path.stat().st_size) for path in paths
    }
    made = Manifest(
        version=version,
        model_hash=model_of(folder / weights),
        weights=weights,
        catalogue_version=catalogue_version(folder / CATALOGUE),
        files=files,
    )
    require_one_model(folder, manifest=made)
    return made


def text_of(manifest: Manifest) -> str:
    """As it stands in `manifest.json`."""
    return disk.json_text(manifest.model_dump())


def digest(folder: Path) -> str:
    """The sha256 of a bundle's manifest, which stands for all of its files."""
    return disk.sha256(folder / NAME)


def read(folder: Path) -> Manifest:
    """The manifest of a bundle.

    Raises:
        Refused: it is missing, damaged, or of another format.
    """
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        kind = found["format"]
    except FileNotFoundError:
        raise Refused(f"{_shown(folder)}: {NAME} is missing, so this is no whole bundle; {AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused(f"{_shown(folder)}: {NAME} is damaged or cut short; {AGAIN}") from None
    if kind != FORMAT:
        raise Refused(
            f"{_shown(folder)}: it is of format '{kind}', and this program reads '{FORMAT}'; "
            "fetch a bundle of that format"
        )
    try:
        return Manifest.model_validate(found)
    except ValidationError as error:
        raise Refused(f"{_shown(folder)}: {NAME} is damaged ({disk.first_error(error)}); {AGAIN}") from None


def verify(folder: Path) -> Manifest:
    """The manifest of a bundle whose every file is the one that was made, and whose model made its states.

    Files that the manifest does not name are no part of the bundle, and are not looked at.

    Raises:
        Refused: a file is missing, cut short or changed, or the parts do not belong together.
    """
    manifest = read(folder)
    for name, file in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise Refused(f"{_shown(folder)}: {name} is missing; {AGAIN}")
        if (n_bytes := path.stat().st_size) != file.bytes:
            raise Refused(f"{_shown(folder)}: {name} has {n_bytes:,} bytes and must have {file.bytes:,}; {AGAIN}")
        if disk.sha256(path) != file.sha256:
            raise Refused(f"{_shown(folder)}: {name} is not the file that was made, its sha256 differs; {AGAIN}")
    require_one_model(folder, manifest=manifest)
    return manifest


def require_one_model(folder: Path, *, manifest: Manifest) -> None:
    """Refuse a mixed pair: states that another model made, or that are of another catalogue.

    The states say whose they are in a JSON file of their own folder, with `model_hash` and, if they like,
    `catalogue_version`.

    Raises:
        Refused: they are another model's, say nothing, or the weights are not those that the manifest claims.
    """
    if manifest.weights not in manifest.files or model_of(folder / manifest.weights) != manifest.model_hash:
        raise Refused(f"{_shown(folder)}: {manifest.weights} is not the model {manifest.model_hash}; {AGAIN}")
    of_states = states_facts(folder / STATES)
    if (maker := of_states.get("model_hash")) != manifest.model_hash:
        raise Refused(
            f"{_shown(folder)}: its states are of model {maker}, and its model is {manifest.model_hash}; "
            "make the states again with this model"
        )
    for found in (catalogue_version(folder / CATALOGUE), of_states.get("catalogue_version")):
        if found not in (None, manifest.catalogue_version):
            raise Refused(
                f"{_shown(folder)}: its parts are of catalogues {found} and {manifest.catalogue_version}; make it again"
            )


def model_of(weights: Path) -> str | None:
    """The identity of a model: what a JSON file of it says as `model_hash`, or the sha256 of the weights themselves.

    With a JSON file, graphs may be shipped that were made of the weights, and the weights left out.
    """
    if weights.suffix == ".json":
        return disk.read_object(weights).get("model_hash")
    return disk.sha256(weights)[:N_DIGITS]


def _shown(folder: Path) -> str:
    """The bundle's name in a message; while it is being made its folder has another one."""
    name = folder.name
    return name.removeprefix(disk.PARTIAL).partition("-")[2] if name.startswith(disk.PARTIAL) else name


def states_facts(folder: Path) -> dict:
    """What the states say of themselves: the JSON file that names their model; empty where none does."""
    found = (disk.read_object(path) for path in sorted(folder.glob("*.json")))
    return next((facts for facts in found if "model_hash" in facts), {})


def catalogue_version(folder: Path) -> str:
    """The version of the products' texts, as `products.version_of` gives it."""
    return disk.sha256(folder / products.TEXTS)[:N_DIGITS]
