"""Lab 11 as learners get it wrong: (task, function, what the message has to name)."""

import hashlib
import json
import unicodedata

import numpy as np


def join_of_all_tokens(query, weights, states, scales, mask):
    return (np.einsum("qd,ptd->pqt", query, states * scales[..., None])).max(axis=2) @ weights


def join_with_mask_times(query, weights, states, scales, mask):
    return (np.einsum("qd,ptd->pqt", query, states * scales[..., None]) * mask[:, None]).max(axis=2) @ weights


def join_without_scales(query, weights, states, scales, mask):
    likeness = np.einsum("qd,ptd->pqt", query, states.astype(float))
    return np.where(mask[:, None] == 1, likeness, -1e9).max(axis=2) @ weights


def join_from_the_product(query, weights, states, scales, mask):
    likeness = np.einsum("qd,ptd->ptq", query * weights[:, None], states * scales[..., None])
    return np.where(mask == 1, likeness.max(axis=2), 0).sum(axis=1)


def join_that_weighs_nothing(query, weights, states, scales, mask):
    likeness = np.einsum("qd,ptd->pqt", query, states * scales[..., None])
    return np.where(mask[:, None] == 1, likeness, -1e9).max(axis=2).sum(axis=1)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def key_of_the_query(model_hash, catalogue_version, query):
    return digest(json.dumps(" ".join(unicodedata.normalize("NFC", query).lower().split())))


def key_as_typed(model_hash, catalogue_version, query):
    return digest(json.dumps([model_hash, catalogue_version, query]))


def key_with_bars(model_hash, catalogue_version, query):
    query = " ".join(unicodedata.normalize("NFC", query).lower().split())
    return digest(f"{model_hash}|{catalogue_version}|{query}")


def key_of_bytes_as_they_are(model_hash, catalogue_version, query):
    return digest(json.dumps([model_hash, catalogue_version, " ".join(query.lower().split())]))


def key_by_hash(model_hash, catalogue_version, query):
    return str(hash((model_hash, catalogue_version, query.lower())))


class CacheInOrder:
    """The first that came goes."""

    is_moved, renews, least = False, False, 0

    def __init__(self, max_bytes, ttl_s):
        self.max_bytes, self.ttl_s, self.entries = max_bytes, ttl_s, {}

    def get(self, key, now_s):
        if key not in self.entries or now_s - self.entries[key][1] >= self.ttl_s + self.least:
            return None
        if self.is_moved:
            self.entries[key] = self.entries.pop(key)
        if self.renews:
            self.entries[key] = (self.entries[key][0], now_s)
        return self.entries[key][0]

    def put(self, key, value, now_s):
        if self.size(key, value) > self.max_bytes:
            return
        self.entries.pop(key, None)
        self.entries[key] = (value, now_s)
        while sum(self.size(one, other) for one, (other, _) in self.entries.items()) > self.max_bytes:
            del self.entries[next(iter(self.entries))]

    def size(self, key, value):
        return len(key) + len(value)


class CacheOfValues(CacheInOrder):
    is_moved = True

    def size(self, key, value):
        return len(value)


class CacheThatRenews(CacheInOrder):
    is_moved = renews = True


class CacheOfTooOld(CacheInOrder):
    is_moved, least = True, 1e-9


def reason_by_names(manifest, files, installed):
    if manifest["format"] != "bundle 1":
        return "format"
    if any(name not in files for name in manifest["files"]):
        return "missing"
    if json.loads(files["states.json"])["model_sha256"] != manifest["files"]["model.onnx"]:
        return "mixed"
    return "older" if installed is not None and manifest["version"] < installed else None


def reason_without(
    manifest, files, installed, *, asks_whose=True, too_old=lambda version, installed: version < installed
):
    if manifest["format"] != "bundle 1":
        return "format"
    for name, wanted in manifest["files"].items():
        if name not in files:
            return "missing"
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            return "changed"
    if asks_whose and json.loads(files["states.json"])["model_sha256"] != manifest["files"]["model.onnx"]:
        return "mixed"
    return "older" if installed is not None and too_old(manifest["version"], installed) else None


def reason_of_any_states(manifest, files, installed):
    return reason_without(manifest, files, installed, asks_whose=False)


def reason_of_the_same(manifest, files, installed):
    return reason_without(manifest, files, installed, too_old=lambda version, installed: version <= installed)


def reason_of_texts(manifest, files, installed):
    return reason_without(manifest, files, installed, too_old=lambda version, installed: str(version) < str(installed))


def install_in_place(device, version, files):
    for name, data in files.items():
        device.write(f"versions/{version}/{name}", data)
    device.write("current", str(version).encode())


def install_pointer_first(device, version, files):
    device.write("current.new", str(version).encode())
    device.rename("current.new", "current")
    for name, data in files.items():
        device.write(f"versions/{version}/{name}", data)


def install_what_is_missing(device, version, files):
    for name, data in files.items():
        if f"versions/{version}/{name}" not in device.names():
            device.write(f"versions/{version}/{name}", data)
    device.write("current.new", str(version).encode())
    device.rename("current.new", "current")


def install_after_tidying(device, version, files):
    for name in device.names():
        if name != "current":
            device.remove(name)
    install_what_is_missing(device, version, files)


WRONG = [
    ("late_scores", join_of_all_tokens, "fillers are looked at"),
    ("late_scores", join_with_mask_times, "a filler counts 0"),
    ("late_scores", join_without_scales, "the scales left out"),
    ("late_scores", join_from_the_product, "its best query token"),
    ("late_scores", join_that_weighs_nothing, "all weigh the same"),
    ("key_of", key_of_the_query, "the query alone is the key"),
    ("key_of", key_as_typed, "as it was typed"),
    ("key_of", key_with_bars, "stands between the parts"),
    ("key_of", key_of_bytes_as_they_are, "a letter of two characters"),
    ("key_of", key_by_hash, "64 hexadecimal digits"),
    ("cache", CacheInOrder, "put first goes"),
    ("cache", CacheOfValues, "keys take no room"),
    ("cache", CacheThatRenews, "begins the time to live anew"),
    ("cache", CacheOfTooOld, "as old as its time to live"),
    ("reason_to_refuse", reason_by_names, "because it is there"),
    ("reason_to_refuse", reason_of_any_states, "whose states they are"),
    ("reason_to_refuse", reason_of_the_same, "the version in use counts as older"),
    ("reason_to_refuse", reason_of_texts, "compared as text"),
    ("install", install_in_place, "written over in its place"),
    ("install", install_pointer_first, "before the files are there"),
    ("install", install_what_is_missing, "taken to be whole"),
    ("install", install_after_tidying, "the old files are removed first"),
]
