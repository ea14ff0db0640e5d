"""What a notebook shows of recorded results: apart from `tables`, so that only notebooks that show them depend on them.

Results are shown only where they were recorded of the very data of the notebook's run. Where there are none, as for a
reader's own data, the command that records them is shown instead.
"""

from __future__ import annotations

import shlex

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from utils.course.records import grid_tables, recorded, recorded_grid, recorded_tables
from utils.course.records.recorded import Record
from utils.course.records.recorded_grid import Cell
from utils.course.run import Run
from utils.measure import plots

QUALITY = ("NDCG@10", "to the teacher", "end to end")
RECORDED_FOR = {"ci": "laptop"}  # profiles that nobody records: their notebooks show another's results


def quality(run: Run) -> pd.DataFrame | Markdown:
    """Quality of what notebooks 00 and 01 judged, over the seeds that are recorded for the run's data."""
    if not (records := _records(run)):
        return _missing(run)
    frame = recorded_tables.tabulate_notebooks(records)
    frame = frame[frame["NDCG@10"] != "–"]
    return frame[[name for name in frame.columns if name in QUALITY or name.startswith("seeds")]]


def kept(run: Run, *, stage: str = "") -> pd.DataFrame | Markdown:
    """What recipes keep of the teacher's quality and what they leave of its cost, over the recorded seeds.

    Args:
        stage: only its rows; empty: the rows of all stages.
    """
    frame = recorded_tables.kept(_records(run))
    if stage and not frame.empty:
        frame = frame[[name.partition(",")[0] == stage for name in frame.index]]
    return _missing(run) if frame.empty else frame


def grid(run: Run) -> pd.DataFrame | Markdown:
    """NDCG@10 on valid of the shapes of the grid of distillation that are recorded for the run's data."""
    return grid_tables.tabulate_shapes(cells) if (cells := _cells(run)) else _missing(run, "--grid")


def grid_losses(run: Run) -> pd.DataFrame | None:
    """NDCG@10 on valid of every loss of the grid at its one shape; None before there are any."""
    return grid_tables.tabulate_losses(cells) if (cells := _cells(run)) else None


def grid_picture(run: Run) -> Figure | None:
    """The recorded students' NDCG@10 against their work, taught and on labels alone; None before there are both."""
    cells = _cells(run)
    if not (verdict := grid_tables.verdict(cells)):
        return None
    title = verdict[0].upper() + verdict[1:]
    return plots.quality_against_work(grid_tables.families(cells), title=title)


def worth_of_scores(run: Run) -> str:
    """What the teacher's scores gave beside labels, in a sentence; "" before that is recorded."""
    said = grid_tables.worth_of_scores(_cells(run))
    return f"NDCG@10 on valid, {said}." if said else ""


def _records(run: Run) -> list[Record]:
    return recorded.read(dataset_hash=run.catalogue.hash, profile=_profile(run))


def _cells(run: Run) -> list[Cell]:
    return recorded_grid.read(dataset_hash=run.catalogue.hash, profile=_profile(run))


def _profile(run: Run) -> str:
    return RECORDED_FOR.get(run.profile.name, run.profile.name)


def _missing(run: Run, *options: str) -> Markdown:
    command = shlex.join(["course", "results", *options, "--dataset", run.dataset, "--profile", _profile(run)])
    return Markdown(f"Nothing is recorded for this data set yet; the command is `{command}`, and it takes hours.")
