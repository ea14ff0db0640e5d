"""Pairs to be scored come from train queries and products alone; stale or damaged scores are refused."""

from collections import Counter

import numpy as np
import pytest
from made import replace_once

from utils import settings
from utils.data import catalogue, unjudged
from utils.data.catalogue import normal_text
from utils.shrink.distil import scored_pairs

COLOURS = ("red", "blue", "green", "black", "white", "brown")
THINGS = ("sofa", "lamp", "chair", "table")
PRODUCTS = [f"{colour} {thing} number {i}" for i in range(4) for colour in COLOURS for thing in THINGS]


def shop(*, held_out="red lamp number 1", shared=False, train=None, titles=PRODUCTS):
    """96 products; six train queries with five judged products each, two of them best; one valid and one test query.

    With `shared`, the text of the first train query is also that of a test query.
    """
    train = train or [f"{colour} sofa" for colour in COLOURS]
    queries = [(f"q{i}", text, "train") for i, text in enumerate(train)]
    queries += [("v", f"  {held_out.upper()}", "valid"), ("t", train[0] if shared else "brown table", "test")]
    labels = [
        (q, f"p{(7 * i + k) % len(titles)}", str(int(k < 2))) for i, (q, *_) in enumerate(queries) for k in range(5)
    ]
    names = {"queries.csv": ("query_id", "query", "split"), "labels.csv": ("query_id", "product_id", "label")}
    tables = {
        file: [dict(zip(names[file], row, strict=True)) for row in rows]
        for file, rows in (("queries.csv", queries), ("labels.csv", labels))
    }
    tables["products.csv"] = [{"product_id": f"p{i}", "title": title} for i, title in enumerate(titles)]
    return catalogue.build(tables, name="made", profile=settings.profile("ci"))


class ByLength:
    """A ranker whose scores are known: characters of the product less those of the query."""

    calls = 0

    def score(self, pairs):
        self.calls += 1
        return np.array([len(product) - len(query) for query, product in pairs], dtype=np.float32)


def rows(found):
    return list(zip(*(found[name][:] for name in ("query", "product", "gain", "source")), strict=True))


def test_judged_pairs_keep_their_gains_and_the_three_other_sources_have_equal_shares():
    made = shop()
    found = scored_pairs.draw(made, n_unlabelled=96, seed=0)
    counts = Counter(found["source"][:])
    assert counts["judged"] == 30 and counts["bm25"] + counts["title"] + counts["crop"] == 96
    assert all(24 <= counts[source] <= 40 for source in ("bm25", "title", "crop"))
    train = made.pairs["train"]
    gains = dict(zip(zip(train["query"][:], train["product"][:], strict=True), train["gain"][:], strict=True))
    assert {(q, p): gain for q, p, gain, source in rows(found) if source == "judged"} == gains
    assert {gain for _, _, gain, source in rows(found) if source != "judged"} == {-1}


def test_no_text_of_a_valid_or_test_query_is_asked_however_it_is_written():
    held_out = "red lamp number 1"
    assert held_out in PRODUCTS
    asked = {
        normal_text(query) for query in scored_pairs.draw(shop(held_out=held_out), n_unlabelled=3000, seed=0)["query"]
    }
    assert held_out not in asked and "brown table" not in asked
    assert {"red lamp number 2", "red sofa"} <= asked
    assert held_out in scored_pairs.draw(shop(held_out="nothing"), n_unlabelled=3000, seed=0)["query"][:]


def test_a_train_query_that_is_a_test_query_as_well_is_left_out():
    assert "red sofa" not in scored_pairs.draw(shop(shared=True), n_unlabelled=300, seed=0)["query"][:]


def test_no_pair_comes_twice_and_no_judged_pair_comes_again_without_its_label(monkeypatch):
    monkeypatch.setattr(unjudged, "DEPTH", 10)
    found = rows(scored_pairs.draw(shop(), n_unlabelled=100_000, seed=0))
    assert 2_000 < len(found) < 100_000, "the sources should have run dry"
    assert len({(query, product) for query, product, _, _ in found}) == len(found)


