"""Folders of data for tests: what shops send, by hand where a report said so, and at random by hypothesis."""

from __future__ import annotations

import csv
from pathlib import Path

from hypothesis import strategies as st

SPLITS = ("train", "valid", "test")
TITLES = ("red sofa", "blue mug", "green lamp")
SCRIPTS = ("लाल जूते", "กางเกง", "红色皮沙发", "حذاء", "ランニング", "bru\u0302le\u0301e")
WORDS = ("red", "sofa", "blue mug", "$5_ ^x", "<b>*x*", *SCRIPTS)
TEXTS = (*WORDS, "!!!", "a", "the", "?", "☕")
SCALES = (
    ("0", "1"), ("0", "1", "2"), ("1", "2", "3"), ("1.00", "2.33", "3"), ("0", "0.333", "1"), ("0", "7", "812"),
    ("Irrelevant", "Exact"), ("Irrelevant", "Partial", "Exact"), ("I", "C", "S", "E"), ("Substitute", "Exact"),
)  # fmt: skip
BAD_SCALES = (("1",), ("0",), ("0,5", "1"), ("", "1"), ("0", "0.3333"), ("good", "bad"), ("Exact", "1"), ("-1", "1"))
SPELLED = (str, str.upper, "\u00a0{} ".format, "\u200b{}".format, str.title)
KINDS = ("", "head", "between $10_$20", "<i>", "_x_")


def write(folder: Path, *, queries: list[dict], products: list[dict], labels: list[dict], spelled=str) -> Path:
    """The three files; `spelled` gives the spelling of a header's names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {"queries": queries, "products": products, "labels": labels}.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow([spelled(column) for column in rows[0]])
            writer.writerows(row.values() for row in rows)
    return folder


def shop(
    *, counts=(6, 3, 4), titles=("red sofa", "blue mug", "green lamp"), texts=None, scale=("0", "1", "2"), kinds=None
):
    """Files of a small shop, all products judged for all queries: each query has two labels at least.

    Args:
        counts: queries of train, valid and test.
        texts: of the queries by their number, or the title of a product and the number.
        kinds: kinds that the queries have in turn.
    """
    splits = [split for split, n in zip(SPLITS, counts, strict=True) for _ in range(n)]
    queries = []
    for number, split in enumerate(splits):
        text = texts[number % len(texts)] if texts else titles[number % len(titles)]
        kind = {"kind": kinds[number % len(kinds)]} if kinds else {}
        queries.append({"query_id": f"q{number}", "query": f"{text} {number}", "split": split} | kind)
    labels = [
        {"query_id": f"q{q}", "product_id": f"p{p}", "label": scale[min((p - q) % len(titles), len(scale) - 1)]}
        for q in range(len(splits))
        for p in range(len(titles))
    ]
    products = [{"product_id": f"p{p}", "title": title} for p, title in enumerate(titles)]
    return {"queries": queries, "products": products, "labels": labels}


def relabelled(files: dict, *, split: str, gains: dict[str, str], first: int | None = None) -> dict:
    """The files with other labels for the first queries of a split, or for all of them."""
    asked = [row["query_id"] for row in files["queries"] if row["split"] == split][:first]
    for row in files["labels"]:
        if row["query_id"] in asked:
            row["label"] = gains.get(row["label"], row["label"])
    return files


def with_log(files: dict) -> dict:
    """The files with 160 unjudged train queries, and one of valid and test each, before the judged ones."""
    log = [{"query_id": f"u{i}", "query": f"search {i}", "split": "train"} for i in range(160)]
    log += [{"query_id": f"u{split}", "query": f"search {split}", "split": split} for split in SPLITS[1:]]
    return files | {"queries": log + files["queries"]}


def reported() -> dict[str, dict]:
    """Good data of which a run once lost its training, or made something else than was meant."""
    hindi = {"titles": ("लाल जूते", "नीला टोपी", "काला घड़ी"), "texts": ("लाल", "नीला जूते", "हरा")}
    odd = with_log(shop(scale=(" 1.000", "2.333 ", "3"))) | {"spelled": " {}".format}
    for row in odd["queries"]:
        row["split"] = f" {row['split']}"
    return {
        "one query a split": relabelled(shop(counts=(1, 1, 1)), split="test", gains={"2": "1"}),
        "best label in train alone": relabelled(shop(scale=("0", "7", "812")), split="test", gains={"812": "9"}),
        "first test queries irrelevant": relabelled(shop(), split="test", gains={"1": "0", "2": "0"}, first=2),
        "Hindi": shop(**hindi),
        "no title has a word": shop(titles=("?", "!", "☕"), texts=("!!!", "red sofa", "a")),
        "a kind with dollars": shop(counts=(4, 2, 62), kinds=("between $10_$20", "a_{b} $c^")),
        "kinds missing for some, or long": shop(counts=(4, 2, 62), kinds=("", "<i> | `x`\n" * 40)),
        "no word in common": shop(texts=("gourde", "perceuse")),
        "a log in front, numbers from 1 on with three decimals, spaces in header and cells": odd,
    }


@st.composite
def folders(draw, scales=SCALES) -> dict:
    """Files of a small shop as it might be sent; each split has a query with two labels if the scale has two."""
    scale, pool = draw(st.sampled_from(scales)), draw(st.sampled_from((WORDS, TEXTS)))
    counts = [draw(st.integers(1, 3)) for _ in SPLITS]
    titles = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=5))
    texts = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))
    kinds = draw(st.none() | st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    files = shop(counts=counts, titles=titles, texts=texts, scale=scale, kinds=kinds)
    judged_id = draw(st.sampled_from(("{}", " {}", "{}\u200b"))).format
    labels = [
        row | {"query_id": judged_id(row["query_id"])}
        for row in files["labels"]
        if row["label"] in scale[:2] or draw(st.booleans())
    ]
    brands = [
        {"brand": draw(st.sampled_from(("", "Acme"))), "price": "1"} if draw(st.booleans()) else {} for _ in titles
    ]
    products = [row | brand for row, brand in zip(files["products"], brands, strict=True)]
    asked = draw(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(SPLITS)), max_size=3))
    log = [{"query_id": f"u{i}", "query": text, "split": split} for i, (text, split) in enumerate(asked)]
    queries = same_columns(log + files["queries"])
    spelled = draw(st.sampled_from(SPELLED))
    return {"queries": queries, "products": same_columns(products), "labels": labels, "spelled": spelled}


def same_columns(rows: list[dict]) -> list[dict]:
    """The rows with all columns that any of them has, empty where a row has none."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return [dict.fromkeys(columns, "") | row for row in rows]
