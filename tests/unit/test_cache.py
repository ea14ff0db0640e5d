"""The cache gives back what was put in, within its bounds, across processes and kills, and survives a damaged file."""

import sqlite3
import subprocess
import sys
import threading
import unicodedata
import warnings

import numpy as np
import pytest

from utils.rank import models
from utils.speed import cache as caches
from utils.speed.cache import Cache, from_bytes, key_of, to_bytes


class Clock:
    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_cache(tmp_path, clock):
    """Opens the cache of this test, anew at every call; all are closed at the end."""
    opened = []

    def open_one(*, max_bytes=10_000, ttl_s=None):
        opened.append(Cache(tmp_path / "c.sqlite", max_bytes=max_bytes, ttl_s=ttl_s, clock=clock))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def test_what_was_put_is_there_and_what_was_not_is_not(open_cache):
    cache = open_cache()
    cache.put("a", b"one\0two")
    cache.put("b", b"")
    assert cache.get("a") == b"one\0two" and cache.get("b") == b"" and cache.get("c") is None
    cache.put("a", b"new")
    assert cache.get("a") == b"new"
    found = cache.stats
    assert (found.hits, found.misses, found.n_entries, found.n_bytes) == (3, 1, 2, len("ab") + 3)
    assert found.hit_rate == 0.75


def test_it_outlives_its_process(open_cache):
    open_cache().put("a", b"one")
    assert open_cache().get("a") == b"one" and open_cache().stats.n_entries == 1


def test_the_least_recently_used_goes_first_and_the_bound_holds(open_cache):
    cache = open_cache(max_bytes=33)
    for key in "abc":
        cache.put(key, b"x" * 10)
    assert cache.get("a")  # used again, so that b is the oldest
    cache.put("d", b"x" * 10)
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    cache.put("e", b"x" * 25)  # takes the room of three
    assert cache.stats.n_bytes <= 33 and cache.stats.evicted == 4 and cache.get("e") == b"x" * 25


def test_use_is_remembered_by_the_file_and_not_by_the_process(open_cache):
    first = open_cache(max_bytes=22)
    first.put("a", b"x" * 10), first.put("b", b"x" * 10)
    open_cache(max_bytes=22).get("a")
    first.put("c", b"x" * 10)
    assert first.get("a") and not first.get("b")


def test_a_value_larger_than_the_whole_cache_is_not_kept_and_drives_nothing_out(open_cache):
    cache = open_cache(max_bytes=20)
    cache.put("a", b"one")
    cache.put("b", b"x" * 20)
    assert cache.get("b") is None and cache.get("a") == b"one" and cache.stats.refused == 1


def test_the_file_does_not_grow_for_ever(open_cache, tmp_path):
    cache = open_cache(max_bytes=50_000)
    for number in range(400):
        cache.put(f"key {number}", b"x" * 1_000)
        cache.get(f"key {number - 7}")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 50_000 + 400_000
    cache.close()
    assert (tmp_path / "c.sqlite").stat().st_size < 2 * 50_000 + 40_000


def test_past_its_time_an_entry_is_given_out_no_more(open_cache, clock):
    cache = open_cache(ttl_s=60)
    cache.put("a", b"one")
    clock.now_s += 59.9
    assert cache.get("a") == b"one"
    clock.now_s += 0.1  # being used does not make it live longer
    assert cache.get("a") is None and cache.stats.expired == 1 and cache.stats.n_entries == 0


def test_an_entry_from_the_future_is_not_trusted(open_cache, clock):
    cache = open_cache(ttl_s=60)
    cache.put("a", b"one")
    clock.now_s -= 10
    assert cache.get("a") is None


@pytest.mark.parametrize("damage", ["overwritten", "cut", "no database", "another program's"])
def test_a_damaged_file_is_set_aside_and_begun_anew_with_a_warning_that_names_it(open_cache, tmp_path, damage):
    cache, path = open_cache(max_bytes=10**6), tmp_path / "c.sqlite"
    for number in range(50):
        cache.put(f"key {number}", bytes(range(256)) * 10)
    cache.close()
    data = path.read_bytes()
    if damage == "another program's":
        path.unlink()
        sqlite3.connect(path).execute("CREATE TABLE mine (a)").connection.close()
    else:
        kinds = {"overwritten": data[:4096] + b"\xaa" * (len(data) - 4096), "cut": data[:-9000], "no database": b"hi"}
        path.write_bytes(kinds[damage])
    damaged = path.read_bytes()
    with pytest.warns(UserWarning, match=r"c.sqlite: this cache is damaged.*lies in c.sqlite.damaged-1"):
        again = open_cache()
    assert again.get("key 1") is None
    again.put("key 1", b"new")
    assert open_cache().get("key 1") == b"new"
    assert (tmp_path / "c.sqlite.damaged-1").read_bytes() == damaged


def test_a_file_that_is_damaged_while_it_is_used_does_not_stop_the_answers(open_cache, tmp_path):
    cache, keys = open_cache(max_bytes=10**8), [f"key {number}" for number in range(2_000)]
    for key in keys:
        cache.put(key, b"x" * 3_000)  # more than SQLite keeps in memory
    connection = sqlite3.connect(tmp_path / "c.sqlite")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    with (tmp_path / "c.sqlite").open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xaa" * 5_000_000)
    with pytest.warns(UserWarning, match="damaged-1"):
        found = [cache.get(key) for key in keys]
    assert None in found and set(found) <= {None, b"x" * 3_000}
    cache.put("a", b"one")
    assert cache.get("a") == b"one" and cache.stats.n_entries == 1


