"""Splits hold judged queries that can be ordered; the log that nobody judged stays beside them and pushes none out."""

from dataclasses import replace

import pytest
import small_shop
from small_shop import LABELS, QUERIES, change, load

from utils import settings
from utils.data import catalogue, checks, splits, summary
from utils.data.shop import synthetic


@pytest.fixture
def folder(tmp_path):
    return small_shop.write(tmp_path)


def set_profile(monkeypatch, name, **sizes):
    monkeypatch.setitem(settings.PROFILES, name, replace(settings.PROFILES[name], **sizes))


def test_folder_without_splits_is_split_by_the_text_alone():
    texts = [f"query number {i}" for i in range(2_000)]
    shares = [sum(splits.split_by_hash(t) == split for t in texts) / len(texts) for split in splits.SPLITS]
    assert shares == pytest.approx([0.60, 0.15, 0.25], abs=0.04)
    assert splits.split_by_hash("Red  Sofa") == splits.split_by_hash("red sofa")


def test_column_of_empty_splits_is_as_good_as_none_and_one_empty_split_is_refused(tmp_path):
    texts = [f"query number {i}" for i in range(40)]
    labels = "query_id,product_id,label\n" + "".join(f"q{i},p{p},{p}\n" for i in range(40) for p in (1, 2))
    without = "query_id,query\n" + "".join(f"q{i},{text}\n" for i, text in enumerate(texts))
    small_shop.write(tmp_path, queries=without, labels=labels)
    plain = load(tmp_path).queries.to_list()
    assert "splits: none is given, so a hash of each query's text decides" in summary.lines(catalogue.read(tmp_path))
    empty = without.replace("\n", ",\n").replace("query,", "query,split", 1)
    small_shop.write(tmp_path, queries=empty, labels=labels)
    assert load(tmp_path).queries.to_list() == plain
    change(tmp_path, "queries.csv", "number 3,", "number 3,test")
    with pytest.raises(catalogue.DataError, match="queries.csv line 2: split '' is not one of train, valid, test"):
        load(tmp_path)


def test_log_in_front_of_the_judged_queries_pushes_none_out_and_stays_at_every_profile(folder, monkeypatch):
    log = "".join(f"u{i},unjudged {i},{split}\n" for i in range(50) for split in ["train"])
    change(folder, "queries.csv", "split\n", f"split\n{log}u98,nobody,valid\nu99,judged it,test\n")
    set_profile(monkeypatch, "ci", n_train_queries=1, n_valid_queries=1, n_test_queries=1)
    found = load(folder, profile="ci")
    assert {split: set(pairs["query_id"]) for split, pairs in found.pairs.items()} == {
        "train": {"q1"}, "valid": {"q2"}, "test": {"q3"},
    }  # fmt: skip
    assert found.queries["query_id"][:] == [*(f"u{i}" for i in range(50)), "q1", "q2", "q3"]
    told = summary.lines(catalogue.read(folder))
    assert "judged queries by split: train 1, valid 1, test 1" in told
    assert "train queries without a label, kept as the shop's log: 50" in told
    assert "valid and test queries without a label, left out: 2" in told


def test_a_profile_takes_the_first_judged_queries_in_the_order_of_the_file(folder, monkeypatch):
    change(folder, "queries.csv", "q1,", "q9,second sofa,train\nq1,")
    change(folder, "labels.csv", "q3,p1", "q9,p1,Exact\nq9,p2,Irrelevant\nq3,p1")
    set_profile(monkeypatch, "ci", n_train_queries=1)
    assert set(load(folder, profile="ci").pairs["train"]["query_id"]) == {"q9"}
    assert set(load(folder).pairs["train"]["query_id"]) == {"q9", "q1"}


def test_unjudged_test_query_takes_no_text_from_the_train_queries(folder):
    change(folder, "queries.csv", "q1,", "u1,Red  Sofa,test\nu2,tall lamp,train\nq1,")
    found = load(folder)
    assert found.queries["query_id"][:] == ["q1", "q2", "q3"]  # a log's line with the text of a test query is left out


@pytest.mark.parametrize(("number", "split"), [(1, "train"), (2, "valid"), (3, "test")])
def test_split_whose_labels_are_alike_is_refused_by_name(folder, number, split):
    small_shop.write(folder, labels=LABELS.replace(f"q{number},p{number},Exact", f"q{number},p{number},Irrelevant"))
    with pytest.raises(
        catalogue.DataError, match=f"the 1 judged queries of the split '{split}' has two different labels"
    ):
        load(folder)


def test_split_that_a_small_profile_would_cut_to_labels_alike_is_refused_at_every_profile(folder, monkeypatch):
    change(folder, "queries.csv", "q2,", "q8,all bad,valid\nq2,")
    change(folder, "labels.csv", "q1,p1", "q8,p1,Irrelevant\nq1,p1")
    load(folder)
    set_profile(monkeypatch, "ci", n_valid_queries=1)
    for profile in settings.PROFILES:
        with pytest.raises(catalogue.DataError, match="the split 'valid', those that the profile 'ci' takes, has two"):
            load(folder, profile=profile)


def test_queries_judged_all_irrelevant_are_good_data_beside_one_that_is_not(folder):
    change(folder, "queries.csv", "q3,", "q7,all bad,test\nq3,")
    change(folder, "labels.csv", "q1,p1", "q7,p1,Irrelevant\nq7,p2,Irrelevant\nq1,p1")
    assert set(load(folder).pairs["test"]["gain"]) == {0, 100}


def test_each_split_needs_a_judged_query(folder):
    small_shop.write(folder, queries=QUERIES.replace("valid", "train"))
    with pytest.raises(catalogue.DataError, match="no label for a query of the split 'valid'"):
        load(folder)


def test_embedded_shop_passes_the_check_that_folders_must():
    checks.check(synthetic.tables())
