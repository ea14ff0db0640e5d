"""ESCI from small parquet files and from a folder in the hub's place: task 1, one market, no text in two splits."""

import datasets
import huggingface_hub
import pandas as pd
import pytest
from public_files import esci_tables, left_out, table
from pyarrow import parquet

from utils import settings
from utils.data import catalogue
from utils.data.public import esci, layout, public_sets


def test_esci_keeps_task_1_of_one_market_with_no_text_in_two_splits(data):
    told = []
    folder = public_sets.fetch("esci", echo=told.append)
    assert left_out(told) == {
        layout.NO_QUERY_TEXT: 1,
        layout.TEXT_IN_TEST: 1,
        layout.NO_TITLE: 1,
        layout.PAIR_TWICE: 1,
        layout.LABEL_ASTRAY: 1,
        layout.LABEL_LEFT: 3,
    }
    queries = {row["query_id"]: row for row in table(folder, "queries.csv")}
    assert set(queries) == {str(i) for i in range(40)}
    assert {key for key, row in queries.items() if row["split"] == "test"} == {str(i) for i in range(30, 40)}
    assert len(table(folder, "labels.csv")) == 160
    products = table(folder, "products.csv")
    assert sorted(row["product_id"] for row in products) == ["B0", "B1", "B2", "B3"]  # B5, B6 are not judged
    assert products[0] == dict(
        zip(layout.PRODUCT_COLUMNS, ("B0", "Product 0", "Acme", "", "", "a bullet text <b>0</b>"), strict=True)
    )
    loaded = catalogue.load("esci", profile=settings.profile("gpu"))
    assert loaded.top_gain == 100 and len(loaded.pairs["test"]) == 40


def test_a_tenth_of_esci_train_queries_becomes_valid_by_their_text_and_the_order_is_not_the_alphabets(tmp_path):
    rows = [judgement(i, query=f"query {i:04}") for i in range(1_000)]
    esci.convert(rows, folder=tmp_path)
    queries = table(tmp_path, "queries.csv")
    valid = {row["query"] for row in queries if row["split"] == "valid"}
    assert 70 < len(valid) < 130
    assert [row["query"] for row in queries] != sorted(row["query"] for row in queries)
    esci.convert([judgement(i, query=f" QUERY {i:04}") for i in range(500)], folder=tmp_path)
    again = {row["query"].lower() for row in table(tmp_path, "queries.csv") if row["split"] == "valid"}
    assert again == {text for text in valid if int(text.split()[1]) < 500}


def judgement(i, **changes):
    texts = dict.fromkeys(esci.TEXT_COLUMNS, "words")
    keys = {"query_id": i, "query": f"query {i}", "product_id": f"B{i}", "product_locale": "us", "small_version": 1}
    return keys | texts | {"esci_label": "E", "split": "train"} | changes


def test_another_market_of_esci_is_an_argument(data, tmp_path):
    rows = esci.parquet_rows(tmp_path / "examples.parquet", products=tmp_path / "products.parquet", locale="es")
    esci.convert(rows, folder=data, locale="es")
    assert [row["title"] for row in table(data, "products.csv")] == ["Silla"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("examples.parquet", "examples.parquet: not a parquet file"),
        ("products.parquet", "products.parquet: column 'product_title' is missing"),
    ],
)
def test_esci_file_of_the_wrong_kind_is_named(data, tmp_path, file, message):
    if file == "examples.parquet":
        (tmp_path / file).write_text("id,query\n")
    else:
        pd.read_parquet(tmp_path / file).drop(columns="product_title").to_parquet(tmp_path / file)
    with pytest.raises(catalogue.DataError, match=message):
        list(esci.parquet_rows(tmp_path / "examples.parquet", products=tmp_path / "products.parquet"))


def test_esci_products_are_read_in_pieces(data, tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(esci, "BATCH_ROWS", 2)
    whole = parquet.ParquetFile.iter_batches

    def counted(self, **options):
        for batch in whole(self, **options):
            sizes.append(len(batch))
            yield batch

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", counted)
    list(esci.parquet_rows(tmp_path / "examples.parquet", products=tmp_path / "products.parquet"))
    assert max(sizes) == 2


@pytest.fixture
def hub(data, tmp_path, monkeypatch):
    """A folder of parquet files in the place of the hub's set: joined, in two splits, labels in full."""
    examples, products = esci_tables()
    full = {"E": "Exact", "S": "Substitute", "C": "Complement", "I": "Irrelevant"}
    joined = examples.merge(products, on=["product_locale", "product_id"]).replace({"esci_label": full})
    (tmp_path / "hub").mkdir()
    for split, rows in joined.groupby("split"):
        rows.drop(columns="split").to_parquet(tmp_path / "hub" / f"{split}.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return tmp_path / "hub"


def test_esci_of_the_hub_gives_the_same_set(data, hub, tmp_path, monkeypatch):
    by_files = public_sets.fetch("esci", echo=str)
    from_hub = esci.hub_rows
    monkeypatch.setattr(esci, "hub_rows", lambda: from_hub(str(hub)))
    by_hub = public_sets.fetch("esci", hub=True, into=tmp_path / "other", echo=str)
    assert by_hub == tmp_path / "other" / "esci"
    for name in ("queries.csv", "products.csv"):
        assert sorted(map(str, table(by_hub, name))) == sorted(map(str, table(by_files, name)))
    assert [row["label"][0] for row in table(by_hub, "labels.csv")] == [
        row["label"] for row in table(by_files, "labels.csv")
    ]
    assert "which has no recorded hash" in (by_hub / "SOURCE.md").read_text()


def test_hub_that_cannot_be_reached_is_named_with_another_way(data, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(esci.HubError, match="tasksource/esci cannot be had .* course data fetch esci"):
        public_sets.fetch("esci", hub=True, echo=str)
    assert not (data / "esci").exists()
