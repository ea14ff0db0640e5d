"""A shop changes overnight in known ways; what an older answer shows wrong is counted, and an update removes it."""

from dataclasses import replace
from types import SimpleNamespace

import bundles
import pytest
from datasets import Dataset

from utils.course import releases
from utils.course.releases import DELTA, FACTS_ONLY, NOTHING, Changes, Line, Shop
from utils.edge import delta, manifest, products
from utils.edge.devices import Device
from utils.edge.products import Facts
from utils.speed.cache import Cache

N = 1_000


@pytest.fixture(scope="module")
def days():
    """The shop on two days."""
    ids = [f"p{number:04d}" for number in range(N)]
    texts = [f"{('red', 'blue', 'green')[n % 3]} sofa number {n}" for n in range(N)]
    first = releases.opening(SimpleNamespace(products=Dataset.from_dict({"product_id": ids, "text": texts})), seed=0)
    return first, releases.next_day(first, seed=0)


def test_on_the_first_day_every_product_has_its_text_a_price_and_perhaps_stock(days):
    first, _ = days
    assert len(first.texts) == len(first.facts) == N and first.texts["p0003"] == "red sofa number 3" and first.day == 1
    assert all(2 <= facts.price <= 210 for facts in first.facts.values())
    assert 0.9 * N < sum(facts.in_stock for facts in first.facts.values()) < N


def test_overnight_titles_prices_and_stock_change_and_products_vanish(days):
    first, second = days
    assert releases.changes(first, first) == Changes(0, 0, 0, 0)
    found = releases.changes(first, second)
    assert found.gone == 5 and 8 <= found.titles <= 10 and 45 <= found.prices <= 50 and 27 <= found.stock <= 30
    assert second.day == 2 and second.texts.keys() == second.facts.keys()


def test_the_same_seed_is_the_same_night_and_the_next_night_is_another_one(days):
    first, second = days
    assert releases.next_day(first, seed=0) == second != releases.next_day(first, seed=1)
    third = releases.next_day(second, seed=0)
    assert not (first.texts.keys() - second.texts.keys()) & (second.texts.keys() - third.texts.keys())


def test_a_changed_title_takes_one_word_of_another_product(days):
    first, second = days
    both = [one for one in second.texts if first.texts[one] != second.texts[one]]
    for one in both:
        before, after = first.texts[one].split(), second.texts[one].split()
        assert len(before) == len(after) and sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_a_shop_never_loses_its_last_product():
    shop = Shop(1, {"a": "one word"}, {"a": Facts(1.0, True)})
    for _ in range(5):
        shop = releases.next_day(shop, seed=0)
    assert list(shop.texts) == ["a"]


def test_the_version_follows_the_texts_and_not_the_prices(days):
    first, second = days
    dearer = {one: replace(facts, price=facts.price + 1) for one, facts in first.facts.items()}
    assert replace(first, facts=dearer).version == first.version != second.version


TODAY = Shop(2, {"a": "red sofa", "b": "blue mug", "c": "lamp"}, {p: Facts(9.0, p != "c") for p in "abc"})


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (Line("a", "red sofa", 9.0), None),
        (Line("gone", "old", 1.0), "gone"),
        (Line("c", "lamp", 9.0), "sold_out"),
        (Line("a", "red couch", 9.0), "other_text"),
        (Line("b", "blue mug", 8.0), "other_price"),
    ],
    ids=lambda one: str(one),
)
def test_each_fault_of_a_line_is_counted_as_what_it_is(line, fault):
    found = releases.faults([line, Line("b", "blue mug", 9.0)], today=TODAY)
    assert found.n_lines == 2 and found.n_wrong == (fault is not None)
    assert fault is None or getattr(found, fault) == 1


def test_what_is_shown_can_be_had_and_stands_in_the_order_of_the_ranker():
    assert releases.shown(["c", "b", "x", "a"], shop=TODAY) == [Line("b", "blue mug", 9.0), Line("a", "red sofa", 9.0)]


def by_number(shop, query):
    """Products whose text has the query's word, and the others after them."""
    return sorted(shop.texts, key=lambda one: (query not in shop.texts[one].split(), one))


