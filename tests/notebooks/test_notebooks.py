"""Every notebook runs from a fresh kernel with the ci profile, within its budget, its metrics within bounds."""

import nbformat
import pytest
import yaml

from utils import settings
from utils.course import fingerprint, report, runner
from utils.measure import ledger

GATES = yaml.safe_load((settings.ROOT / "tests" / "notebooks.yaml").read_text())
CI = {"profile": "ci", "dataset": "synthetic", "seed": 0}


@pytest.fixture(scope="session")
def out(tmp_path_factory):
    """The folder of one run of all notebooks."""
    folder = tmp_path_factory.mktemp("course")
    runner.run(**CI, out=str(folder), echo=lambda line: None)
    return folder


def test_every_notebook_has_its_gate():
    assert sorted(GATES) == [path.stem for path in runner.notebooks()]


@pytest.mark.parametrize("name", GATES)
def test_notebook_stays_within_its_budget(out, name):
    seconds = {status.name: status.seconds for status in runner.status(**CI, out=str(out))}
    assert 0 < seconds[name] <= GATES[name]["budget_s"]


@pytest.mark.parametrize("name", GATES)
def test_metrics_stay_within_their_bounds(out, name):
    rows = [row for row in ledger.read(out / "ledger.jsonl") if row.notebook == name]
    for stage, bounds in GATES[name]["rows"].items():
        found = [row for row in rows if row.stage == stage]
        assert found, f"{name} wrote no row of stage {stage}"
        for metric, (low, high) in bounds.items():
            values = [getattr(row, metric) for row in found if getattr(row, metric) is not None]
            assert values and all(low <= value <= high for value in values), f"{stage}: {metric} is {values}"


def test_a_second_run_does_nothing(out):
    lines = []
    runner.run(**CI, out=str(out), echo=lines.append)
    assert lines == [f"{name}: unchanged" for name in GATES]


def test_report_shows_every_row(out):
    page = report.write(out, **CI, out=str(out)).read_text()
    assert all(row.label in page for row in ledger.latest(ledger.read(out / "ledger.jsonl")))
    assert page.count("data:image/png;base64") + page.count("<svg") >= 2


@pytest.mark.parametrize("path", runner.notebooks(), ids=lambda path: path.stem)
def test_committed_outputs_are_those_of_the_committed_cells(path):
    nb = nbformat.read(path, as_version=4)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert nb.metadata.rank_for_less.get("cells") == fingerprint.cells_hash(nb), "run: make notebooks"
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(len(cell.source.splitlines()) <= 15 for cell in code)
    assert path.stat().st_size < 500_000


def test_notebooks_ask_for_the_stages_that_their_metadata_names():
    for path in runner.notebooks():
        nb = nbformat.read(path, as_version=4)
        code = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "code")
        assert all(f'needs=("{stage}",' in code for stage in nb.metadata.rank_for_less.needs), path.stem
