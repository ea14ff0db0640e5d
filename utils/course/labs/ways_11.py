"""What a learner may write in lab 11, right or wrong. A function is right where it is called without its keywords, and
these are the places where learners turn off. Mistakes that have a shape of their own stand beside it."""

from __future__ import annotations

import hashlib
import json
import operator
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np

from utils.course.labs.flash import CURRENT, Files, Flash, place_of

FORMAT = "bundle 1"
MODEL, STATES = "model.onnx", "states.json"  # files of every bundle
SIGNS = ("|", ":", "-", "_", "/", ",", " ")  # that people put between the parts of a key


def best_token(likeness: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """(n_products, n_query): of each query token the best of the product's real ones."""
    return np.where(is_real[:, None, :], likeness, -np.inf).max(axis=2)


def late_scores(
    query: np.ndarray,
    weights: np.ndarray,
    states: np.ndarray,
    scales: np.ndarray,
    mask: np.ndarray,
    *,
    of_tokens: Callable[[np.ndarray, np.ndarray], np.ndarray] = best_token,
    scales_of: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda scales, mask: scales,
    is_weighted: bool = True,
) -> np.ndarray:
    vectors = states.astype(np.float64) * scales_of(scales, mask)[:, :, None]
    found = of_tokens(np.einsum("qd,ptd->pqt", query, vectors), mask.astype(bool))
    return found @ (weights if is_weighted else np.ones(len(weights)))


def largest_of_all(likeness: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    return likeness.max(axis=2)


def fillers_at_zero(likeness: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    return np.where(is_real[:, None, :], likeness, 0.0).max(axis=2)


def sum_of_tokens(likeness: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    return np.where(is_real[:, None, :], likeness, 0.0).sum(axis=2)


def mean_of_tokens(likeness: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    return sum_of_tokens(likeness, is_real) / is_real.sum(axis=1)[:, None]


def furthest_token(likeness: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    return best_token(np.abs(likeness), is_real)


def one_scale_a_product(scales: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.where(mask, scales, 0).max(axis=1)[:, None], scales.shape)


def by_product_token(
    query: np.ndarray, weights: np.ndarray, states: np.ndarray, scales: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Every product token takes its best query token, and these are added up."""
    likeness = np.einsum("qd,ptd->pqt", query, states * scales[:, :, None]) * weights[None, :, None]
    return (likeness.max(axis=1) * mask).sum(axis=1)


def read_query(query: str) -> str:
    """As the ranker reads it: letters of either case, composed or not, and single spaces are the same."""
    return " ".join(unicodedata.normalize("NFC", query).lower().split())


def composed(query: str) -> str:
    return unicodedata.normalize("NFC", query)


def as_json(*parts: str) -> str:
    return json.dumps(parts)


def key_of(
    model_hash: str,
    catalogue_version: str,
    query: str,
    *,
    read: Callable[[str], str] = read_query,
    join: Callable[..., str] = as_json,
    parts_of: Callable[[str, str, str], tuple[str, ...]] = lambda model, catalogue, query: (model, catalogue, query),
) -> str:
    return hashlib.sha256(join(*parts_of(model_hash, catalogue_version, read(query))).encode()).hexdigest()


class Cache:
    """Bytes by key, the least recently used first to go. The keywords are what learners take for it."""

    def __init__(
        self,
        max_bytes: int,
        ttl_s: float,
        *,
        size: Callable[[str, bytes], int] = lambda key, value: len(key.encode()) + len(value),
        is_alive: Callable[[float, float], bool] = operator.lt,
        fits: Callable[[int, int], bool] = operator.le,
        get_is_use: bool = True,
        get_renews: bool = False,
        newest_goes: bool = False,
        refuses_large: bool = True,
        replaces: bool = True,
        frees_replaced: bool = True,
        goes_on: bool = True,
    ) -> None:
        self.max_bytes, self.ttl_s, self.size, self.is_alive, self.fits = max_bytes, ttl_s, size, is_alive, fits
        self.get_is_use, self.get_renews, self.newest_goes = get_is_use, get_renews, newest_goes
        self.refuses_large, self.replaces, self.frees_replaced, self.goes_on = (
            refuses_large,
            replaces,
            frees_replaced,
            goes_on,
        )
        self.entries: dict[str, tuple[bytes, float]] = {}  # the least recently used first
        self.n_bytes = 0

    def get(self, key: str, now_s: float) -> bytes | None:
        if key not in self.entries:
            return None
        value, stored_s = self.entries[key]
        if not self.is_alive(now_s - stored_s, self.ttl_s):
            self._drop(key)
            return None
        if self.get_is_use:
            del self.entries[key]
        self.entries[key] = (value, now_s if self.get_renews else stored_s)
        return value

    def put(self, key: str, value: bytes, now_s: float) -> None:
        size = self.size(key, value)
        if (self.refuses_large and size > self.max_bytes) or (not self.replaces and key in self.entries):
            return
        if key in self.entries:
            self._drop(key, frees=self.frees_replaced)
        while self.entries and not self.fits(self.n_bytes + size, self.max_bytes):
            self._drop(list(self.entries)[-1 if self.newest_goes else 0])
            if not self.goes_on:
                break
        self.entries[key] = (value, now_s)
        self.n_bytes += size

    def _drop(self, key: str, *, frees: bool = True) -> None:
        value, _ = self.entries.pop(key)
        self.n_bytes -= self.size(key, value) if frees else 0


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def all_named(manifest: Mapping, files: Files) -> str | None:
    for name, digest in manifest["files"].items():
        if name not in files:
            return "missing"
        if sha256(files[name]) != digest:
            return "changed"
    return None


def made_by_its_model(manifest: Mapping, files: Files) -> str | None:
    return None if json.loads(files[STATES])["model_sha256"] == manifest["files"][MODEL] else "mixed"


def of_our_format(manifest: Mapping, files: Files) -> str | None:
    return None if manifest["format"] == FORMAT else "format"


Look = Callable[[Mapping, Files], str | None]
LOOKS: tuple[Look, ...] = (of_our_format, all_named, made_by_its_model)


def reason_to_refuse(
    manifest: Mapping,
    files: Files,
    installed: int | None,
    *,
    looks: tuple[Look, ...] = LOOKS,
    is_older: Callable[[int, int], bool] = operator.lt,
    version_first: bool = False,
) -> str | None:
    older = "older" if installed is not None and is_older(manifest["version"], installed) else None
    if version_first and older:
        return older
    return next((reason for look in looks if (reason := look(manifest, files))), older)


def only_what_came(manifest: Mapping, files: Files) -> str | None:
    """A file that the manifest names, and that did not come, is not missed."""
    named = {name: data for name, data in files.items() if name in manifest["files"]}
    return next(("changed" for name, data in named.items() if sha256(data) != manifest["files"][name]), None)


def only_names(manifest: Mapping, files: Files) -> str | None:
    return None if set(manifest["files"]) <= set(files) else "missing"


def no_others(manifest: Mapping, files: Files) -> str | None:
    return all_named(manifest, files) or ("changed" if set(files) - set(manifest["files"]) else None)


def first_file(manifest: Mapping, files: Files) -> str | None:
    first = dict(list(manifest["files"].items())[:1])
    return only_names(manifest, files) or all_named({"files": first}, files)


def write_files(flash: Flash, version: int, files: Files) -> None:
    for name, data in files.items():
        flash.write(place_of(version, name), data)


def flip(flash: Flash, version: int) -> None:
    flash.write("next", str(version).encode())
    flash.rename("next", CURRENT)


def install(
    flash: Flash,
    version: int,
    files: Files,
    *,
    write: Callable[[Flash, int, Files], None] = write_files,
    point: Callable[[Flash, int], None] = flip,
    begins_with: Callable[[Flash], None] = lambda flash: None,
    points_first: bool = False,
) -> None:
    begins_with(flash)
    if points_first:
        point(flash, version)
    write(flash, version, files)
    if not points_first:
        point(flash, version)


def flip_before_the_last(flash: Flash, version: int, files: Files) -> None:
    *first, last = files
    write_files(flash, version, {name: files[name] for name in first})
    flip(flash, version)
    write_files(flash, version, {last: files[last]})


def point_in_place(flash: Flash, version: int) -> None:
    flash.write(CURRENT, str(version).encode())


def remove_and_rename(flash: Flash, version: int) -> None:
    flash.write("next", str(version).encode())
    if CURRENT in flash.names():
        flash.remove(CURRENT)
    flash.rename("next", CURRENT)


def remove_old_files(flash: Flash) -> None:
    for name in flash.names():
        if name.startswith("versions/"):
            flash.remove(name)


def write_what_is_not_there(flash: Flash, version: int, files: Files) -> None:
    write_files(
        flash, version, {name: data for name, data in files.items() if place_of(version, name) not in flash.names()}
    )


def over_the_old(flash: Flash, version: int, files: Files) -> None:
    """The files of the version in use are written over, and then the folder is called by the new version."""
    if CURRENT in flash.names():
        write_files(flash, int(flash.read(CURRENT)), files)
    install(flash, version, files)
