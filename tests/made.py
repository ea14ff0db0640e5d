"""Tiny notebooks, a tiny shop and ledger rows, made for tests."""

import nbformat

from utils.measure import ledger

PARAMETERS = 'PROFILE = "laptop"\nDATASET = "synthetic"\nSEED = 0\nOUT = ""'
RUN = {"profile": "laptop", "dataset": "synthetic", "seed": 0}
QUERIES = "query_id,query,split\nq1,red,train\nq2,blue,valid\nq3,tall,test\n"
LABELS = "query_id,product_id,label\nq1,p1,1\nq2,p1,1\nq3,p1,1\n"


def notebook(*sources, parameters=PARAMETERS, needs=()):
    """A notebook of a parameters cell and one code cell for each source."""
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "rank_for_less": {"needs": list(needs)}}
    )


def write_shop(folder, *, labels=LABELS):
    """Three queries and one product as a folder of data."""
    folder.mkdir(exist_ok=True)
    (folder / "queries.csv").write_text(QUERIES)
    (folder / "products.csv").write_text("product_id,title\np1,Sofa\n")
    (folder / "labels.csv").write_text(labels)


LATENCY = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "n": 4}
GIVEN = {
    "parent": None,
    "machine": {"cores": 2, "gpu": None, "vector_instructions": ["avx2"]},
    "versions": {"torch": "2"},
    "latency_ms": LATENCY,
    "ndcg10_delta": {"mean": 0.0, "low": -0.1, "high": 0.1},
    "why_null": {},
}


def row(**changes):
    """A row that is whole: 1 in every plain field that takes a number, "x" in the others."""
    plain = {}
    for name, field in ledger.Row.model_fields.items():
        plain[name] = "x" if field.annotation in (str, str | None) else 1
    return ledger.Row(**plain | GIVEN | changes)
