"""The course's one cache of answers and states: a bounded, persistent table of bytes in one SQLite file.

SQLite comes with Python, survives a kill at any moment, and serves several processes; it does not wait for the disk, so
that a loss of power may cost the cache, which begins anew. `diskcache`, the usual choice, pickles what it keeps (a file
that somebody else wrote could run code) and has had no release since 2023. What stands in a key decides whether an
answer can be stale: `key_of`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import struct
import threading
import time
import unicodedata
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.data.splits import normal_text

FORMAT = 1  # SQLite's user_version of our files
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
BUSY_S = 10.0  # how long one process waits for another one's write
QUICK = ("synchronous = OFF", "wal_autocheckpoint = 64", "journal_size_limit = 0")  # its log stays under 300 kB
TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries
  (key TEXT PRIMARY KEY, value BLOB, crc INTEGER, n_bytes INTEGER, stored_s REAL, used INTEGER);
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
CREATE TABLE IF NOT EXISTS total (n_bytes INTEGER);
INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);
CREATE TRIGGER IF NOT EXISTS came AFTER INSERT ON entries BEGIN UPDATE total SET n_bytes = n_bytes + NEW.n_bytes; END;
CREATE TRIGGER IF NOT EXISTS went AFTER DELETE ON entries BEGIN UPDATE total SET n_bytes = n_bytes - OLD.n_bytes; END;
PRAGMA user_version = {FORMAT};
COMMIT;
"""
LAST_USED = "(SELECT coalesce(max(used), 0) + 1 FROM entries)"


@dataclass(frozen=True)
class Stats:
    """What one `Cache` object saw, and what the file holds now.

    Attributes:
        expired: of the misses, those whose entry was past its time to live.
        evicted: entries that made room; `refused` were larger than the whole cache.
        n_entries, n_bytes: of keys and values in the file.
    """

    hits: int
    misses: int
    expired: int
    evicted: int
    refused: int
    n_entries: int
    n_bytes: int

    @property
    def hit_rate(self) -> float:
        """Hits of all that was asked for; 0 where nothing was."""
        return self.hits / max(1, self.hits + self.misses)


