"""Raw user ids are found in every kind of file that a run writes, and pseudonyms and chance are not taken for them."""

import gzip
import io
import json
import pickle
import sqlite3
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from utils.edge import pseudonyms, raw_ids
from utils.edge.raw_ids import Found

IDS = ["u003", "u017", "größe-7"]


def zipped(data, *, name="events.csv"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def saved(array, **how):
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def database(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (day TEXT, user_id TEXT, note BLOB)")
        connection.execute("INSERT INTO events VALUES ('2026-01-01', 'u003', 'x')")
    connection.close()
    return path.read_bytes()


def arrow(write):
    table = pa.table({"n": [1.0, 2.0], "user_id": ["u001", "u003"], "more": ["a", "b"]})
    file = io.BytesIO()
    write(table, file)
    return file.getvalue()


def as_stream(table, file):
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


LINE = b"2026-01-01,u003,q1\n"
FILES = {
    "plain.csv": LINE,
    "cut in the middle.json": b'{"user": "u003", "',
    "utf-16.txt": LINE.decode().encode("utf-16"),
    "utf-16-be.txt": LINE.decode().encode("utf-16-be"),
    "packed.zip": zipped(LINE),
    "twice.zip": zipped(zipped(LINE), name="inner.zip"),
    "log.gz": gzip.compress(LINE),
    "strings.npy": saved(np.array(["u001", "u003"])),
    "several.npz": zipped(saved(np.array(["u001", "u003"])), name="users.npy"),
    "objects.npy": saved(np.array(["u003", None], dtype=object), allow_pickle=True),
    "kept.pickle": pickle.dumps({"user": "u003"}),
    "table.arrow": arrow(as_stream),
    "table.parquet": arrow(lambda table, file: pa.parquet.write_table(table, file, compression="zstd")),
    "damaged.zip": zipped(b"x")[:30] + LINE,
}


@pytest.mark.parametrize("name", FILES)
def test_an_id_is_found_in_every_kind_of_file_with_its_name_and_place(tmp_path, name):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).write_bytes(FILES[name])
    (tmp_path / "clean.txt").write_text("nobody here")
    (found,) = raw_ids.found_in(tmp_path, IDS)
    assert (found.user_id, found.file) == ("u003", f"deep/{name}") and "byte" in found.place


def test_an_id_in_a_database_is_found_by_its_table_and_row(tmp_path):
    database(tmp_path / "cache.sqlite")
    (found,) = raw_ids.found_in(tmp_path, IDS)
    assert found == Found("u003", "cache.sqlite", "table events, row 1, utf-8, byte 0")


def test_an_id_within_a_value_of_a_database_is_found(tmp_path):
    with sqlite3.connect(tmp_path / "cache.sqlite") as connection:
        connection.execute("CREATE TABLE entries (value BLOB)")
        connection.execute("INSERT INTO entries VALUES (?)", (zipped(LINE),))
    connection.close()
    assert [one.user_id for one in raw_ids.found_in(tmp_path, IDS)] == ["u003"]


def test_the_place_is_the_first_byte_of_the_id(tmp_path):
    (tmp_path / "a.csv").write_bytes(LINE)
    assert raw_ids.found_in(tmp_path, IDS) == [Found("u003", "a.csv", "utf-8, byte 11")]


def test_an_id_in_the_name_of_a_file_is_found(tmp_path):
    (tmp_path / "u017.sqlite").write_bytes(b"")
    assert raw_ids.found_in(tmp_path, IDS) == [Found("u017", "u017.sqlite", "its name, utf-8, byte 0")]


def test_an_id_with_letters_beyond_ascii_is_found_as_json_writes_it_too(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(["größe-7"]))
    (tmp_path / "b.json").write_text(json.dumps(["größe-7"], ensure_ascii=False), encoding="utf-8")
    assert [(one.user_id, one.file) for one in raw_ids.found_in(tmp_path, IDS)] == [
        ("größe-7", "a.json"),
        ("größe-7", "b.json"),
    ]


def test_a_part_of_a_longer_word_is_no_id(tmp_path):
    (tmp_path / "a.txt").write_text("xu003 u0031 u003_ \\u0031")
    (tmp_path / "b.txt").write_bytes("u0031 xu003".encode("utf-16"))
    assert raw_ids.found_in(tmp_path, IDS) == []


def test_pseudonyms_and_the_numbers_of_a_model_are_no_ids(tmp_path):
    (tmp_path / "events.csv").write_text(pseudonyms.of("u003", bytes(32)))
    (tmp_path / "model.safetensors").write_bytes(b"\0 u003 \0")
    np.save(tmp_path / "states.npy", np.frombuffer(b" u003   ", dtype=np.int8))
    assert raw_ids.found_in(tmp_path, IDS) == []
    long_id = "customer-4711"
    (tmp_path / "model.safetensors").write_bytes(f"\0 {long_id} \0".encode())
    assert [one.user_id for one in raw_ids.found_in(tmp_path, [*IDS, long_id])] == [long_id]


def test_each_file_and_each_id_is_named_once(tmp_path):
    (tmp_path / "a.csv").write_bytes(LINE * 3 + b"u017")
    (tmp_path / "b.csv").write_bytes(LINE)
    found = [(one.user_id, one.file) for one in raw_ids.found_in(tmp_path, IDS)]
    assert sorted(found) == [("u003", "a.csv"), ("u003", "b.csv"), ("u017", "a.csv")]


@pytest.mark.parametrize("ids", [[], [""], ["u003", ""]])
def test_a_search_for_nothing_is_refused_for_it_would_find_nothing(tmp_path, ids):
    with pytest.raises(ValueError, match="no ids to look for, or an empty one"):
        raw_ids.found_in(tmp_path, ids)
