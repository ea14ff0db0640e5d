"""Every notebook runs from a fresh kernel with the ci profile, within its budget, its metrics within bounds."""

import re

import nbformat
import pytest
import yaml

from utils import settings
from utils.course import lint, publish, report, runner
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


@pytest.mark.parametrize("path", [*runner.notebooks(), *lint.pages()], ids=lambda path: path.name)
def test_what_is_committed_has_no_fault_that_can_be_seen_without_running_it(path):
    assert lint.faults([path]) == []


def cells_of(html: str) -> list[list[str]]:
    """The texts of a table's cells, line by line, the line that only names the index left out."""
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in re.findall(r"<tr.*?</tr>", html, re.S)]
    return [line for line in lines if line[0] != "row" and any(line)]


def test_results_in_readme_are_the_ledger_that_the_last_notebook_shows():
    page = publish.README.read_text(encoding="utf-8").split(publish.BEGIN)[1].split(publish.END)[0]
    stated = [line.strip("| \n").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    nb = nbformat.read(runner.notebooks()[-1], as_version=4)
    shown = [
        o.data["text/html"] for cell in nb.cells for o in cell.get("outputs", []) if "text/html" in o.get("data", {})
    ]
    assert len(stated) > 4 and stated[2:] == cells_of(shown[-1])[1:]


def test_every_field_of_the_ledger_is_measured_by_some_row(out):
    rows = ledger.read(out / "ledger.jsonl")
    unmeasured = {name for name in ledger.Row.model_fields if all(getattr(row, name) is None for row in rows)}
    assert unmeasured == {"parent"}  # the first stage with a parent comes with notebook 03
    assert {"fp32_gflops", "bf16_gflops", "int8_gops", "memory_gb_per_s"} <= rows[-1].machine.keys()