def test_a_group_holds_the_pairs_of_one_query_text():
    found = scored_pairs.draw(shop(), n_unlabelled=60, seed=0)
    texts = {}
    for group, query in zip(found["group"][:], found["query"][:], strict=True):
        assert texts.setdefault(group, query) == query
    assert len(texts) == len(set(texts.values())) == len(set(found["query"][:]))


def test_judged_pairs_are_thinned_by_whole_queries():
    found = scored_pairs.draw(shop(), n_unlabelled=12, seed=0)
    judged = Counter(query for query, _, _, source in rows(found) if source == "judged")
    assert list(judged.values()) == [5, 5]
    others = {tuple(sorted(judged)), *(drawn(seed) for seed in range(1, 4))}
    assert len(others) > 1, "which queries stay depends on the seed"


def drawn(seed):
    found = scored_pairs.draw(shop(), n_unlabelled=12, seed=seed)
    return tuple(sorted({query for query, _, _, source in rows(found) if source == "judged"}))


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others():
    one, two, other = (scored_pairs.draw(shop(), n_unlabelled=60, seed=seed) for seed in (0, 0, 1))
    assert rows(one) == rows(two) != rows(other)


def test_crops_are_words_of_one_product_and_titles_are_whole():
    found = rows(scored_pairs.draw(shop(), n_unlabelled=300, seed=0))
    crops = {query for query, _, _, source in found if source == "crop"}
    assert len(crops) > 5 and all(2 <= len(crop.split()) <= 4 for crop in crops)
    words = [set(product.split()) for product in PRODUCTS]
    assert all(any(set(crop.split()) <= those for those in words) for crop in crops)
    assert {query for query, _, _, source in found if source == "title"} <= set(PRODUCTS)


def test_columns_without_spaces_are_cropped_by_characters_too():
    colours, things = "红蓝绿黑白", ("皮沙发", "木椅子", "台灯", "茶几")
    about = "适合客厅和卧室的家具送货上门三年保修材料环保做工精细"
    titles = [f"{colour}色{thing} 家具{thing} {about}" for colour in colours for thing in things]
    made = shop(train=[f"{colour}色沙发" for colour in colours], titles=titles, held_out="没有")
    crops = {query for query, *_, source in rows(scored_pairs.draw(made, n_unlabelled=300, seed=0)) if source == "crop"}
    assert len(crops) > 5 and all(2 <= len(crop.replace(" ", "")) <= 12 for crop in crops)


def test_a_text_without_spaces_is_cropped_by_characters_and_every_unjudged_list_has_two_products():
    colours, things = "红蓝绿黑白", ("皮沙发", "木椅子", "台灯", "茶几")
    titles = [f"{colour}色{thing}第{n}款" for n in "一二三" for colour in colours for thing in things]
    made = shop(train=[f"{colour}色沙发" for colour in colours], titles=titles, held_out="没有")
    found = rows(scored_pairs.draw(made, n_unlabelled=120, seed=0))
    lists = Counter((query, source) for query, _, _, source in found if source in ("title", "crop"))
    assert Counter(source for _, source in lists).keys() == {"title", "crop"} and min(lists.values()) >= 2
    crops = {query for query, source in lists if source == "crop"}
    assert all(len(crop) < len(titles[0]) + 2 and any(crop in title for title in titles) for crop in crops)
    assert any(title.endswith(crop) for title in titles for crop in crops if len(crop) < len(title))
    assert len({len(crop) for crop in crops}) > 1 and "bm25" in {source for *_, source in found}


def test_a_query_that_finds_one_product_is_not_asked():
    titles = ["red sofa", "red sofa soft", "unheard thing"]
    found = rows(scored_pairs.draw(shop(titles=titles, train=["red sofa"]), n_unlabelled=50, seed=0))
    assert all(query != "unheard thing" for query, _, _, source in found if source == "title")


def test_every_pair_gets_the_teachers_score_in_its_place(monkeypatch):
    monkeypatch.setattr(scored_pairs, "SCORED_AT_ONCE", 7)
    teacher = ByLength()
    found = scored_pairs.score(teacher, scored_pairs.draw(shop(), n_unlabelled=30, seed=0))
    assert teacher.calls > 5 and found.features["score"].dtype == "float32"
    assert [len(p) - len(q) for q, p, *_ in rows(found)] == found["score"][:]


