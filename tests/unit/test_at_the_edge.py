"""The factors follow from their parts, devices live through the events, and nothing of a user is written."""

import itertools
import socket
from dataclasses import replace
from types import SimpleNamespace

import made
import pytest
from datasets import Dataset

from utils.course import at_the_edge
from utils.course.at_the_edge import Device, Factors, Parts
from utils.data.catalogue import Catalogue
from utils.edge import placement, pseudonyms, raw_ids
from utils.rank import runtimes
from utils.speed import cache_replay
from utils.speed.cache import Cache
from utils.speed.cache_replay import Search

PARTS = Parts(
    round_trip_ms=80.0,
    server_ms=20.0,
    device_ms=10.0,
    hit_ms=0.5,
    hit_rate=0.6,
    server_bytes=90_000_000,
    bundle_bytes=9_000_000,
    cache_bytes=1_000_000,
)
DAY = 86_400.0
SEARCHES = [Search(DAY * day, f"u00{user}", f"query {n % 3}") for day in range(4) for user in (1, 2) for n in range(5)]


def test_the_factors_multiply_to_the_delay_and_the_storage_of_a_device():
    found = at_the_edge.forecast(PARTS)
    assert found == Factors(100.0, 0.1, pytest.approx(0.43), 90_000_000, 0.1, pytest.approx(10 / 9))
    assert found.new_delay_ms == pytest.approx(0.6 * 0.5 + 0.4 * 10)
    assert found.new_storage_bytes == pytest.approx(10_000_000)


def test_a_cache_that_answers_nothing_makes_nothing_sooner_and_a_slow_device_makes_it_later():
    assert at_the_edge.forecast(replace(PARTS, hit_rate=0.0)).delay_cache == 1.0
    assert at_the_edge.forecast(replace(PARTS, device_ms=200.0)).delay_local == 2.0


def test_the_ledgers_rows_give_the_local_factors():
    teacher = made.row(latency_ms=made.LATENCY | {"p50": 20.0}, disk_bytes=90_000_000)
    small = made.row(latency_ms=made.LATENCY | {"p50": 10.0}, disk_bytes=9_000_000)
    assert at_the_edge.by_the_ledger(teacher, small, round_trip_ms=80.0) == (0.1, 0.1)


def test_halves_are_of_the_time_and_devices_are_the_users_who_search_most():
    first, second = at_the_edge.halves(SEARCHES)
    assert first + second == SEARCHES and max(one.at_s for one in first) == DAY < min(one.at_s for one in second)
    more = [*SEARCHES, Search(4 * DAY, "u002", "x"), Search(4 * DAY, "u003", "x")]
    assert list(at_the_edge.of_devices(more, n_devices=2)) == ["u002", "u001"]
    with pytest.raises(ValueError, match="4 devices and 3 users in the events"):
        at_the_edge.of_devices(more, n_devices=4)


@pytest.fixture
def live(tmp_path):
    """Lives through the searches on two devices; gives what they lived, and the queries that were ranked."""

    def of(found, **how):
        asked, ticks = [], itertools.count(step=0.002)
        lived = at_the_edge.live(
            at_the_edge.of_devices(found, n_devices=2),
            folder=tmp_path,
            rank=lambda query: asked.append(query) or ["p1", "p2"],
            model_hash="m",
            catalogue_version="c",
            clock=lambda: next(ticks),
            **{"max_bytes": 10_000} | how,
        )
        return lived, asked

    return of


def test_each_device_ranks_each_query_once_and_has_it_from_then_on(live):
    lived, asked = live(SEARCHES)
    assert asked == ["query 0", "query 1", "query 2"] * 2  # one device knows nothing of the other
    assert (lived.n_devices, lived.n_searches) == (2, 40) and lived.hit_rate == pytest.approx(34 / 40)
    assert lived.mean_ms == pytest.approx(2.0) and lived.cache_bytes == 3 * (64 + len('["p1", "p2"]'))


def test_answers_expire_in_the_time_of_the_events(live):
    lived, asked = live(SEARCHES, ttl_s=DAY)
    assert len(asked) == 24 and lived.hit_rate == pytest.approx(16 / 40)


def test_forecast_and_lived_stand_side_by_side_and_go_into_a_row(live):
    lived, _ = live(SEARCHES)
    factors = at_the_edge.forecast(PARTS)
    table = at_the_edge.compare(PARTS, factors, lived)
    assert table.loc["hit rate"].tolist() == ["60%", "85%"]
    assert table.loc["D', ms to an answer"].tolist() == ["4.30", "2.00"]
    assert table.loc["S' / S"].tolist() == ["11.1%", "10.0%"]
    group = at_the_edge.group(PARTS, factors, lived)
    assert group["forecast_ms"] == pytest.approx(4.3) and group["lived_ms"] == pytest.approx(2.0)
    assert made.row(local=group).value("local.hit_rate") == pytest.approx(0.85)


