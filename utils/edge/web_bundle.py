"""The browser's bundle: a folder of static files that is a shop's search page with its models and catalogue.

Any server of static files can show it. `manifest.json` has the sha256 of every file and one version for all of them;
the page checks what it fetches against it. Nothing in the folder names another host.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from utils import disk
from utils.data.catalogue import Catalogue
from utils.data.terms import STOP_WORDS
from utils.edge import web_int8, web_vendor
from utils.rank import models as folders
from utils.rank import ranker

FORMAT = "rank-for-less web 1"
NAME = "manifest.json"
WORKER = "sw.js"  # the browser itself fetches it anew; all other files are named in the manifest
PAGE_FILES = (".html", ".css", ".js", ".svg")
CATALOGUE = "catalogue.json"
N_DIGITS = 16


def make(
    folder: Path, *, models: Mapping[str, Path], catalogue: Catalogue, max_tokens: int, precision: str = "int8"
) -> Path:
    """Write the page, the models by their shown names, and the catalogue; a folder that is there is replaced, whole.

    Args:
        models: the first one answers first, as one types; the page compares it with the second, if there is one.
        max_tokens: a pair is cut to this many tokens, at most what the model has room for.
        precision: "int8" or "fp32", of all models.

    Raises:
        ValueError: no models, a model that cannot be read, or npm failed.
        FileNotFoundError: a folder is no model folder, or there is no npm.
    """
    if not models:
        raise ValueError("no models; give at least one model folder by the name that the page shows")
    vendor = web_vendor.fetched()
    with disk.whole_folder(folder) as new:
        _copy_page(new, vendor=vendor)
        texts = _catalogue_text(catalogue)
        disk.write_whole(new / CATALOGUE, texts)
        of_models = [
            _write_model(new, place=place, name=name, source=Path(source), limit=max_tokens, precision=precision)
            for place, (name, source) in enumerate(models.items())
        ]
        facts = {"models": of_models, "catalogue": _facts_of(catalogue, texts=texts)}
        disk.write_whole(new / NAME, disk.json_text(_manifest(new, facts=facts)))
    return folder


def read(folder: Path) -> dict:
    """The manifest of a bundle; empty where there is none."""
    return disk.read_object(folder / NAME)


def renew(folder: Path) -> dict:
    """Write the manifest again after files were changed on purpose, and return it: a new version of the bundle."""
    facts = {name: read(folder)[name] for name in ("models", "catalogue")}
    made = _manifest(folder, facts=facts)
    disk.write_whole(folder / NAME, disk.json_text(made))
    return made


def _copy_page(folder: Path, *, vendor: Path) -> None:
    """The page's own files, and those of other people, into the folder."""
    for path in sorted(web_vendor.PAGE.iterdir()):
        if path.suffix in PAGE_FILES:
            shutil.copyfile(path, folder / path.name)
    (folder / "vendor").mkdir()
    for name in web_vendor.SHIPPED:
        shutil.copyfile(vendor / name, folder / "vendor" / name)


def _write_model(folder: Path, *, place: int, name: str, source: Path, limit: int, precision: str) -> dict:
    """Write one model's files and return what the page must know of it.

    The frame is what a pair is made of, from left to right: [id, type, side], where the side is null for a special
    token, 0 for the query and 1 for the product.
    """
    config, tokenizer = folders.described(source)
    into = folder / "models" / str(place)
    into.mkdir(parents=True)
    web_int8.write(source, into / "model.onnx", precision=precision)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / file, into / file)
    return {
        "name": name,
        "folder": f"models/{place}",
        "precision": precision,
        "model_hash": disk.sha256(into / "model.onnx")[:N_DIGITS],
        "bytes": sum(path.stat().st_size for path in into.iterdir()),
        "max_tokens": min(limit, getattr(config, "max_position_embeddings", limit)),
        "frame": [list(part) for part in ranker.pair_frame(tokenizer)],
        "pad": {
            "input_ids": tokenizer.pad_token_id,
            "token_type_ids": tokenizer.pad_token_type_id,
            "attention_mask": 0,
        },
    }


def _catalogue_text(catalogue: Catalogue) -> str:
    """What the page reads of the catalogue: the stop words of BM25, and [id, title, text] of each product."""
    columns = (catalogue.products[name][:] for name in ("product_id", "title", "text"))
    products = [list(row) for row in zip(*columns, strict=True)]
    found = {"stop_words": sorted(STOP_WORDS), "products": products}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _facts_of(catalogue: Catalogue, *, texts: str) -> dict:
    """The catalogue's name, size and version, and four queries of its valid split to begin with."""
    queries = dict.fromkeys(catalogue.pairs["valid"]["query"][:])
    short = [query for query in queries if len(query) <= 30][:4]
    version = hashlib.sha256(texts.encode()).hexdigest()[:N_DIGITS]
    return {"name": catalogue.name, "n_products": len(catalogue.products), "version": version, "examples": short}


def _manifest(folder: Path, *, facts: Mapping[str, object]) -> dict:
    """The manifest of the files as they are; equal files have equal versions."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (NAME, WORKER))
    files = {
        path.relative_to(folder).as_posix(): {"sha256": disk.sha256(path), "bytes": path.stat().st_size}
        for path in paths
    }
    version = hashlib.sha256(disk.json_text([dict(facts), files]).encode()).hexdigest()[:N_DIGITS]
    return {"format": FORMAT, "version": version, **facts, "files": files}
