"""A small model, states of a few products and their catalogue, as bundles, for the tests of what a device takes."""

import hashlib
import json
from pathlib import Path

import numpy as np

from utils.edge import bundle, products
from utils.edge.products import Facts

WEIGHTS = bytes(range(256)) * 40
N_PRODUCTS, N_NUMBERS = 60, 64


def catalogue(changed=(), without=()):
    """Texts and facts of the products; those in `changed` have another text."""
    ids = [f"p{number:03d}" for number in range(N_PRODUCTS) if f"p{number:03d}" not in without]
    texts = {one: f"{'new' if one in changed else 'red'} sofa number {one}" for one in ids}
    return texts, {one: Facts(10.0 + number, number % 5 > 0) for number, one in enumerate(ids)}


def write_parts(folder, *, weights=WEIGHTS, changed=(), without=(), made_by=None, **facts):
    """The three folders that a bundle is made of; the states are made by a hash of model and text."""
    model, store = folder / "model", folder / "store"
    for path in (model, store):
        path.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(weights)
    (model / "config.json").write_text('{"n_layers": 2}')
    texts, of = catalogue(changed, without)
    model_hash = hashlib.sha256(weights).hexdigest()[:16]
    np.save(store / "states.npy", np.array([states(text, weights) for text in texts.values()]))
    (store / "index.json").write_text(json.dumps(list(texts), indent=0))
    (store / "store.json").write_text(json.dumps({"model_hash": made_by or model_hash} | facts))
    products.write(folder / "catalogue", texts=texts, facts=of)
    return {"model": model, "store": store, "catalogue": folder / "catalogue"}


def states(text, weights):
    seed = int.from_bytes(hashlib.sha256(text.encode() + weights).digest()[:4], "little")
    return np.random.default_rng(seed).integers(-127, 128, N_NUMBERS).astype(np.int8)


def make(folder, *, version, **parts):
    """A bundle in a folder."""
    folder = Path(folder)
    bundle.make(folder, version=version, **write_parts(folder.with_name(f"{folder.name}-parts"), **parts))
    return folder


def contents(folder):
    """Every file under a folder with its bytes, those of locks left out."""
    paths = (path for path in sorted(Path(folder).rglob("*")) if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def rewrite_manifest(folder, **changes):
    """Change fields of a bundle's manifest."""
    path = Path(folder) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
