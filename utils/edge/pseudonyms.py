"""User ids replaced by a keyed hash, before anything is written: the same user stays the same, and nobody is named.

A hash without a key would not do, for whoever has a list of users hashes it and compares. With a key only its holder
can; so the key lies apart from every run's folder, readable by its owner alone. These are pseudonyms and not anonymous
data: who joins them with a shop's searches may still recognize somebody.

Source: Krawczyk, Bellare, Canetti, "HMAC: Keyed-Hashing for Message Authentication", RFC 2104, 1997,
https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import replace
from pathlib import Path

from datasets import Dataset

from utils import settings
from utils.data.catalogue import Catalogue

KEY_BYTES = 32
N_DIGITS = 32  # hexadecimal, of a pseudonym: 128 bits, so that no two users share one


def key_file() -> Path:
    """Where the key lies when nothing else is said: beside the runs' folders and in none of them."""
    return settings.ARTIFACTS / ".keys" / "pseudonyms.key"


def load_key(path: Path, *, apart_from: Path) -> bytes:
    """The key in a file, which is made of random bytes where there is none.

    Args:
        apart_from: the run's folder, which is handed on; the key must not lie in it.

    Raises:
        ValueError: it would lie in that folder, others may read it, or it is cut short.
    """
    path = path.resolve()
    if path.is_relative_to(apart_from.resolve()):
        raise ValueError(f"{path}: the key must not lie in {apart_from}, which is handed on; give another place")
    if not path.exists():
        _make(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ValueError(f"{path}: others may read this key; say: chmod 600 '{path}'")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path}: holds {len(key)} bytes and no key of {KEY_BYTES}; remove it, and a new one is made")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(KEY_BYTES))


def of(user_id: str, key: bytes) -> str:
    """A user's pseudonym, 32 hexadecimal digits: the same for the same key, and unlike anything for another one."""
    return hmac.new(key, user_id.encode(), hashlib.sha256).hexdigest()[:N_DIGITS]


def applied(catalogue: Catalogue, *, key: bytes) -> Catalogue:
    """The catalogue with pseudonyms in the place of the user ids of its events; unchanged where it has no events."""
    if catalogue.events is None:
        return catalogue
    users = catalogue.events["user_id"][:]
    hidden = {user: of(user, key) for user in set(users)}
    columns = {name: catalogue.events[name][:] for name in catalogue.events.column_names}
    return replace(catalogue, events=Dataset.from_dict(columns | {"user_id": [hidden[user] for user in users]}))
