"""A device ranks each query once and has it from then on, alone and without a network."""

import itertools
import socket

import pytest

from utils.edge import devices
from utils.edge.devices import Device
from utils.rank import runtimes
from utils.speed.cache import Cache
from utils.speed.cache_replay import Search

DAY = 86_400.0
SEARCHES = [Search(DAY * day, f"u00{user}", f"query {n % 3}") for day in range(4) for user in (1, 2) for n in range(5)]


@pytest.fixture
def live(tmp_path):
    """Lives through the searches on two devices; gives what they lived, and the queries that were ranked."""

    def of(found, **how):
        asked, ticks = [], itertools.count(step=0.002)
        lived = devices.live(
            devices.of_devices(found, n_devices=2),
            folder=tmp_path,
            rank=lambda query: asked.append(query) or ["p1", "p2"],
            model_hash="m",
            catalogue_version="c",
            clock=lambda: next(ticks),
            **{"max_bytes": 10_000} | how,
        )
        return lived, asked

    return of


def test_halves_are_of_the_time_and_devices_are_the_users_who_search_most():
    first, second = devices.halves(SEARCHES)
    assert first + second == SEARCHES and max(one.at_s for one in first) == DAY < min(one.at_s for one in second)
    more = [*SEARCHES, Search(4 * DAY, "u002", "x"), Search(4 * DAY, "u003", "x")]
    assert list(devices.of_devices(more, n_devices=2)) == ["u002", "u001"]
    with pytest.raises(ValueError, match="4 devices and 3 users in the events"):
        devices.of_devices(more, n_devices=4)


def test_each_device_ranks_each_query_once_and_has_it_from_then_on(live, tmp_path):
    lived, asked = live(SEARCHES)
    assert asked == ["query 0", "query 1", "query 2"] * 2  # one device knows nothing of the other
    assert (lived.n_devices, lived.n_searches) == (2, 40) and lived.hit_rate == pytest.approx(34 / 40)
    assert lived.mean_ms == pytest.approx(2.0)
    assert lived.cache_bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) / 2 > 3 * 64


def test_a_second_life_begins_with_empty_caches_as_the_first_did(live):
    first, second = live(SEARCHES), live(SEARCHES)
    assert second == first and second[0].hit_rate < 1


def test_answers_expire_in_the_time_of_the_events(live):
    lived, asked = live(SEARCHES, ttl_s=DAY)
    assert len(asked) == 24 and lived.hit_rate == pytest.approx(16 / 40)


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
    ranked, cached = devices.answer_times(device, ["sofa", "mug", "sofa"], clock=lambda: next(ticks))
    assert (ranked.samples_ms, cached.samples_ms) == ((9_000, 7_000), (1_000, 2_000))
    with pytest.raises(ValueError, match="'mug' is to be asked of an empty cache"):
        devices.answer_times(device, ["mug"])
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
