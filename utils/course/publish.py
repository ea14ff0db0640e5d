"""Putting the outputs of a default run into the repository: into its notebooks, without what only holds on one machine,
and the ledger into README.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import nbformat

from utils import settings
from utils.course import masters, outputs, report, runner
from utils.course.execution import RunFailed
from utils.measure import ledger
from utils.measure.ledger import Row

README = settings.ROOT / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
DEFAULTS = {"profile": "laptop", "dataset": "synthetic", "seed": 0}


def publish(*, from_: str | None = None, only: str | None = None, echo: Callable[[str], object] = print) -> list[Path]:
    """Run with the notebooks' own parameters, put the outputs into the masters and the ledger into README.md.

    All of them or none.

    Raises:
        RunFailed: an output must not be committed: a warning, a path of this machine, too many bytes.
        ValueError: a notebook's defaults are not those of the command line.
    """
    folder = runner.run(**DEFAULTS, from_=from_, only=only, echo=echo)
    published = {
        path: _published(path, executed=folder / "notebooks" / path.name) for path in runner.notebooks(only, from_)
    }
    readme = with_results(README.read_text(encoding="utf-8"), rows=ledger.current(folder / "ledger.jsonl"))
    for path, nb in published.items():
        settings.write_whole(path, masters.text(nb))
        echo(f"{path.name}: published")
    settings.write_whole(README, readme)
    return list(published)


def with_results(page: str, *, rows: Sequence[Row]) -> str:
    """The page with the ledger as a Markdown table between its two marks; ValueError when a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md: the marks {BEGIN} and {END} are missing; put them around the table of results")
    frame = ledger.table(rows)
    lines = [["", *frame.columns], ["---"] * (1 + len(frame.columns))]
    lines += [[label, *cells] for label, *cells in frame.itertuples()]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    machines = "\n".join(dict.fromkeys(report.machine_words(row.machine) for row in rows))
    return f"{before}{begin}\n{table}\n{machines}\n{end}{after}"


def _published(path: Path, *, executed: Path) -> nbformat.NotebookNode:
    """The executed copy without papermill's metadata, timings and what else would differ on the next machine.

    Widgets are left out: they live only in a running notebook.
    """
    master, nb = nbformat.read(path, as_version=4), nbformat.read(executed, as_version=4)
    if len(nb.cells) != len(master.cells):
        raise ValueError(f"{path.name}: its defaults are not those of the command line ({DEFAULTS}); set them so")
    for index, (cell, own) in enumerate(zip(nb.cells, master.cells, strict=True)):
        if cell.cell_type == "code":
            kept = [output for output in cell.outputs if outputs.WIDGET not in output.get("data", {})]
            for output in kept:
                output.get("metadata", {}).pop("papermill", None)
                _refuse(outputs.output_faults(output), place=f"{path.name} cell {index}")
            own.update(outputs=kept, execution_count=cell.execution_count)
    masters.stamp(master)
    _refuse(outputs.size_faults(masters.text(master)), place=path.name)
    return master


def _refuse(faults: Iterable[str], *, place: str) -> None:
    for fault in faults:
        raise RunFailed(f"{place}: {fault}")
