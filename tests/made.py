"""Tiny notebooks, a tiny shop and ledger rows, made for tests."""

import dataclasses
import itertools
from types import SimpleNamespace

import nbformat
from datasets import Dataset

from authoring import committed_form
from utils import settings
from utils.measure.row_groups import Row
from utils.rank import lists
from utils.rank.setting import Setting

PROSE, SUM, TEXT = 1, 2, 3  # cells of a published notebook, after that of the parameters
PARAMETERS = 'PROFILE = "laptop"\nDATASET = "synthetic"\nSEED = 0\nOUT = ""'
RUN = {"profile": "laptop", "dataset": "synthetic", "seed": 0}
CI = RUN | {"profile": "ci"}
TITLE = """# 01 Made

**Promise:** you see a notebook.

| you will learn | minutes to read | minutes to run on 2 cores |
|---|---|---|
| nothing | 1 | 1 |"""
END = """**Check yourself.**
1. Why?

**Papers.** A and B, "A dataset, 0.95 of it", 2009, <https://example.org/abs>"""
QUERIES = "query_id,query,split\nq1,red,train\nq2,blue,valid\nq3,tall,test\n"
ENGINES = ("pytorch", "onnxruntime", "openvino")  # those that run a model folder as it is; others may be registered
LABELS = "query_id,product_id,label\nq1,p1,1\nq2,p1,1\nq3,p1,1\nq1,p2,0\nq2,p2,0\nq3,p2,0\n"


def notebook(*sources, parameters=PARAMETERS, needs=()):
    """A notebook of a parameters cell and one code cell for each source."""
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "rank_for_less": {"needs": list(needs)}}
    )


def whole_notebook():
    """A notebook with all that the course asks of one, as if it had been run: code in cells 1, 2, 4, 6 and 8."""
    md, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    shown = nbformat.v4.new_output("stream", name="stdout", text="NDCG@10 0.887 in 12.5 ms\n")
    cells = [
        md(TITLE),
        code(PARAMETERS, metadata={"tags": ["parameters"]}),
        code('run = course.begin("01_made", profile=PROFILE, dataset=DATASET, seed=SEED, needs=("teacher",))'),
        md("## By hand\n\nThe constant k1 is 1.5."),
        code("k1 = 1.5\nprint(quality)", outputs=[shown]),
        md("## Your decision\n\n## Measured"),
        code('plots.spread(quality, title=f"It gets {quality:.2f}")'),
        md("## How it goes wrong\n\n## When to use it"),
        code('run.finish(recap=[f"A ranker gets {quality:.3f}.", "That is all."])'),
        md(END),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata={"rank_for_less": {"needs": ["teacher"]}})


def code(nb):
    """The code cells of a notebook."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def run_cells(nb, *, start=1):
    """Give every code cell the count and an output of a run that begins at `start`."""
    for count, cell in enumerate(code(nb), start=start):
        cell.update(execution_count=count, outputs=[nbformat.v4.new_output("stream", text=f"run {count}\nend\n")])


def published():
    """A notebook as publishing leaves it: parameters, prose, a sum and a text, the code with outputs."""
    nb = notebook("1 + 1", "print('a\\nb')", needs=["teacher"])
    nb.cells.insert(PROSE, nbformat.v4.new_markdown_cell("## Sums"))
    for number, cell in enumerate(nb.cells):
        cell.id = f"cell-{number}"
    run_cells(nb)
    committed_form.stamp(nb)
    return nb


def setting(pairs, *, folder, max_tokens=32, top_gain=1):
    """What a training works with that learns from these judged pairs and is judged on them as well."""
    profile = dataclasses.replace(settings.profile("ci"), max_tokens=max_tokens)
    catalogue = SimpleNamespace(pairs={"train": pairs, "valid": pairs}, top_gain=top_gain)
    return Setting(catalogue, profile, seed=0, log_folder=folder)


def batch_of(some, *, tokenizer, max_tokens=32):
    """A batch as a training gets it, of lists that are written out as (query, {product: gain})."""
    rows = [(query, product, gain) for query, products in some for product, gain in products.items()]
    columns = dict(zip(("query", "product", "gain"), map(list, zip(*rows, strict=True)), strict=True))
    encoded = lists.encode(Dataset.from_dict(columns), tokenizer=tokenizer, max_tokens=max_tokens)
    ends = list(itertools.accumulate(len(products) for _, products in some))
    places = [list(range(start, end)) for start, end in itertools.pairwise([0, *ends])]
    drawn = lists.Lists(encoded, rows=places)
    return lists.collate([drawn[i] for i in range(len(drawn))], tokenizer=tokenizer)


def write_shop(folder, *, labels=LABELS):
    """Three queries and two products as a folder of data."""
    folder.mkdir(exist_ok=True)
    (folder / "queries.csv").write_text(QUERIES)
    (folder / "products.csv").write_text("product_id,title\np1,Sofa\np2,Lamp\n")
    (folder / "labels.csv").write_text(labels)


def replace_once(path, old, new):
    """Edit a file where it holds `old`, which it must do once."""
    before = path.read_text(encoding="utf-8")
    assert before.count(old) == 1, f"{path.name} holds {old!r} {before.count(old)} times"
    path.write_text(before.replace(old, new), encoding="utf-8")


LATENCY = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "n": 4}
GIVEN = {
    "parent": None,
    "machine": {"cores": 2, "gpu": None, "vector_instructions": ["avx2"]},
    "versions": {"torch": "2"},
    "latency_ms": LATENCY,
    "ndcg10_delta": {"mean": 0.0, "low": -0.1, "high": 0.1},
}


def row(*, why_null=None, **changes):
    """A row that is whole: 1 in every plain field that takes a number, "x" in the others.

    `changes` and `why_null` name fields of its groups, or a whole group that a later notebook adds.
    """
    groups = {}
    for group, field in Row.model_fields.items():
        fields = {name: one for name, one in field.annotation.model_fields.items() if name != "why_null"}
        plain = {name: "x" if one.annotation in (str, str | None) else 1 for name, one in fields.items()}
        known = plain | {name: value for name, value in (GIVEN | changes).items() if name in fields}
        reasons = {name: reason for name, reason in (why_null or {}).items() if name in fields}
        groups[group] = known | {"why_null": reasons}
    fields = {name for group in groups.values() for name in group}
    return Row(**groups, **{name: value for name, value in changes.items() if name not in fields})