class Cache:
    """Bytes by key, of which the least recently used go first; threads and processes may share the file.

    A damaged file, or one of another format, is set aside and begun anew, with a warning that names both.

    Args:
        max_bytes: of all keys and values together. SQLite's own pages come on top, about as much again for small ones,
            and while it is open a log of up to 300 kB.
        ttl_s: seconds that an entry is given out; None for ever. It bounds the harm of what no key knows of.
        clock: seconds since some fixed moment, the same for all processes.

    Raises:
        ValueError: a bound is not above 0.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, ttl_s: float | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        if max_bytes <= 0 or (ttl_s is not None and ttl_s <= 0):
            raise ValueError(f"{path}: max_bytes is {max_bytes} and ttl_s is {ttl_s}; both must be above 0")
        self.path, self.max_bytes, self.ttl_s, self.clock = Path(path), max_bytes, ttl_s, clock
        self._counts = dict.fromkeys(("hits", "misses", "expired", "evicted", "refused"), 0)
        self._lock = threading.RLock()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = self._whole()

    def get(self, key: str) -> bytes | None:
        """What was put under the key; None where it was not, went, is past its time, or was damaged on disk."""
        with self._lock:
            value = self._guarded(lambda: self._read(key))
            self._counts["misses" if value is None else "hits"] += 1
            return value

    def put(self, key: str, value: bytes) -> None:
        """Keep a value; others go until it fits. One that is larger than the whole cache is not kept."""
        with self._lock:
            if len(key.encode()) + len(value) > self.max_bytes:
                self._counts["refused"] += 1
            else:
                self._guarded(lambda: self._write(key, bytes(value)))

    @property
    def stats(self) -> Stats:
        """Counts since this object was made, and the present size."""
        with self._lock:
            query = "SELECT (SELECT count(*) FROM entries), (SELECT n_bytes FROM total)"
            found = self._guarded(lambda: self._connection.execute(query).fetchone()) or (0, 0)
            return Stats(**self._counts, n_entries=found[0], n_bytes=found[1])

    def close(self) -> None:
        """Let go of the file; the cache is not to be used after it."""
        self._connection.close()

    def _read(self, key: str) -> bytes | None:
        touched = f"UPDATE entries SET used = {LAST_USED} WHERE key = ? RETURNING value, crc, stored_s"
        rows = self._connection.execute(touched, (key,)).fetchall()
        if not rows:
            return None
        value, crc, stored_s = rows[0]
        is_expired = self.ttl_s is not None and not 0 <= self.clock() - stored_s < self.ttl_s
        if is_expired or zlib.crc32(value) != crc:
            self._counts["expired"] += is_expired
            self._connection.execute("DELETE FROM entries WHERE key = ? AND stored_s = ?", (key, stored_s))
            return None
        return value

    def _write(self, key: str, value: bytes) -> None:
        n_bytes, run = len(key.encode()) + len(value), self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            run("DELETE FROM entries WHERE key = ?", (key,))
            while run("SELECT n_bytes FROM total").fetchone()[0] > self.max_bytes - n_bytes:
                if not run("DELETE FROM entries WHERE used = (SELECT min(used) FROM entries)").rowcount:
                    raise _Damaged(f"{self.path}: its total is not that of its entries")
                self._counts["evicted"] += 1
            entry = (key, value, zlib.crc32(value), n_bytes, self.clock())
            run(f"INSERT INTO entries VALUES (?, ?, ?, ?, ?, {LAST_USED})", entry)
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def _guarded(self, action: Callable[[], object]):
        """The action's result; None where the file turned out to be damaged, and was begun anew."""
        try:
            return action()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._connection.close()
            self._connection = self._whole()
            return None

    def _whole(self) -> sqlite3.Connection:
        try:
            return _connect(self.path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        aside = set_aside(self.path)
        message = f"{self.path}: this cache is damaged or of another format; it lies in {aside.name}, a new one begins"
        warnings.warn(message, stacklevel=3)
        return _connect(self.path)


def _connect(path: Path) -> sqlite3.Connection:
    """The file opened and checked; sqlite3.DatabaseError when it is no cache of ours."""
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (n_tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",) or (n_tables and version != FORMAT):
            raise _Damaged(f"{path}: damaged, or not of format {FORMAT}")
        with contextlib.suppress(sqlite3.OperationalError):  # another process is just doing the same
            connection.execute("PRAGMA journal_mode = WAL")
        for setting in QUICK:
            connection.execute(f"PRAGMA {setting}")
        if not n_tables:
            connection.executescript(TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


class _Damaged(sqlite3.DatabaseError):
    pass


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, _Damaged) or getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED


def set_aside(path: Path) -> Path:
    """Move a damaged file, without SQLite's files beside it, to the first free name `<name>.damaged-<number>`."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    if path.exists():  # another process may have been first
        os.replace(path, aside)
    return aside


def key_of(*, model_hash: str, catalogue_version: str, query: str, kind: str = "answer") -> str:
    """The key of all that decides an answer: 64 hexadecimal digits.

    Letters of either case, composed or not, and any number of spaces are the same. An accent counts, although some
    tokenizers drop it: two keys for one answer cost a miss, one key for two answers would be a wrong one.

    Args:
        kind: what is kept, such as "answer" or "states", so that neither is taken for the other.
    """
    same = normal_text(unicodedata.normalize("NFC", query))
    return hashlib.sha256(json.dumps([kind, model_hash, catalogue_version, same]).encode()).hexdigest()


def to_bytes(array: np.ndarray) -> bytes:
    """A float32 array as bytes without pickle: the number of axes, their lengths, the numbers; little-endian.

    Raises:
        ValueError: it is of another type.
    """
    if array.dtype != np.float32:
        raise ValueError(f"an array of {array.dtype} is not kept; give float32")
    head = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return head + np.ascontiguousarray(array, dtype="<f4").tobytes()


def from_bytes(data: bytes) -> np.ndarray:
    """The array that `to_bytes` wrote; ValueError where the bytes are not its."""
    try:
        shape = struct.unpack_from(f"<{data[0]}I", data, 1)
        return np.frombuffer(data, dtype="<f4", offset=1 + 4 * data[0]).reshape(shape).astype(np.float32)
    except (IndexError, struct.error, ValueError) as error:
        raise ValueError(f"{len(data)} bytes are no array of cache.to_bytes, or cut short ({error})") from None
