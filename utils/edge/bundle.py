"""A versioned bundle for a device: a model, the stored states of products, and the catalogue, with a manifest.

What the states look like inside is not known here. They are a folder that says, in a JSON file, which model made them.
How a device takes a bundle into use is in `installed`, how it gets only what changed in `delta`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from utils import disk
from utils.edge import manifest
from utils.edge.manifest import CATALOGUE, MODEL, NAME, STATES, Manifest


def make(
    folder: Path,
    *,
    version: int,
    model: Path,
    store: Path,
    catalogue: Path,
    weights: str = "model.safetensors",
    files: Iterable[str] | None = None,
) -> Manifest:
    """Copy the parts into `folder`, whole or not at all, and write the manifest.

    Args:
        version: above that of every bundle before.
        store: the folder of the products' states.
        catalogue: as `products.write` leaves it.
        weights: the file in `model` by which the states know their model, see `manifest.model_of`.
        files: of `model`, those to ship; all when not given.

    Raises:
        Refused: the states are of another model.
        ValueError: a file is missing, or the version is below 1.
    """
    with disk.whole_folder(folder) as new:
        names = sorted(_names(model) if files is None else {*files, weights})
        for name in names:
            _copy(model / name, new / MODEL / name)
        shutil.copytree(store, new / STATES)
        shutil.copytree(catalogue, new / CATALOGUE)
        made = manifest.describe(new, version=version, weights=f"{MODEL}/{weights}")
        disk.write_whole(new / NAME, manifest.text_of(made))
    return made


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise ValueError(f"{source}: no such file; make the model folder again, or name another file")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
