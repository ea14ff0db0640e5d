"""Bad input is refused with the file, the line, the value and the remedy; good input is read as it stands."""

import pytest
import small_shop
from small_shop import LABELS, PRODUCTS, change, load

from utils.data import catalogue


@pytest.fixture
def folder(tmp_path):
    return small_shop.write(tmp_path)


def test_good_folder_gives_the_pairs_of_each_split(folder):
    loaded = load(folder)
    first = loaded.pairs["train"][0]
    assert (first["query"], first["product"], first["gain"]) == ("red sofa", "Sofa red Acme", 100)
    assert {split: len(pairs) for split, pairs in loaded.pairs.items()} == {"train": 3, "valid": 3, "test": 3}
    assert loaded.top_gain == 100


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("labels.csv", "q1,p2,Irrelevant", "q1,p2,Exat", "labels.csv line 3: label 'Exat' is not one of Exact"),
        ("labels.csv", "q1,p2", "q1,p9", "labels.csv line 3: product_id 'p9' is not in products.csv"),
        ("labels.csv", "q1,p2", "q9,p2", "labels.csv line 3: query_id 'q9' is not in queries.csv"),
        ("labels.csv", "q1,p2", "q1,p1", "labels.csv line 3: product_id 'p1' is judged twice"),
        ("labels.csv", "label", "grade", "labels.csv line 1: column 'label' is missing"),
        ("labels.csv", "q1,p1,Exact", "q1,p1,2", "labels.csv line 2: label '2' is not one of Exact"),
        ("queries.csv", "q2,", "q1,", "queries.csv line 3: query_id 'q1' appears twice"),
        ("queries.csv", "valid", "vaild", "queries.csv line 3: split 'vaild' is not one of train, valid, test"),
        ("queries.csv", "blue mug", " ", "queries.csv line 3: query ' ' is empty"),
        ("products.csv", "Lamp,Lumo", ",Lumo", "products.csv line 4: title '' is empty"),
        ("products.csv", "p3,Lamp,Lumo", "p3,Lamp, tall,Lumo", "products.csv line 4: not 3 values"),
        ("queries.csv", "q3,tall lamp,test", "q3,tall lamp,train", "no label for a query of the split 'test'"),
    ],
)
def test_bad_value_is_refused_by_place_and_name(folder, file, old, new, message):
    change(folder, file, old, new)
    with pytest.raises(catalogue.DataError, match=message.replace("(", r"\(")):
        load(folder)


def test_a_text_in_two_splits_is_used_in_the_later_one_alone(folder):
    change(folder, "queries.csv", "q3,", "q4,Tall  LAMP,train\nq5,blue mug,test\nq6,blue mug,train\nq3,")
    change(folder, "queries.csv", "q2,blue mug,valid", "q2,blue mug,valid\nq7,mug,valid")
    change(folder, "labels.csv", "q1,p1", "q4,p1,Exact\nq5,p2,Exact\nq6,p2,Exact\nq7,p2,Exact\nq7,p1,Irrelevant\nq1,p1")
    loaded = load(folder)
    of_split = {split: sorted(set(pairs["query_id"])) for split, pairs in loaded.pairs.items()}
    assert of_split == {"train": ["q1"], "valid": ["q7"], "test": ["q3", "q5"]}
    assert sorted(loaded.queries["query_id"]) == ["q1", "q3", "q5", "q7"]


EVENTS = "time,user_id,query_id,product_id,event,position\n2026-01-31,u1,q1,p2,click,1\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("q1", "q9", "query_id 'q9' is not in queries.csv"),
        ("p2", "p9", "product_id 'p9' is not in products.csv"),
        ("2026-01-31", "31.1.2026", "time '31.1.2026' is not a date or time"),
        ("click,1", "click,0", "position '0' is not a whole number from 1 on"),
        ("click,1", "click,first", "position 'first' is not a whole number from 1 on"),
    ],
)
def test_bad_event_is_refused_by_place_and_a_good_one_is_kept(folder, old, new, message):
    (folder / "events.csv").write_text(EVENTS)
    assert load(folder).events[0]["event"] == "click"
    change(folder, "events.csv", old, new)
    with pytest.raises(catalogue.DataError, match=f"events.csv line 2: {message}"):
        load(folder)


def test_file_that_is_not_utf8_is_refused_with_its_line(folder):
    (folder / "products.csv").write_bytes(PRODUCTS.replace("Lamp", "Lämp").encode("latin-1"))
    with pytest.raises(catalogue.DataError, match="products.csv line 4: byte 0xe4 is not UTF-8"):
        load(folder)


def test_missing_file_is_refused_with_the_columns_it_needs(folder):
    (folder / "labels.csv").unlink()
    with pytest.raises(catalogue.DataError, match="labels.csv: not found .* query_id, product_id, label"):
        load(folder)


def test_gains_of_the_embedded_shop_and_its_hash_are_those_of_the_records():
    """The hash is the identity of recorded results: it moves only when the shop itself does."""
    shop = load("synthetic", profile="ci")
    assert shop.hash == "d0172d84b5d37071" and shop.top_gain == 100 and len(shop.queries) == 8_300


def test_hash_of_well_formed_files_is_that_of_their_values(folder):
    assert load(folder).hash == "54220fe688952a52"


def test_hash_is_the_same_however_header_and_ids_are_spelled(folder):
    before = load(folder).hash
    change(folder, "queries.csv", "query_id,query,split\nq1", "\ufeffQuery_ID, query ,SPLIT\n q1 ")
    assert load(folder).hash == before
    change(folder, "queries.csv", "red sofa", "red sofas")
    assert load(folder).hash != before


def test_texts_of_pairs_are_those_a_ranker_reads_and_rows_are_grouped_by_query(folder):
    (folder / "labels.csv").write_text(LABELS + "q4,p1,Exact\nq1,p4,Exact\n")
    change(folder, "queries.csv", "q2,", "q4,lamp,train\nq2,")
    change(folder, "products.csv", "p2,", "p4,Sofa blue,\np2,")
    train = load(folder).pairs["train"]
    assert catalogue.texts_of(train)[:2] == [("red sofa", "Sofa red Acme"), ("red sofa", "Mug")]
    assert catalogue.texts_of(train)[3:] == [("lamp", "Sofa red Acme"), ("red sofa", "Sofa blue")]
    assert catalogue.rows_by_query(train) == {"q1": [0, 1, 2, 4], "q4": [3]}
