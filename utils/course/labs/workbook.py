"""A learner's own copies of the labs, under `labs/mine/`: begun, checked, begun anew with a backup, and their progress.

Nothing else writes there, and nothing here ever removes what a learner wrote.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from utils import disk, settings
from utils.course import execution
from utils.course.labs import checks

SECONDS_A_CELL = 240  # labs 03 and 04 make the small ranker in one of them
SOLVED, NOT_YET, NOT_WRITTEN, NOT_REACHED = "solved", "not yet", "not written", "not reached"


@dataclass(frozen=True)
class Standing:
    """How a graded cell of a lab stands: one of the words above, and what its check says."""

    task: str
    state: str
    words: str = ""


@dataclass(frozen=True)
class Progress:
    """The tasks of a lab in their order, those that are solved, and whether it was begun."""

    lab: str
    tasks: list[str]
    solved: set[str]
    is_begun: bool


def release(lab: str) -> Path:
    """The notebook of a lab as a learner gets it."""
    checks.tasks_of(lab)
    return settings.ROOT / "labs" / "release" / lab / f"{lab}.ipynb"


def master(lab: str) -> Path:
    """The notebook of a lab with its solutions."""
    checks.tasks_of(lab)
    return settings.ROOT / "labs" / "source" / lab / f"{lab}.ipynb"


def copy_of(lab: str) -> Path:
    """The learner's copy, there or not."""
    checks.tasks_of(lab)
    return settings.ROOT / "labs" / "mine" / lab / f"{lab}.ipynb"


def start(lab: str) -> Path:
    """Copy a lab's release to the learner's place.

    Raises:
        ValueError: there is no such lab, or the learner has a copy.
    """
    place = copy_of(lab)
    if place.parent.exists():
        raise ValueError(
            f"{_shown(place)}: is there; go on, or begin anew with: course lab reset {lab} (yours is kept)"
        )
    with disk.whole_folder(place.parent) as new:
        shutil.copy2(release(lab), new / place.name)
        (new / checks.PROGRESS).write_text('{"solved": []}\n', encoding="utf-8")
    return place


def reset(lab: str) -> tuple[Path, Path | None]:
    """Begin a lab anew; the learner's copy is first moved to a dated backup.

    Returns:
        The new copy, and the backup's folder if there was something to keep.
    """
    place, backup = copy_of(lab), None
    if place.parent.exists():
        backup = _free(place.parents[1] / "backup" / f"{lab}-{datetime.now():%Y-%m-%d-%H%M%S}")
        backup.parent.mkdir(parents=True, exist_ok=True)
        place.parent.rename(backup)
    return start(lab), backup


def check(lab: str) -> list[Standing]:
    """Run a learner's copy in a fresh kernel and say how every task stands; the copy itself is left as it is.

    Raises:
        ValueError: the lab was not begun, or its file is no notebook.
    """
    place = copy_of(lab)
    if not place.exists():
        raise ValueError(f"{_shown(place)}: is not there; begin with: course lab start {lab}")
    try:
        nb = nbformat.read(place, as_version=4)
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{_shown(place)}: is no notebook ({str(error).splitlines()[0]}); see: course lab reset {lab}"
        ) from None
    _execute(nb, folder=place.parent)
    found = list(_standings(nb))
    solved = sorted(one.task for one in found if one.state == SOLVED)
    disk.write_whole(place.with_name(checks.PROGRESS), json.dumps({"solved": solved}) + "\n")
    return found


def progress() -> list[Progress]:
    """Of every lab, in their order."""
    return [_progress_of(lab) for lab in checks.labs()]


def export(path: Path) -> Path:
    """Write a table of all tasks of all labs: lab, task, whether it is solved, and the last figure of an open task.

    Workshops collect these, one of each learner; the leaderboard beside a copy of a lab has every figure.
    """
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(("lab", "task", "solved", "figure", "last_value"))
    for one in progress():
        figures = _last_figures(copy_of(one.lab).with_name(checks.LEADERBOARD))
        for task in one.tasks:
            writer.writerow((one.lab, task, int(task in one.solved), *figures.get(task, ("", ""))))
    return disk.write_whole(path, page.getvalue())


