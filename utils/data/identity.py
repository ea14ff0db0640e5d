"""Whose run it is: a run belongs to the content of its data, and its folder bears a name to read and a hash of them.

Every command asks this first, so nothing here parses data or imports a library: files are hashed as they lie. The hash
of the parsed rows, which ledger rows and recorded results carry, is `Catalogue.hash`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from utils import disk, settings

FILES = ("queries.csv", "products.csv", "labels.csv", "events.csv")
N_DIGITS = 8  # of the hash in a run's name


def file_hashes(dataset: str) -> dict[str, str]:
    """sha256 of every file of a data set, by its name; none for the embedded shop, which is code.

    Raises:
        ValueError: there is no such folder, it holds none of the files, or the public set has not been fetched.
    """
    if dataset == settings.EMBEDDED:
        return {}
    folder = data_set_folder(dataset)
    found = {name: disk.sha256(folder / name) for name in FILES if (folder / name).is_file()}
    if not found:
        raise ValueError(f"{dataset}: holds no {FILES[0]}; give a folder with {', '.join(FILES[:3])}")
    return found


def data_set_folder(dataset: str) -> Path:
    """The folder of a data set that is not the embedded shop; ValueError when there is none."""
    folder = settings.data_folder(dataset)
    if not folder.is_dir():
        raise ValueError(f"{dataset}: no such folder; give 'synthetic' or a folder with {', '.join(FILES[:3])}")
    return folder


def run_name(*, dataset: str, profile_name: str, seed: int) -> str:
    """<name>-<hash of the files>-<profile>-<seed>, by which no two data sets share a run; the shop has no hash."""
    names = [settings.dataset_name(dataset)]
    if hashes := file_hashes(dataset):
        content = "\n".join(f"{name} {digest}" for name, digest in sorted(hashes.items()))
        names.append(hashlib.sha256(content.encode()).hexdigest()[:N_DIGITS])
    return "-".join([*names, profile_name, str(seed)])


def run_folder(*, dataset: str, profile_name: str, seed: int, out: str | Path = "") -> Path:
    """Where a run keeps all it makes: `out`, or the folder in artifacts/ that bears the run's name.

    Raises:
        ValueError: there is no such data set, whatever `out` holds.
    """
    if not str(out):
        return settings.ARTIFACTS / run_name(dataset=dataset, profile_name=profile_name, seed=seed)
    if dataset != settings.EMBEDDED:
        data_set_folder(dataset)
    return settings.user_path(out).resolve()