def test_answers_of_a_cache_are_those_of_the_ranker_even_when_there_are_none(tmp_path):
    cache = Cache(tmp_path / "c.sqlite", max_bytes=1_000)
    found = {"sofa": ["p2", "p1"], "nothing": []}
    device = Device(found.__getitem__, cache, "m", "c")
    assert [device.answer(query) for query in (*found, *found)] == [
        (["p2", "p1"], False),
        ([], False),
        (["p2", "p1"], True),
        ([], True),
    ]
    cache.close()


def test_times_are_of_the_ranked_and_of_the_cached_answer_to_each_query(tmp_path):
    cache, ticks = Cache(tmp_path / "c.sqlite", max_bytes=1_000), iter([0, 9, 10, 11, 20, 27, 30, 32])
    device = Device(lambda query: ["p1"], cache, "m", "c")
    ranked, cached = at_the_edge.answer_times(device, ["sofa", "mug", "sofa"], clock=lambda: next(ticks))
    assert (ranked.samples_ms, cached.samples_ms) == ((9_000, 7_000), (1_000, 2_000))
    with pytest.raises(ValueError, match="'mug' is to be asked of an empty cache"):
        at_the_edge.answer_times(device, ["mug"])
    cache.close()


def test_a_device_ranks_with_a_model_and_nothing_leaves_it(small_folder, tmp_path, monkeypatch):
    ranker = runtimes.open_ranker(small_folder, runtime="onnxruntime", threads=1, max_tokens=32)
    texts = {"p1": "blue mug", "p2": "red velvet sofa"}

    def rank(query):
        scores = ranker.score([(query, text) for text in texts.values()])
        return [name for _, name in sorted(zip(-scores, texts, strict=True))]

    def refuse(*_, **__):
        raise AssertionError("something was sent")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    cache = Cache(tmp_path / "c.sqlite", max_bytes=1_000)
    device = Device(rank, cache, "m", "c")
    first, again = device.answer("red sofa"), device.answer("red sofa")
    assert sorted(first[0]) == ["p1", "p2"] and first == (again[0], False) and again[1]
    cache.close()


@pytest.fixture
def run(tmp_path):
    """A run whose shop has events of two users."""
    names = ("time", "user_id", "query_id", "product_id", "event", "position")
    rows = [(f"2026-01-0{day}", f"u00{user}", "q1", "p1", "view", "1") for day in (1, 2) for user in (1, 2)]
    events = Dataset.from_list([dict(zip(names, row, strict=True)) for row in rows])
    queries = Dataset.from_dict({"query_id": ["q1"], "query": ["red sofa"]})
    shop = Catalogue("made", queries, None, None, events, top_gain=1, hash="h")
    return SimpleNamespace(catalogue=shop, folder=tmp_path / "run")


def test_what_devices_write_holds_pseudonyms_and_no_user_id(run, tmp_path):
    found = at_the_edge.private_searches(run, key_file=tmp_path / "key")
    assert len({one.user_id for one in found}) == 2 and not {"u001", "u002"} & {one.user_id for one in found}
    key = pseudonyms.load_key(tmp_path / "key", apart_from=run.folder)
    assert found[0].user_id == pseudonyms.of("u001", key)
    how = {"rank": lambda query: ["p1"], "model_hash": "m", "catalogue_version": "c", "max_bytes": 1_000}
    at_the_edge.live(at_the_edge.of_devices(found, n_devices=2), folder=run.folder, **how)
    assert len(list(run.folder.glob("*.sqlite"))) == 2
    assert raw_ids.found_in(run.folder, ["u001", "u002"]) == []


def test_without_pseudonyms_the_search_for_raw_ids_finds_them(run):
    found = cache_replay.searches(run.catalogue)
    how = {"rank": lambda query: ["p1"], "model_hash": "m", "catalogue_version": "c", "max_bytes": 1_000}
    at_the_edge.live(at_the_edge.of_devices(found, n_devices=2), folder=run.folder, **how)
    assert {one.user_id for one in raw_ids.found_in(run.folder, ["u001", "u002"])} == {"u001", "u002"}


def test_the_table_of_what_is_sent_has_every_placement_and_nothing_for_the_device():
    table = at_the_edge.sent_table(
        query="red sofa", history=["mug"], user="f00d", states=[[0.5, 1.0]], product_ids=["p1"]
    )
    assert table.index.tolist() == list(placement.PLACEMENTS)
    assert table.loc[placement.DEVICE].tolist() == ["–", "0", "nothing"]
    assert table.loc[placement.SERVER, "fields"] == "user, query, history"