def solutions(lab: str) -> list[tuple[str, str]]:
    """(task, source) of every cell of a lab that a learner writes, as its author wrote it."""
    nb = nbformat.read(master(lab), as_version=4)
    return [(cell.metadata.nbgrader.grade_id, cell.source) for cell in nb.cells if _mark(cell).get("solution")]


def graded(nb: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """The cells that decide whether a task is solved, by the task's name."""
    for cell in nb.cells:
        if cell.cell_type == "code" and _mark(cell).get("grade"):
            yield cell.metadata.nbgrader.grade_id.removeprefix("check-").replace("-", "."), cell


def _mark(cell: NotebookNode) -> NotebookNode:
    """nbgrader's metadata of a cell, empty where it has none."""
    return cell.metadata.get("nbgrader", NotebookNode())


def _execute(nb: NotebookNode, *, folder: Path) -> None:
    """Run all cells, those after an error too; a cell that takes too long is interrupted.

    Raises:
        ValueError: the kernel died.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    client = NotebookClient(
        nb,
        timeout=SECONDS_A_CELL,
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
        kernel_manager_class=execution.own_kernel(),
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except DeadKernelError:
        raise ValueError(
            f"{_shown(folder)}: the kernel died at work; look for a cell that ends it or fills the memory"
        ) from None


def _standings(nb: NotebookNode) -> Iterator[Standing]:
    """Of every graded cell; where a cell above it stopped, since the last graded one, that is what is told."""
    tasks, above = {cell.id: task for task, cell in graded(nb)}, None
    for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
        error = next((output for output in cell.outputs if output.output_type == "error"), None)
        if cell.id not in tasks:
            above = above or error
            continue
        task, stopped, above = tasks[cell.id], above, None
        if error is not None and stopped is not None and error.ename == NameError.__name__:
            yield Standing(task, NOT_YET, f"a cell above stopped: {_words(stopped)}")
        elif error is None:
            yield Standing(task, SOLVED if cell.execution_count else NOT_REACHED, _figure(cell))
        elif error.ename in (NotImplementedError.__name__, checks.NotWritten.__name__):
            yield Standing(task, NOT_WRITTEN)
        else:
            yield Standing(task, NOT_YET, _words(error))


def _figure(cell: NotebookNode) -> str:
    """What an open task was judged by, from what its check printed; "" of another task."""
    texts = [line for output in cell.outputs for line in output.get("text", "").splitlines() if ": solved. " in line]
    return texts[-1].partition(": solved. ")[2] if texts else ""


def _words(error: NotebookNode) -> str:
    if error.ename == checks.NotYet.__name__:
        return error.evalue
    if error.ename == KeyboardInterrupt.__name__:
        return f"took more than {SECONDS_A_CELL} s, and was stopped"
    return f"{error.ename}: {error.evalue}"


def _progress_of(lab: str) -> Progress:
    tasks = [task for task, _ in graded(nbformat.read(release(lab), as_version=4))]
    path = copy_of(lab).with_name(checks.PROGRESS)
    solved = set(disk.read_object(path).get("solved", []))
    return Progress(lab, tasks, solved & set(tasks), path.exists())


def _last_figures(leaderboard: Path) -> dict[str, tuple[str, float]]:
    """(what it is, value) of each task that has one; a line that is none is passed over."""
    found = {}
    for line in leaderboard.read_text(encoding="utf-8").splitlines() if leaderboard.exists() else []:
        try:
            noted = json.loads(line)
            found[noted["task"]] = (noted["figure"], noted["value"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _free(folder: Path) -> Path:
    """That folder, or one with a number after its name where it is taken."""
    taken, number = folder, 1
    while taken.exists():
        number += 1
        taken = folder.with_name(f"{folder.name}-{number}")
    return taken


def _shown(path: Path) -> Path:
    return path.relative_to(settings.ROOT)
