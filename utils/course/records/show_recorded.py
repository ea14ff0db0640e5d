"""What a notebook shows of recorded results: apart from `show`, so that only notebooks that show them depend on them.

Where nothing is recorded for a reader's own data, the command that records it is shown instead.
"""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from utils.course.records import recorded_grid, recorded_tables
from utils.measure import plots

QUALITY = ("NDCG@10", "to the teacher", "end to end")


def quality(dataset: str) -> pd.DataFrame | Markdown:
    """Quality of what notebooks 00 and 01 judged, over the seeds that are recorded for a data set."""
    try:
        frame = recorded_tables.tabulate(dataset=dataset, recipes=False)
    except ValueError as error:
        return Markdown(str(error))
    frame = frame[frame["NDCG@10"] != "–"]
    return frame[[name for name in frame.columns if name in QUALITY or name.startswith("seeds")]]


def kept(dataset: str, *, stage: str = "") -> pd.DataFrame | Markdown:
    """What recipes keep of the teacher's quality and what they leave of its cost, over the recorded seeds.

    Args:
        stage: only its rows; empty: the rows of all stages.
    """
    frame = recorded_tables.kept(dataset=dataset)
    if stage and not frame.empty:
        frame = frame[[name.partition(",")[0] == stage for name in frame.index]]
    return Markdown(_missing(f"course results --dataset {dataset}")) if frame.empty else frame


def grid(dataset: str) -> pd.DataFrame | Markdown:
    """NDCG@10 on valid of the shapes of the grid of distillation that are recorded for a data set."""
    cells = recorded_grid.read(dataset=dataset)
    return recorded_grid.table(cells) if cells else Markdown(_missing(f"course results --grid --dataset {dataset}"))


def grid_losses(dataset: str) -> pd.DataFrame | None:
    """NDCG@10 on valid of every loss of the grid at its one shape; None before there are any."""
    cells = recorded_grid.read(dataset=dataset)
    return recorded_grid.losses(cells) if cells else None


def grid_picture(dataset: str) -> Figure | None:
    """The recorded students' NDCG@10 against their work, taught and on labels alone; None before there are both."""
    cells = recorded_grid.read(dataset=dataset)
    if not (verdict := recorded_grid.verdict(cells)):
        return None
    title = verdict[0].upper() + verdict[1:]
    return plots.quality_against_work(recorded_grid.families(cells), title=title)


def worth_of_scores(dataset: str) -> str:
    """What the teacher's scores gave beside labels, in a sentence; "" before that is recorded."""
    said = recorded_grid.worth_of_scores(recorded_grid.read(dataset=dataset))
    return f"NDCG@10 on valid, {said}." if said else ""


def _missing(command: str) -> str:
    return f"Nothing is recorded for this data set yet; the command is `{command}`, and it takes hours."
