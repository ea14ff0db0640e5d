"""Fetching a public data set by its name: its files, checked, turned into the layout of the course, and put in place.

A set is there whole or not at all. What a killed fetch leaves is hidden or lies under downloads/, and the next fetch
goes on with it or clears it away.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import quote, urlsplit

from utils import disk, settings
from utils.data import catalogue, summary
from utils.data.public import download, esci, layout, local_files, sources, wands
from utils.data.public.sources import PublicSet

CONTENTS = ("queries.csv", "products.csv", "labels.csv", "SOURCE.md")
Echo = Callable[[str], object]


def fetch(name: str, *, from_: str = "", hub: bool = False, into: str | Path = "", echo: Echo = print) -> Path:
    """Fetch WANDS or ESCI as a folder of data, and say what was done; nothing where it is there already.

    Args:
        from_: a folder or a zip that holds the files, or the address of a mirror; the set's own hosts if empty.
        hub: take ESCI from the Hugging Face hub.
        into: the folder that the set's own folder lies in; data/ if empty.

    Raises:
        ValueError: a wrong name or combination, files that are not the set's, a folder in the way, another process at
            the same set.
        OSError: no network, a full disk.
    """
    wanted = sources.public_set(name)
    if hub and (name != "esci" or from_):
        raise ValueError("--hub is for esci alone and excludes --from; leave one of them out")
    folder = (Path(into).expanduser() if str(into) else settings.DATA) / name
    downloads = folder.parent / "downloads" / name
    lock = downloads.with_name(f".{name}.lock")
    busy = f"{name} is being fetched by another process; wait for it, then run the same again"
    with sources.full_disk_named(folder.parent), disk.lock(lock, busy=busy):
        if _is_whole(folder):
            echo(f"{name} is here already, in {folder}; nothing to do")
            return folder
        files = {} if hub else _files(wanted, from_=from_, downloads=downloads, echo=echo)
        _build(wanted, files=files, folder=folder, echo=echo)
        shutil.rmtree(downloads, ignore_errors=True)
    echo(f"{name} is in {folder}")
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether the set is there; ValueError when something else is in its place."""
    if not folder.exists():
        return False
    missing = [file for file in CONTENTS if not (folder / file).is_file()]
    if missing:
        raise ValueError(f"{folder} is in the way and lacks {missing[0]}; move it elsewhere, then fetch again")
    return True


def _files(wanted: PublicSet, *, from_: str, downloads: Path, echo: Echo) -> dict[str, Path]:
    """The set's files, checked, by name: downloaded, or handed over."""
    if from_ and not from_.startswith(("http://", "https://")):
        files = local_files.find(Path(from_).expanduser(), wanted=wanted, into=downloads)
    else:
        files = {file.name: _download(file, wanted=wanted, mirror=from_, downloads=downloads) for file in wanted.files}
    for file, path in files.items():
        echo(f"{file}: {path.stat().st_size:,} bytes, the content expected")
    return files


def _download(file: sources.PublicFile, *, wanted: PublicSet, mirror: str, downloads: Path) -> Path:
    hosts = wanted.hosts
    if mirror:
        file = replace(file, url=f"{mirror.rstrip('/')}/{quote(file.name)}")
        hosts = (*hosts, urlsplit(mirror).hostname or "")
    return download.download(file, downloads, hosts=hosts)


def _build(wanted: PublicSet, *, files: dict[str, Path], folder: Path, echo: Echo) -> None:
    """Convert beside the place, check as any reader's folder is checked, and rename."""
    partial = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        left_out = _convert(wanted, files=files, folder=partial)
        tables = catalogue.read_folder(partial)
        told = [*summary.lines(tables), *(f"left out: {reason}: {left_out[reason]:,}" for reason in layout.REASONS)]
        hashes = [f"{file}, sha256 {disk.sha256(partial / file)}" for file in tables]
        source = _source(wanted, from_hub=not files, told=[*told, *hashes])
        (partial / "SOURCE.md").write_text(source, encoding="utf-8")
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for line in told:
        echo(line)


def _convert(wanted: PublicSet, *, files: dict[str, Path], folder: Path) -> Counter[str]:
    if not files:
        return esci.convert(esci.hub_rows(), folder=folder)
    return CONVERTERS[wanted.name]({name: files[name] for name in (file.name for file in wanted.files)}, folder=folder)


def _convert_esci(files: Mapping[str, Path], *, folder: Path) -> Counter[str]:
    examples, products = files.values()
    return esci.convert(esci.parquet_rows(examples, products=products), folder=folder)


CONVERTERS = {"wands": wands.convert, "esci": _convert_esci}


def _source(wanted: PublicSet, *, from_hub: bool, told: list[str]) -> str:
    hub = [f"the Hugging Face hub, {esci.HUB_NAME}, which has no recorded hash"]
    origin = hub if from_hub else [f"{file.name}, {file.hash}" for file in wanted.files]
    made = [f"`course data fetch {wanted.name}` wrote this folder on {date.today().isoformat()}."]
    facts = [f"Page: <{wanted.page}>", f"Licence: {wanted.licence}"]
    parts = {"Made from": origin, "What it holds": told}
    listed = ["\n".join([f"## {title}", "", *(f"- {line}" for line in lines)]) for title, lines in parts.items()]
    return "\n\n".join([f"# {wanted.name}", *facts, *made, *listed]) + "\n"