def test_a_value_whose_bytes_changed_on_disk_is_not_given_out(open_cache, tmp_path):
    cache = open_cache()
    cache.put("a", b"a price of 10")
    cache.close()
    with sqlite3.connect(tmp_path / "c.sqlite") as connection:
        connection.execute("UPDATE entries SET value = ?", (b"a price of 99",))
    connection.close()
    again = open_cache()
    assert again.get("a") is None and again.get("a") is None and again.stats.n_entries == 0


WRITER = """
import sys
from pathlib import Path
from utils.speed.cache import Cache
cache = Cache(Path(sys.argv[1]), max_bytes=10**6)
for number in range(200):
    cache.put(f"{sys.argv[2]} {number}", f"{sys.argv[2]} value {number}".encode())
    assert cache.get(f"{sys.argv[2]} {number}") is not None
"""


def test_two_processes_write_and_read_one_file_at_the_same_time(tmp_path):
    path = tmp_path / "c.sqlite"
    commands = [[sys.executable, "-W", "error", "-c", WRITER, str(path), name] for name in "ab"]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    for one in running:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said.decode()
    cache = Cache(path, max_bytes=10**6)
    keys = [f"{name} {number}" for name in "ab" for number in range(200)]
    assert all(cache.get(key) == key.replace(" ", " value ").encode() for key in keys)
    size = sum(len(key) + len(cache.get(key)) for key in keys)
    assert cache.stats.n_bytes == size
    cache.close()


def test_threads_share_one_cache(open_cache):
    cache, wrong = open_cache(max_bytes=10**6), []

    def work(name):
        for number in range(100):
            cache.put(f"{name}{number}", name.encode())
            wrong.extend([number] if cache.get(f"{name}{number}") != name.encode() else [])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    [one.start() for one in threads], [one.join() for one in threads]
    assert not wrong and cache.stats.hits == 300


def test_a_full_disk_or_a_lock_is_no_damage(open_cache, monkeypatch, tmp_path):
    monkeypatch.setattr(caches, "BUSY_S", 0.0)
    cache = open_cache()
    other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with warnings.catch_warnings(), pytest.raises(sqlite3.OperationalError, match="locked"):
        warnings.simplefilter("error")
        cache.put("a", b"one")
    other.close()
    cache.put("a", b"one")
    assert cache.get("a") == b"one" and not list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize("bounds", [{"max_bytes": 0}, {"max_bytes": 5, "ttl_s": 0}])
def test_a_bound_that_keeps_nothing_is_refused(tmp_path, bounds):
    with pytest.raises(ValueError, match="both must be above 0"):
        Cache(tmp_path / "c.sqlite", **bounds)


KEY = {"model_hash": "0f", "catalogue_version": "7", "query": "red sofa"}


@pytest.mark.parametrize("other", [{"model_hash": "0e"}, {"catalogue_version": "8"}, {"query": "red sofas"}], ids=str)
def test_another_model_catalogue_or_query_has_another_key(other):
    assert key_of(**KEY | other) != key_of(**KEY)
    assert key_of(**KEY) == key_of(**KEY) != key_of(**KEY, kind="states")


def test_parts_of_a_key_do_not_run_into_each_other():
    assert key_of(**KEY | {"model_hash": "0", "catalogue_version": "f7"}) != key_of(**KEY)


@pytest.mark.parametrize("same", ["Red SOFA", "  red   sofa ", "red\tsofa\n"])
def test_queries_with_one_key_are_one_query_to_the_ranker(same):
    tokenizer = models.open_tokenizer()
    assert key_of(**KEY | {"query": same}) == key_of(**KEY)
    assert tokenizer(same)["input_ids"] == tokenizer("red sofa")["input_ids"]


def test_a_letter_is_the_same_however_it_was_typed():
    composed, apart = (unicodedata.normalize(form, "canapé") for form in ("NFC", "NFD"))
    assert composed != apart and key_of(**KEY | {"query": composed}) == key_of(**KEY | {"query": apart})


def test_the_file_of_a_cache_holds_no_query(open_cache, tmp_path):
    cache = open_cache()
    cache.put(key_of(**KEY | {"query": "a secret wish"}), b"answer")
    cache.close()
    assert b"secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(3,), (2, 5), (0, 4), ()])
def test_arrays_come_back_as_they_were_without_pickle(shape):
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    data = to_bytes(array)
    found = from_bytes(data)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.float32 and found.shape == shape and found.flags.writeable
    assert len(data) == 1 + 4 * array.ndim + array.nbytes


def test_what_is_no_array_of_ours_is_refused():
    with pytest.raises(ValueError, match="float64 is not kept; give float32"):
        to_bytes(np.zeros(3))
    for data in (b"", b"\x02\x01", to_bytes(np.zeros(3, dtype=np.float32))[:-1]):
        with pytest.raises(ValueError, match="are no array of cache.to_bytes, or cut short"):
            from_bytes(data)
