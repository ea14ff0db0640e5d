"""Three queries and three products as a folder of files, for the tests of what is read, refused and said of data."""

from utils import settings
from utils.data import catalogue

QUERIES = "query_id,query,split\nq1,red sofa,train\nq2,blue mug,valid\nq3,tall lamp,test\n"
PRODUCTS = "product_id,title,brand\np1,Sofa red,Acme\np2,Mug,\np3,Lamp,Lumo\n"
LABELS = "query_id,product_id,label\n" + "".join(
    f"q{q},p{p},{'Exact' if p == q else 'Irrelevant'}\n" for q in (1, 2, 3) for p in (1, 2, 3)
)
NUMBERS = LABELS.replace("Exact", "1").replace("Irrelevant", "0")


def write(folder, *, queries=QUERIES, products=PRODUCTS, labels=LABELS):
    """The folder with these three files in it."""
    for name, text in {"queries.csv": queries, "products.csv": products, "labels.csv": labels}.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder


def change(folder, file, old, new):
    """Put `new` in the place of `old` where it stands first in a file."""
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8", newline="")


def load(folder, *, profile="gpu"):
    return catalogue.load(folder, profile=settings.profile(profile))
