"""Small files with the columns of WANDS and ESCI, and the problems of real ones; made for the tests of fetching."""

import csv
import hashlib
import json

import pandas as pd
from served import Page

QUERIES = "query_id\tquery\tquery_class\n" + "".join(f"{i}\tquery number {i}\tSofas\n" for i in range(40)) + "90\t \t\n"
PRODUCTS = (
    "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\tproduct_features\trating_count\t"
    "average_rating\treview_count\n"
    '0\tRed sofa, NA\tSofas\tFurniture / Sofas\t"soft ""and"" wide"\tcolour : red|width  :3||\t1.0\t4.5\t1.0\n'
    "1\tNULL\tLamps\t\tbright\t\t\t\t\n"
    "2\t\tLamps\t\tno name\t\t\t\t\n"
)
LABELS = "id\tquery_id\tproduct_id\tlabel\n" + "".join(
    f"{2 * i}\t{i}\t0\tExact\n{2 * i + 1}\t{i}\t1\t{'Partial' if i % 2 else 'Irrelevant'}\n" for i in range(40)
)
ASTRAY = "900\t0\t0\tPartial\n901\t0\t2\tExact\n902\t0\t77\tExact\n903\t90\t0\tExact\n904\t91\t0\tExact\n"
WANDS = {"query.csv": QUERIES.encode(), "product.csv": PRODUCTS.encode(), "label.csv": (LABELS + ASTRAY).encode()}


def write_list(folder, sets, *, site):
    """data/checksums.json for these files, which the site then serves."""
    listed = {}
    for name, files in sets.items():
        site.pages |= {f"/{name}/{file}": Page(body) for file, body in files.items()}
        described = [
            {"name": file, "url": f"{site.url}/{name}/{file}", "bytes": len(body), "sha256": sha256(body)}
            for file, body in files.items()
        ]
        listed[name] = {"page": "https://a.page", "licence": "MIT", "hosts": ["127.0.0.1"], "files": described}
    (folder / "checksums.json").write_text(json.dumps(listed))


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def esci_tables():
    """30 train and 10 test queries over 5 products, what the layout refuses, and rows of other tasks and markets."""
    rows = [
        (i, f"query {i}", f"B{p}", "us", "E" if p == i % 4 else "I", 1, "test" if i >= 30 else "train")
        for i in range(40)
        for p in range(4)
    ]
    rows += [
        (0, "query 0", "B0", "us", "S", 1, "train"),  # judged twice
        (0, "query 0", "B9", "us", "E", 1, "train"),  # in no file
        (1, "query 1", "B4", "us", "E", 1, "train"),  # without a title
        (50, " Query  31 ", "B5", "us", "E", 1, "train"),  # the text of a test query
        (51, "  ", "B0", "us", "E", 1, "train"),
        (52, "large only", "B0", "us", "E", 0, "train"),
        (53, "silla", "B0", "es", "E", 1, "train"),
    ]
    names = ["query_id", "query", "product_id", "product_locale", "esci_label", "small_version", "split"]
    examples = pd.DataFrame(rows, columns=names).assign(large_version=1).reset_index(names="example_id")
    products = pd.DataFrame(
        [
            (f"B{p}", f"Product {p}" if p != 4 else None, f"text <b>{p}</b>", "a\nbullet", "Acme", None, "us")
            for p in range(7)
        ]
        + [("B0", "Silla", None, None, None, None, "es")],
        columns=["product_id", *[f"product_{n}" for n in ("title", "description", "bullet_point", "brand", "color")]]
        + ["product_locale"],
    )
    return examples, products


def table(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def left_out(told):
    """The counts that are not zero, by reason."""
    lines = [line.removeprefix("left out: ").rpartition(": ") for line in told if line.startswith("left out: ")]
    return {reason: int(count) for reason, _, count in lines if count != "0"}
