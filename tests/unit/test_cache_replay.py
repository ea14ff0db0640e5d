"""A replay asks for every search once, at its time, and says what a cache of each size would have answered."""

from types import SimpleNamespace

import pytest
from datasets import Dataset

from utils import settings
from utils.data import catalogue
from utils.speed import cache_replay
from utils.speed.cache import Cache
from utils.speed.cache_replay import EventClock, Search

DAY = 86_400
NAMES = ("time", "user_id", "query_id", "product_id", "event", "position")
ROWS = [
    ("2026-01-01", "u1", "q1", "p1", "view", "1"),
    ("2026-01-01", "u1", "q1", "p2", "click", "2"),
    ("2026-01-01", "u1", "q1", "p1", "view", "1"),  # the same query once more
    ("2026-01-01", "u2", "q1", "p1", "view", "1"),
    ("2026-01-03", "u1", "q2", "p1", "view", "1"),
    ("2026-01-02T12:00:00", "u2", "q1", "p1", "view", "1"),  # out of order
]


def shop(rows=ROWS):
    queries = Dataset.from_dict({"query_id": ["q1", "q2"], "query": ["red sofa", "blue mug"]})
    events = Dataset.from_list([dict(zip(NAMES, row, strict=True)) for row in rows]) if rows else None
    return SimpleNamespace(name="made", queries=queries, events=events)


FOUND = cache_replay.searches(shop())


def test_a_search_begins_where_the_position_starts_anew_and_they_stand_in_the_order_of_time():
    assert [(one.at_s / DAY, one.user_id, one.query) for one in FOUND] == [
        (0, "u1", "red sofa"),
        (0, "u1", "red sofa"),
        (0, "u2", "red sofa"),
        (1.5, "u2", "red sofa"),
        (2, "u1", "blue mug"),
    ]


def test_the_embedded_shop_has_four_thousand_searches_with_a_long_tail():
    found = cache_replay.searches(catalogue.load("synthetic", profile=settings.profile("ci")))
    assert len(found) == 4_000 and found[-1].at_s == 27 * DAY
    assert 0.5 < cache_replay.most_possible(found) < 0.7
    of_users = cache_replay.by_user(found)
    assert sum(map(len, of_users.values())) == 4_000 and len(next(iter(of_users.values()))) > 2_000


def test_a_shop_without_events_and_a_time_that_is_none_are_refused():
    with pytest.raises(ValueError, match="made has no events.csv"):
        cache_replay.searches(shop(rows=()))
    with pytest.raises(ValueError, match="events.csv row 2: 'yesterday' is no time"):
        cache_replay.searches(shop(rows=[ROWS[0], ("yesterday", *ROWS[1][1:])]))


@pytest.fixture
def replay(tmp_path):
    """Replays searches through a cache, and gives its counts and the queries that were ranked."""

    def of(found, *, max_bytes=10_000, ttl_s=None, **versions):
        asked, clock = [], EventClock()
        cache = Cache(
            tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite", max_bytes=max_bytes, ttl_s=ttl_s, clock=clock
        )
        answer = {"cache": cache, "clock": clock, "answer": lambda query: asked.append(query) or b"answer"}
        stats = cache_replay.replay(found, **answer, **versions)
        cache.close()
        return stats, asked

    return of


def test_each_query_is_ranked_once_where_the_cache_forgets_nothing(replay):
    stats, asked = replay(FOUND)
    assert asked == ["red sofa", "blue mug"]
    assert (stats.hits, stats.misses) == (3, 2) and stats.hit_rate == cache_replay.most_possible(FOUND) == 0.6
    assert cache_replay.work(stats, macs_a_query=10) == {"saved": 30, "spent": 20}


def test_entries_expire_in_the_time_of_the_events(replay):
    stats, asked = replay(FOUND, ttl_s=DAY)
    assert asked == ["red sofa", "red sofa", "blue mug"] and stats.expired == 1


def test_a_new_catalogue_version_makes_every_answer_anew(replay):
    stats, asked = replay(FOUND, version_at=lambda at_s: str(int(at_s // DAY)))
    assert asked == ["red sofa", "red sofa", "blue mug"] and stats.expired == 0


def test_a_larger_cache_answers_no_less_and_a_tiny_one_less():
    found = [Search(float(n), "u", f"query {n % 7}") for n in range(70)]
    value = b"x" * 100
    stats = cache_replay.by_size(found, sizes=[200, 500, 5_000], value=value, ttl_s=None)
    rates = [stats[size].hit_rate for size in (200, 500, 5_000)]
    assert rates == sorted(rates) and rates[0] == 0 and rates[-1] == cache_replay.most_possible(found) == 0.9
    assert all(one.n_bytes <= size for size, one in stats.items())


def test_a_cache_with_another_clock_is_refused(tmp_path):
    cache = Cache(tmp_path / "c.sqlite", max_bytes=100)
    with pytest.raises(ValueError, match="the replay's own clock"):
        cache_replay.replay(FOUND, cache=cache, clock=EventClock(), answer=str.encode)
    cache.close()


def test_devices_together_hit_what_each_of_them_hits_alone():
    of_users = {"u1": [Search(0.0, "u1", "a"), Search(1.0, "u1", "a"), Search(2.0, "u1", "b")]}
    of_users["u2"] = [Search(0.0, "u2", "a")]
    rates = cache_replay.hit_rates_of_devices(of_users, sizes=[70, 10_000], value=b"x" * 20)
    assert rates[10_000] == 0.25  # u2's own device knows nothing of what u1's has
    assert rates[70] == 0.0  # a key alone has 64 bytes: nothing fits


def test_what_is_drawn_for_a_shop_without_events_repeats_itself_and_has_a_long_tail():
    queries = [f"query {number}" for number in range(500)]
    found = cache_replay.drawn(queries, n_searches=2_000, n_users=20, seed=0)
    assert found == cache_replay.drawn(queries, n_searches=2_000, n_users=20, seed=0)
    assert found != cache_replay.drawn(queries, n_searches=2_000, n_users=20, seed=1)
    counts = sorted((sum(one.query == query for one in found) for query in set(queries)), reverse=True)
    assert 200 < counts[0] < 400 and 0.7 < cache_replay.most_possible(found) < 0.9  # 1 / sum of 1/n is 0.147
    of_users = cache_replay.by_user(found)
    assert len(of_users) == 20 and len(next(iter(of_users.values()))) > 2 * len(found) / 20
