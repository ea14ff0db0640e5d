"""Notebooks 00 and 01 finish on data that is unusual and right: what cannot be said is left out, with its reason."""

import ast
import dataclasses
import random

import nbformat
import pytest
from matplotlib.figure import Figure

from utils import settings
from utils.course import runner
from utils.measure import ledger

WORDS = ("red", "blue", "tall", "small", "steel", "wool", "lamp", "sofa", "mug", "tent", "kettle", "rug")
SPLITS = ("train", "valid", "test")
SMALL = {"n_train_pairs": 16, "batch_size": 8, "max_tokens": 32, "n_bootstrap": 20, "n_end_to_end_queries": 5}


def shop(*, n_queries=8, kind=lambda number: "", label=None, query=None, title=None) -> dict[str, list[tuple]]:
    """Rows of the three files: `n_queries` a split, six products judged for each, one of them of the best label, 2."""
    rng = random.Random(0)
    words = [f"{rng.choice(WORDS)} {rng.choice(WORDS)}" for _ in range(30)]
    rows = {"queries": [("query_id", "query", "split", "kind")], "labels": [("query_id", "product_id", "label")]}
    rows["products"] = [("product_id", "title"), *((f"p{i}", title or f"{text} {i}") for i, text in enumerate(words))]
    for number, split in enumerate(split for split in SPLITS for _ in range(n_queries)):
        text = query(number) if query else f"{rng.choice(words)} q{number}"
        rows["queries"].append((f"q{number}", text, split, kind(number)))
        for place, product in enumerate(rng.sample(range(30), 6)):
            given = (2, 1, 0, 0, 0, 0)[place] if label is None else label(split, number, place)
            rows["labels"].append((f"q{number}", f"p{product}", given))
    return rows


def best_label_in_train_alone(split, number, place):
    return (2 if split == "train" else 1) if place == 0 else 0


def first_test_queries_irrelevant(split, number, place):
    return 0 if split == "test" and number < 22 else (2 if place == 0 else 0)


def counts(split, number, place):
    return (997 * number + 31) % 1000 if place == 0 else place % 2


HONEST = {
    "the best label on no test query": shop(label=best_label_in_train_alone),
    "the first test queries all irrelevant": shop(label=first_test_queries_irrelevant),
    "one query a split": shop(n_queries=1),
    "counts as labels": shop(label=counts),
    "kinds that are formulas, missing or long": shop(
        n_queries=70, kind=lambda number: ("10_ $a_ ^{b} $5", "", "<i> | `x` " * 40)[number % 3]
    ),
    "no word in common": shop(query=lambda number: f"gourde{number} perceuse{number}"),
    "queries without words": shop(query=lambda number: "?" * (number + 1)),
    "one title for all": shop(title="steel mug"),
}

WITHOUT_RECALL = {"the best label on no test query", "counts as labels"}


def write(folder, rows) -> str:
    folder.mkdir()
    for name, lines in rows.items():
        text = "\n".join(",".join(f'"{value}"' for value in line) for line in lines)
        (folder / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
    return str(folder)


def run_cells(number: str, **parameters) -> None:
    """The code of a notebook in this process, one cell after the other, each result shown as Jupyter would."""
    names: dict = {}
    for cell in nbformat.read(runner.notebooks(number)[0], as_version=4).cells:
        if cell.cell_type == "code":
            body = ast.parse(cell.source).body
            last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), cell.id, "exec"), names)
            if last:
                show(eval(compile(last, cell.id, "eval"), names))
            if "parameters" in cell.metadata.get("tags", ()):
                names |= parameters


def show(result) -> None:
    if isinstance(result, Figure):
        result.draw_without_rendering()
    elif hasattr(result, "_repr_html_"):
        assert "nan" not in result._repr_html_()


@pytest.mark.parametrize("data", HONEST)
def test_the_first_notebooks_finish_and_a_figure_that_does_not_exist_says_why(
    data, small_folder, tmp_path, monkeypatch
):
    small = dataclasses.replace(settings.profile("ci"), **SMALL)
    monkeypatch.setitem(settings.PROFILES, "ci", small)
    dataset, out = write(tmp_path / "data", HONEST[data]), tmp_path / "out"
    run_cells("00", PROFILE="ci", DATASET=dataset, OUT=str(out))
    run_cells("01", PROFILE="ci", DATASET=dataset, OUT=str(out), CHECKPOINT=str(small_folder))
    rows = {row.stage: row for row in ledger.read(out / "ledger.jsonl")}
    assert set(rows) == {"random", "bm25", "bi_encoder", "fused", "teacher"}
    for stage in ("bm25", "teacher"):
        assert rows[stage].ndcg10_end_to_end is not None
        assert (rows[stage].recall is None) == (data in WITHOUT_RECALL)
        assert ("recall" in rows[stage].why_null) == (data in WITHOUT_RECALL)
