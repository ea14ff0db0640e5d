"""A data set in folds: every judged query is a test query once, and the folds of one seed are one run."""

import csv
from collections import Counter

import numpy as np
import pytest
from made import row
from recorded_runs import read

from authoring import folds, results_page
from utils.course.records import recorded
from utils.course.records.recorded import Fold
from utils.course.run import TEACHER_SCORES
from utils.data import catalogue
from utils.measure.variant import Variant


@pytest.fixture
def shop(tmp_path):
    """Twelve judged queries, one of them twice under another id, and one that nobody judged."""
    folder = tmp_path / "shop"
    folder.mkdir()
    texts = [f"query {i}" for i in range(12)] + ["Query  0", "a log"]
    splits = {1: "valid", 2: "test"}  # which a fold does not care for
    queries = "".join(f"q{i},{text},{splits.get(i, 'train')}\n" for i, text in enumerate(texts))
    (folder / "queries.csv").write_text("query_id,query,split\n" + queries)
    (folder / "products.csv").write_text('product_id,title\np0,"a, b"\np1,c\n')
    labels = "".join(f"q{i},p{p},{p}\n" for i in range(13) for p in (0, 1))
    (folder / "labels.csv").write_text("query_id,product_id,label\n" + labels)
    return folder


def splits(folder):
    with (folder / "queries.csv").open(newline="") as file:
        return {line["query_id"]: line["split"] for line in csv.DictReader(file)}


def test_every_judged_query_is_a_test_query_of_one_fold_and_no_text_is_learned_and_tested(shop, tmp_path):
    parts = folds.write(str(shop), n_folds=3, folder=tmp_path / "folds")
    found = [splits(part) for part in parts]
    tested = Counter(query_id for one in found for query_id, split in one.items() if split == "test")
    assert tested == dict.fromkeys([f"q{i}" for i in range(13)], 1)
    for one in found:
        assert one["q0"] == one["q12"] and one["q13"] == "train"  # one text; the log is nobody's test query
        assert {"train", "valid", "test"} == set(one.values())
    assert folds.write(str(shop), n_folds=3, folder=tmp_path / "again")[0].name == parts[0].name
    assert [splits(part) for part in sorted((tmp_path / "again").iterdir())] == found


def test_a_fold_is_a_data_set_that_can_be_read_with_the_same_products_and_labels(shop, tmp_path):
    first = folds.write(str(shop), n_folds=2, folder=tmp_path / "folds")[0]
    whole, part = catalogue.read(str(shop)), catalogue.read(str(first))
    for name in ("products.csv", "labels.csv"):
        assert [{k: v for k, v in line.items() if k != "line"} for line in part[name]] == [
            {k: v for k, v in line.items() if k != "line"} for line in whole[name]
        ]


@pytest.mark.parametrize("n_folds", [1, 7])
def test_folds_of_a_query_or_less_are_refused(shop, tmp_path, n_folds):
    with pytest.raises(ValueError, match=f"12 judged queries make no {n_folds} folds; give fewer, at least two"):
        folds.write(str(shop), n_folds=n_folds, folder=tmp_path / "folds")


def record(number, *, ndcg10, disk_bytes, dataset_hash, int8_runtime="openvino"):
    """The record of one fold of the set 'small': rows of the teacher and of it in int8, with these NDCG@10."""
    of_fold = {"dataset": f"fold-{number}", "dataset_hash": dataset_hash, "profile": "laptop", "seed": 0}
    one = row(stage="teacher", ndcg10=ndcg10[0], n_queries=len(ndcg10), disk_bytes=disk_bytes, **of_fold)
    by_query = {f"{number} {i}": value for i, value in enumerate(ndcg10)}
    rates = {"teacher": [10.0 * (number + 1)]}
    in_int8 = Variant("teacher_int8", int8_runtime, "int8", device="x")
    other = row(stage="teacher_int8", runtime=int8_runtime, precision="int8", label="in int8", disk_bytes=1, **of_fold)
    both = {TEACHER_SCORES: by_query, in_int8.scores_key: by_query}
    rates |= {in_int8.key: [100.0 * (number + 1)]}
    fold = Fold("small", "h" * 16, number, 2)
    return recorded.write([one, other], command="c", code="c", ndcg10=both, rates=rates, fold=fold)


def test_the_folds_of_a_seed_are_read_as_one_run_of_all_their_queries(results):
    path = record(0, ndcg10=[0.8, 0.8, 0.8], disk_bytes=100, dataset_hash="a")
    record(1, ndcg10=[0.4], disk_bytes=300, dataset_hash="b")
    assert path.name == "small-hhhhhhhh-laptop-0-fold-0.json"
    (run,) = read("h" * 16)
    one, _ = run.ledger_rows()
    assert one.quality.n_queries == 4 and one.quality.ndcg10 == pytest.approx(0.7)
    assert one.size.disk_bytes == 200 and run.rates["teacher"] == [10.0, 20.0]
    assert np.mean(run.ndcg10[TEACHER_SCORES]) == pytest.approx(0.7) and (run.dataset, run.seed) == ("small", 0)
    assert recorded.newest_hash("small") == "h" * 16


def test_folds_are_shown_once_all_of_them_are_there(results):
    record(1, ndcg10=[0.4], disk_bytes=300, dataset_hash="b")
    assert read("h" * 16) == [] and results_page.sections() == ""
    record(0, ndcg10=[0.8, 0.8, 0.8], disk_bytes=100, dataset_hash="a")
    assert len(read("h" * 16)) == 1 and "**small**, 4 test queries" in results_page.sections()


def test_folds_whose_int8_teacher_ran_in_different_engines_have_one_row_of_it(results):
    record(0, ndcg10=[0.8], disk_bytes=100, dataset_hash="a", int8_runtime="onnxruntime")
    record(1, ndcg10=[0.4, 0.6], disk_bytes=300, dataset_hash="b")
    (run,) = read("h" * 16)
    _, in_int8 = run.ledger_rows()
    variant = in_int8.identity.variant
    assert variant == Variant("teacher_int8", "onnxruntime", "int8", device="x")
    assert run.rates[variant.key] == [100.0, 200.0] and run.ndcg10[variant.scores_key] == [0.8, 0.4, 0.6]
