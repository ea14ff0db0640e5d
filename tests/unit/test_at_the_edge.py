"""The factors follow from their parts, forecast and lived stand side by side, and no user is written down."""

from dataclasses import replace
from types import SimpleNamespace

import made
import numpy as np
import pytest
from datasets import Dataset

from utils.course import at_the_edge
from utils.course.at_the_edge import Factors, Parts
from utils.data import candidates
from utils.data.catalogue import Catalogue
from utils.edge import devices, placement, pseudonyms, raw_ids
from utils.edge.devices import Lived
from utils.measure.timing import Timing
from utils.speed import cache_replay

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


def test_forecast_and_lived_stand_side_by_side_and_go_into_a_row():
    lived = Lived(n_devices=2, n_searches=40, hit_rate=0.85, timing=Timing((1.0, 3.0)), cache_bytes=234.0)
    factors = at_the_edge.forecast(PARTS)
    table = at_the_edge.compare(PARTS, factors, lived)
    assert table.loc["hit rate"].tolist() == ["60%", "85%"]
    assert table.loc["D', ms to an answer"].tolist() == ["4.30", "2.00"]
    assert table.loc["S' / S"].tolist() == ["11.1%", "10.0%"]
    group = at_the_edge.group(PARTS, factors, lived)
    assert group["forecast_ms"] == pytest.approx(4.3) and group["lived_ms"] == pytest.approx(2.0)
    assert made.row(local=group).value("local.hit_rate") == pytest.approx(0.85)


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
    devices.live(devices.of_devices(found, n_devices=2), folder=run.folder, **how)
    assert len(list(run.folder.glob("*.sqlite"))) == 2
    assert raw_ids.found_in(run.folder, ["u001", "u002"]) == []


def test_without_pseudonyms_the_search_for_raw_ids_finds_them(run):
    found = cache_replay.searches(run.catalogue)
    how = {"rank": lambda query: ["p1"], "model_hash": "m", "catalogue_version": "c", "max_bytes": 1_000}
    devices.live(devices.of_devices(found, n_devices=2), folder=run.folder, **how)
    assert {one.user_id for one in raw_ids.found_in(run.folder, ["u001", "u002"])} == {"u001", "u002"}


def test_the_table_of_what_is_sent_has_every_placement_and_nothing_for_the_device():
    table = at_the_edge.sent_table(
        query="red sofa", history=["mug"], user="f00d", states=[[0.5, 1.0]], product_ids=["p1"]
    )
    assert table.index.tolist() == list(placement.PLACEMENTS)
    assert table.loc[placement.DEVICE].tolist() == ["–", "0", "nothing"]
    assert table.loc[placement.SERVER, "fields"] == "user, query, history"


def test_a_shop_without_events_gets_searches_drawn_from_its_train_queries(tmp_path):
    shop = SimpleNamespace(events=None, train_queries=lambda: ["red sofa"])
    found = at_the_edge.private_searches(SimpleNamespace(catalogue=shop, folder=tmp_path))
    assert len(found) == at_the_edge.STAND_IN["n_searches"] and {one.query for one in found} == {"red sofa"}


def test_candidates_stand_in_the_rankers_order_and_what_the_shop_no_longer_has_is_left_out():
    texts = {"p1": "red sofa", "p2": "blue sofa", "p3": "green sofa", "p4": "lamp"}
    products = Dataset.from_dict({"product_id": list(texts), "text": list(texts.values())})
    bm25 = candidates.build(SimpleNamespace(products=products))
    longest = SimpleNamespace(score=lambda pairs: np.array([len(text) for _, text in pairs], dtype=np.float32))
    how = {"bm25": bm25, "ranker": longest, "n_candidates": 10}
    assert at_the_edge.ranked("sofa", texts=texts, **how) == ["p3", "p2", "p1"]
    assert at_the_edge.ranked("sofa", texts={"p1": "a long red sofa", "p2": "blue sofa"}, **how) == ["p1", "p2"]
    assert at_the_edge.ranked("unheard", texts=texts, **how) == []