def test_a_teacher_that_gives_no_numbers_is_refused():
    class Broken:
        def score(self, pairs):
            return np.full(len(pairs), np.nan, dtype=np.float32)

    with pytest.raises(ValueError, match="not a finite number"):
        scored_pairs.score(Broken(), scored_pairs.draw(shop(), n_unlabelled=5, seed=0))


def test_no_unlabelled_pairs_at_all_are_refused():
    with pytest.raises(ValueError, match="n_unlabelled is 0"):
        scored_pairs.draw(shop(), n_unlabelled=0, seed=0)


@pytest.fixture
def kept(tmp_path):
    """Scored pairs on disk, and the folder they are in."""
    found = scored_pairs.score(ByLength(), scored_pairs.draw(shop(), n_unlabelled=30, seed=0))
    return found, scored_pairs.save(found, folder=tmp_path / "scored_pairs", teacher_hash="t1", data_hash="d1")


def test_saved_scores_come_back_as_they_were(kept):
    found, folder = kept
    again = scored_pairs.load(folder, teacher_hash="t1", data_hash="d1")
    assert again.to_dict() == found.to_dict() and again.column_names == found.column_names
    assert sorted(path.name for path in folder.iterdir()) == sorted(scored_pairs.FILES)


def test_scores_of_another_teacher_or_of_other_data_and_damaged_ones_are_refused(kept):
    _, folder = kept
    for hashes, cause in ((("t2", "d1"), "of another teacher"), (("t1", "d2"), "of other data")):
        with pytest.raises(ValueError, match=f"{cause}; run notebook 04 again"):
            scored_pairs.load(folder, teacher_hash=hashes[0], data_hash=hashes[1])
    (folder / scored_pairs.FILES[0]).write_bytes((folder / scored_pairs.FILES[0]).read_bytes() + b" ")
    with pytest.raises(ValueError, match="damaged"):
        scored_pairs.load(folder, teacher_hash="t1", data_hash="d1")
    (folder / scored_pairs.FILES[1]).write_text("[]")
    with pytest.raises(ValueError, match="cannot be read"):
        scored_pairs.load(folder, teacher_hash="t1", data_hash="d1")
    (folder / scored_pairs.FILES[1]).unlink()
    with pytest.raises(FileNotFoundError, match=r"scored_pairs/made_from\.json is missing"):
        scored_pairs.load(folder, teacher_hash="t1", data_hash="d1")


@pytest.mark.parametrize(
    ("file", "start"), [("shrink/distil/scored_pairs.py", "def score("), ("rank/ranker.py", "class BatchedRanker")]
)
def test_scores_that_other_code_made_are_refused(kept, source, file, start):
    _, folder = kept
    hashes = {"teacher_hash": "t1", "data_hash": "d1"}
    assert len(scored_pairs.load(folder, **hashes)) > 0
    replace_once(source / "utils" / file, start, f"@cache\n{start}")
    with pytest.raises(ValueError, match="were made by other code; run notebook 04 again"):
        scored_pairs.load(folder, **hashes)


def test_kept_scores_are_used_again_for_the_same_pairs_and_teacher_and_for_nothing_else(tmp_path):
    teacher = ByLength()
    pairs, others = (scored_pairs.draw(shop(), n_unlabelled=30, seed=seed) for seed in (0, 1))

    def calls(pairs, teacher_hash):
        before = teacher.calls
        where = {"teacher_hash": teacher_hash, "data_hash": "d1", "ranker": lambda: teacher}
        found = scored_pairs.kept_or_scored(tmp_path / "scored_pairs", pairs=pairs, **where)
        assert rows(found) == rows(pairs) and len(found["score"][:]) == len(pairs)
        return teacher.calls - before

    asked = [calls(pairs, "t1"), calls(pairs, "t1"), calls(others, "t1"), calls(others, "t2"), calls(others, "t2")]
    assert asked == [1, 0, 1, 1, 0]