def test_each_update_removes_the_faults_that_it_can_see(days):
    first, second = days
    queries = [str(number) for number in range(0, N, 7)]
    found = releases.faults_by_update(queries, before=first, after=second, rank=by_number)
    nothing, facts, whole = (found[way] for way in (NOTHING, FACTS_ONLY, DELTA))
    assert nothing.other_price and nothing.n_wrong >= facts.n_wrong >= whole.n_wrong == 0
    assert (facts.gone, facts.sold_out, facts.other_price) == (0, 0, 0)
    table = releases.fault_table(found)
    assert table.loc[DELTA, "other price"] == 0 and table.loc[NOTHING, "other price"] == nothing.other_price


@pytest.fixture
def device(tmp_path, days):
    """A device of the first day that has answered a query whose best product changes its title overnight."""
    cache = Cache(tmp_path / "c.sqlite", max_bytes=10**6)
    first, second = days
    changed = next(one for one in second.texts if first.texts[one] != second.texts[one])
    word = next(word for word in first.texts[changed].split() if word not in second.texts[changed].split())
    one = Device(lambda query: by_number(first, query), cache, model_hash="m1", catalogue_version=first.version)
    assert one.answer(word)[1] is False and one.answer(word)[1] is True
    yield one, word
    cache.close()


def test_without_a_version_in_the_key_the_answer_is_stale_on_purpose(device, days):
    _, second = days
    one, word = device
    stale = Device(lambda query: by_number(second, query), one.cache, one.model_hash, one.catalogue_version)
    ranked, was_cached = stale.answer(word)
    assert was_cached and ranked != by_number(second, word)


def test_with_the_new_version_in_the_key_the_answer_is_made_anew(device, days):
    _, second = days
    one, word = device
    fresh = Device(lambda query: by_number(second, query), one.cache, one.model_hash, second.version)
    assert fresh.answer(word) == (by_number(second, word), False)


def test_a_replaced_model_gets_no_answer_of_the_old_one(device, days):
    one, word = device
    replaced = Device(lambda query: ["p0000"], one.cache, "m2", one.catalogue_version)
    assert replaced.answer(word) == (["p0000"], False)
    assert one.answer(word)[1]  # and the old one keeps its own


def test_a_change_of_price_leaves_the_answer_in_the_cache_and_shows_the_new_price(device, days):
    first, _ = days
    one, word = device
    dearer = replace(first, facts={p: replace(facts, price=500.0) for p, facts in first.facts.items()})
    again = Device(one.rank, one.cache, one.model_hash, dearer.version)
    ranked, was_cached = again.answer(word)
    assert was_cached and {line.price for line in releases.shown(ranked, shop=dearer)} == {500.0}


def test_bytes_and_faults_of_each_prevention_stand_side_by_side():
    found = {way: releases.Faults(10, n, 0, 0, 0) for n, way in enumerate((DELTA, FACTS_ONLY, NOTHING))}
    table = releases.prevention_table(releases.Update(whole=4_000, delta=400, facts=20), found=found, cached_bytes=77)
    assert table["bytes sent"].tolist() == ["0", "20", "400"]
    assert table["of a whole bundle"].tolist() == ["0.00%", "0.50%", "10.00%"]
    assert table["cached bytes made anew"].tolist() == ["0", "0", "77"]
    assert table["wrong of lines shown"].tolist() == ["2 of 10", "1 of 10", "0 of 10"]


def test_an_update_costs_less_by_a_delta_than_whole_and_leads_to_the_new_day(days, tmp_path):
    first, second = days
    parts = bundles.write_parts(tmp_path / "parts")
    same = {"model": parts["model"], "store": parts["store"]}
    old = releases.release(tmp_path / "old", first, version=1, **same)
    new = releases.release(tmp_path / "new", second, version=2, **same)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old", "parts"]  # and nothing beside them
    cost = releases.update(old, new, folder=tmp_path / "d")
    assert 0 < cost.facts < cost.delta + cost.facts < cost.whole == delta.n_bytes(new)
    found = delta.apply(old, tmp_path / "d", folder=tmp_path / "applied")
    assert manifest.read(found).catalogue_version == second.version != first.version
    assert products.read_texts(found / "catalogue") == second.texts
    assert products.read_facts(found / "catalogue") == second.facts
