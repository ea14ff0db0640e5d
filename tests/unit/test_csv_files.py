"""Headers and cells are read as they are meant; what is not CSV is refused with the line an editor shows."""

import pytest
import small_shop
from small_shop import LABELS, PRODUCTS, QUERIES, change, load

from utils.data import catalogue, csv_files, summary


@pytest.fixture
def folder(tmp_path):
    return small_shop.write(tmp_path)


@pytest.mark.parametrize(
    "header", ["query_id, query, split", "Query_ID,QUERY,Split", "\ufeffquery_id,query\u00a0,\u200bsplit\u200b"]
)
def test_names_of_columns_are_read_without_case_spaces_and_invisible_characters(folder, header):
    plain = load(folder).queries.to_list()
    change(folder, "queries.csv", "query_id,query,split", header)
    assert load(folder).queries.to_list() == plain


def test_ids_splits_kinds_and_labels_are_read_without_spaces_and_invisible_characters_around_them(folder):
    change(folder, "queries.csv", "split\nq1,red sofa,train", "split,kind\n q1\u200b,red sofa, Train,\u00a0colour ")
    change(folder, "queries.csv", "valid", "valid,")
    change(folder, "queries.csv", "test", "TEST ,")
    change(folder, "labels.csv", "q1,p1,Exact", "q1 ,\ufeffp1, Exact")
    found = load(folder)
    assert found.queries[0] == {"query_id": "q1", "query": "red sofa", "split": "train", "kind": "colour"}
    assert found.pairs["train"][0]["product_id"] == "p1" and found.pairs["train"][0]["gain"] == 100
    assert len(found.pairs["test"]) == 3


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "queries.csv",
            "query_id,query,split",
            "query_id,query,splits",
            "column 'splits' is not known; is 'split' meant",
        ),
        (
            "queries.csv",
            "query_id,query,split",
            "query_id,query,spilt",
            "column 'spilt' is not known; is 'split' meant",
        ),
        (
            "queries.csv",
            "query_id,query,split",
            "query_id,Querry,split",
            "column 'query' is missing; is 'Querry' meant",
        ),
        ("queries.csv", "query_id,query,split", "query_id,query_text,split", "is missing; is 'query_text' meant"),
        ("products.csv", "product_id", "prodct_id", "column 'product_id' is missing; is 'prodct_id' meant"),
        ("products.csv", "brand", "catagory", "column 'catagory' is not known; is 'category' meant"),
        ("products.csv", "brand", "Descripton\u200b", r"column 'Descripton\\u200b' is not known; is 'description'"),
        ("products.csv", "product_id,title,brand", "product_id,title,Title ", "column 'title' stands there twice"),
        ("products.csv", "product_id,title,brand", "product_id;title;brand", "columns are separated by ';'; save"),
        ("products.csv", "product_id,title,brand", "product_id\ttitle\tbrand", r"columns are separated by '\\t'; save"),
        ("labels.csv", "label", "grade", r"column 'label' is missing \(found: query_id, product_id, grade\)"),
    ],
)
def test_header_that_is_nearly_right_is_a_question_and_no_guess(folder, file, old, new, message):
    change(folder, file, old, new)
    with pytest.raises(catalogue.DataError, match=f"{file} line 1: .*{message}"):
        load(folder)


@pytest.mark.parametrize("name", ["price", "brand_id", "sorted", "subject", ""])
def test_other_columns_are_allowed_and_said_to_be_unused(folder, name):
    change(folder, "products.csv", "brand", name)
    assert load(folder).products[0]["text"] == "Sofa red"
    told = summary.lines(catalogue.read(folder))
    assert f"products.csv, columns not used: {name or 'one without a name'}" in told


def test_all_columns_used_need_no_line(folder):
    assert not any("not used" in line for line in summary.lines(catalogue.read(folder)))


@pytest.mark.parametrize("name", ["event.csv", "Events.csv", "EVENTS.CSV"])
def test_file_that_is_nearly_called_events_is_a_question(folder, name):
    (folder / "notes.csv").touch()
    load(folder)
    (folder / name).touch()
    with pytest.raises(catalogue.DataError, match=f"{name}: is 'events.csv' meant"):
        load(folder)


def test_invisible_characters_are_shown_and_long_values_cut(folder):
    change(folder, "labels.csv", "q1,p1", "q\u200b1,p1")
    with pytest.raises(catalogue.DataError, match=r"labels.csv line 2: query_id 'q\\u200b1' is not in queries.csv"):
        load(folder)
    change(folder, "labels.csv", "q\u200b1", "q" * 5_000)
    with pytest.raises(catalogue.DataError) as refused:
        load(folder)
    assert len(str(refused.value)) < 250


MARKS = "products.csv line {}: text follows a closing quotation mark"


@pytest.mark.parametrize(
    ("products", "message"),
    [
        (PRODUCTS.replace("Mug", '"white" mug'), MARKS.format(3)),
        (PRODUCTS.replace("Sofa red", '"Sofa\nred"').replace("Mug", '"white" mug'), MARKS.format(4)),
        (
            PRODUCTS.replace("Sofa red", '"Sofa red').replace("Lamp", '"Lamp" old'),
            ".*close the one that opens on line 2",
        ),
        (PRODUCTS.replace("Mug", '"Mug'), "products.csv line 3: a quotation mark opens a value that never ends"),
        (PRODUCTS.replace("Mug", "m" * 140_000), "products.csv line 3: a value is longer than 131,072 characters"),
        (PRODUCTS.replace("Sofa red", '"a\r\nb"').replace("Mug,", "Mug"), "products.csv line 4: not 3 values"),
    ],
)
def test_broken_row_is_refused_with_the_line_of_the_fault(folder, products, message):
    small_shop.write(folder, products=products)
    with pytest.raises(catalogue.DataError, match=message):
        load(folder)


def test_every_row_knows_the_line_it_begins_on_after_blank_lines_and_quoted_line_ends(folder):
    small_shop.write(folder, products='\nproduct_id,title\np1,"a\r\nb\rc"\n\np2,Mug\np3,Lamp\n')
    assert [row["line"] for row in csv_files.read_csv(folder / "products.csv")] == [3, 7, 8]


def test_a_value_after_a_quoted_line_end_is_named_by_its_own_line(folder):
    queries = QUERIES.replace("red sofa,train", '"red\nsofa",tran')
    small_shop.write(folder, queries=queries)
    with pytest.raises(catalogue.DataError, match="queries.csv line 3: split 'tran' is not one of"):
        load(folder)
    small_shop.write(folder, queries=queries.replace("tran", "train"), labels=LABELS.replace("q2,p1", "q2,p9"))
    with pytest.raises(catalogue.DataError, match="labels.csv line 5: product_id 'p9'"):
        load(folder)


@pytest.mark.parametrize(
    ("file", "old", "column"), [("queries.csv", "blue mug", "query"), ("products.csv", "Mug", "title")]
)
def test_text_of_invisible_characters_alone_is_empty(folder, file, old, column):
    change(folder, file, old, "\u200b\u00a0")
    with pytest.raises(catalogue.DataError, match=rf"{file} line 3: {column} '\\u200b\\xa0' is empty"):
        load(folder)
