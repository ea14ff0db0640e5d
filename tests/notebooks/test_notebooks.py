"""Every notebook runs from a fresh kernel with the ci profile and keeps to its gate; nothing committed is wrong."""

import re

import nbformat
import pytest
from IPython.display import Markdown
from made import CI

from authoring import gates, lint, results_page
from utils import course
from utils.course import contents, execution, report, runner
from utils.course.records import show_recorded
from utils.measure import ledger

GATES = gates.read()


def test_every_notebook_has_its_gate():
    assert sorted(GATES) == [path.stem for path in runner.notebooks()]


@pytest.mark.parametrize("name", GATES)
def test_notebook_keeps_to_its_gate(out, name):
    seconds = execution.stamp(out / "notebooks" / f"{name}.ipynb")["seconds"]
    assert gates.problems(name, GATES[name], seconds=seconds, rows=ledger.read(out / "ledger.jsonl")) == []


def test_a_second_run_does_nothing(out):
    lines = []
    runner.run(
        **CI, out=str(out), parameters={name: gate.parameters for name, gate in GATES.items()}, echo=lines.append
    )
    assert lines == [f"{name}: unchanged" for name in GATES]


def test_the_map_of_the_first_notebook_names_those_that_there_are():
    nb = nbformat.read(runner.notebooks("00")[0], as_version=4)
    (cell,) = (cell for cell in nb.cells if cell.source == "contents.table()")
    assert cells_of(cell.outputs[0].data["text/html"]) == cells_of(contents.table().to_html()), "run: make notebooks"


def test_report_shows_every_row(out):
    page = report.write(out, **CI, out=str(out)).read_text()
    assert all(row.label in page for row in ledger.latest(ledger.read(out / "ledger.jsonl")))
    assert page.count("data:image/png;base64") + page.count("<svg") >= 2


RENDER = "run: course results, which makes nothing anew that is recorded"


@pytest.mark.parametrize("path", [*runner.notebooks(), *runner.more(), *lint.pages()], ids=lambda path: path.name)
def test_what_is_committed_has_no_fault_that_can_be_seen_without_running_it(path):
    assert lint.problems([path]) == []


def cells_of(html: str) -> list[list[str]]:
    """The texts of a table's cells, line by line, the line that only names the index left out."""
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in re.findall(r"<tr.*?</tr>", html, re.S)]
    return [line for line in lines if line[0] != "row" and any(line)]


def test_the_pages_show_what_the_recorded_results_render_to():
    readme, page = (path.read_text(encoding="utf-8") for path in (results_page.README, results_page.PAGE))
    assert results_page.with_headline(readme) == readme and results_page.with_tables(page) == page, RENDER
    assert results_page.PICTURE.exists(), RENDER


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A run on the embedded shop that has made nothing yet."""
    return course.begin("00_start_here", **CI | {"profile": "laptop"}, out=str(tmp_path_factory.mktemp("shop")))


@pytest.mark.parametrize(
    ("number", "shown", "only"),
    [
        ("01", "quality", {}),
        ("03", "kept", {"stage": "pruned"}),
        ("04", "sweep", {}),
        ("04", "kept", {"stage": "student"}),
        ("06", "kept", {"stage": "quantized"}),
    ],
)
def test_a_notebook_shows_the_recorded_results_as_they_are(shop, number, shown, only):
    nb = nbformat.read(runner.notebooks(number)[0], as_version=4)
    (cell,) = (cell for cell in nb.cells if f"show_recorded.{shown}(" in cell.source)
    found = [output.data for output in cell.outputs if "data" in output]
    now = getattr(show_recorded, shown)(shop, **only)
    if isinstance(now, Markdown):  # nothing is recorded, and the notebook says so
        assert now.data in [one.get("text/markdown") for one in found]
    else:
        tables = [cells_of(one["text/html"]) for one in found if "text/html" in one]
        assert cells_of(now.to_html()) in tables, "run: make notebooks"


def test_every_field_of_the_ledger_is_measured_by_some_row(out):
    rows = ledger.read(out / "ledger.jsonl")
    places = [f"{group}.{name}" for group, found in rows[0].groups().items() for name in found.figures()]
    assert [place for place in places if all(row.value(place) is None for row in rows)] == []
    peaks = {"fp32_gflops", "fp32_in_pytorch_gflops", "bf16_gflops", "int8_gops", "memory_gb_per_s"}
    assert any(peaks <= row.identity.machine.keys() for row in rows)
