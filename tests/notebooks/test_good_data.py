"""What `course data check` passes, a run can finish; what it refuses, no run takes.

Notebooks 00 and 01 are run in this process on small folders, with a tiny checkpoint and a few training pairs. The model
that is ranked with is the checkpoint itself, exported once, since no export depends on the data.
"""

import ast
import io
import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from made_data import BAD_SCALES, SCALES, folders, reported, write
from matplotlib.figure import Figure

from utils import settings as sizes
from utils.course import run
from utils.data import catalogue, summary
from utils.measure import ledger
from utils.rank import baselines

FEW = {"n_warm_pairs": 16, "n_train_pairs": 16, "n_bootstrap": 20, "n_stop_queries": 3, "n_end_to_end_queries": 2}
NO_SHRINKING = (Phase.explicit, Phase.generate)
QUICK = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
FULL = settings(QUICK, max_examples=4, phases=NO_SHRINKING)


@pytest.fixture
def small(small_folder, monkeypatch):
    """The tiny checkpoint's folder; a stage that is saved is a copy of it, and the profile ci takes next to nothing."""

    def save_stage(self, name, model, **_):
        return shutil.copytree(small_folder, self.stage(name))

    monkeypatch.setattr(run.Run, "save_stage", save_stage)
    monkeypatch.setitem(sizes.PROFILES, "ci", replace(sizes.PROFILES["ci"], **FEW))
    return small_folder


def run_notebooks(dataset, *, out, checkpoint):
    """Run 00 and 01 as a kernel would, with these parameters."""
    for name in ("00_start_here", "01_build_the_ranker"):
        cells = json.loads((sizes.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        namespace = {}
        for number, cell in enumerate(cells):
            if cell["cell_type"] == "code":
                run_cell("".join(cell["source"]), namespace, place=f"{name}, cell {number}")
            if "parameters" in cell["metadata"].get("tags", []):
                namespace |= {"PROFILE": "ci", "DATASET": str(dataset), "OUT": str(out), "CHECKPOINT": str(checkpoint)}


def run_cell(source, namespace, *, place):
    """Run a cell, and show the value that stands last: a table as HTML, a picture drawn."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), namespace)
    value = eval(compile(ast.Expression(last.value), place, "eval"), namespace) if last else None
    if isinstance(value, Figure):
        value.savefig(io.BytesIO())
    elif hasattr(value, "_repr_html_"):
        value._repr_html_()


@pytest.mark.parametrize("what", reported())
def test_data_that_stopped_a_run_once_passes_the_check_and_finishes(what, small, tmp_path):
    folder = write(tmp_path / "shop", **reported()[what])
    summary.lines(catalogue.read(folder))
    run_notebooks(folder, out=tmp_path / "out", checkpoint=small)


def test_a_figure_that_the_data_cannot_have_is_null_with_its_reason(small, tmp_path):
    folder = write(tmp_path / "shop", **reported()["best label in train alone"])
    run_notebooks(folder, out=tmp_path / "out", checkpoint=small)
    rows = {row.identity.stage: row.quality for row in ledger.read(tmp_path / "out" / "ledger.jsonl")}
    assert set(rows) == {"random", *baselines.NAMES, "teacher", "teacher_fused"}
    for stage in ("bm25", "teacher"):
        assert rows[stage].recall is None and "no product has the best label" in rows[stage].reason("recall")
        assert rows[stage].ndcg10_end_to_end is not None


@FULL
@given(files=folders())
def test_data_that_the_check_passes_finishes_notebooks_00_and_01(files, small, tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    folder = write(place / "shop", **files)
    assert summary.lines(catalogue.read(folder))
    run_notebooks(folder, out=place / "out", checkpoint=small)


@QUICK
@given(files=folders(scales=SCALES + BAD_SCALES))
def test_check_and_load_agree_at_every_profile_and_a_good_split_can_be_ordered(files, tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("made"), **files)
    try:
        summary.lines(catalogue.read(folder))
    except catalogue.DataError as error:
        for profile in sizes.PROFILES.values():
            with pytest.raises(catalogue.DataError) as refused:
                catalogue.load(folder, profile=profile)
            assert str(refused.value) == str(error)
        return
    for profile in sizes.PROFILES.values():
        for pairs in catalogue.load(folder, profile=profile).pairs.values():
            gains = pairs["gain"][:]
            assert min(gains) >= 0
            assert any(len({gains[row] for row in rows}) > 1 for rows in catalogue.rows_by_query(pairs).values())
