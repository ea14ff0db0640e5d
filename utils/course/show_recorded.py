"""What a notebook shows of recorded results: apart from `show`, so that only notebooks that show them depend on them.

Where nothing is recorded for a reader's own data, the command that records it is shown instead.
"""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from utils.measure import plots, recorded, recorded_grid

QUALITY = ("NDCG@10", "to the teacher", "end to end")


def quality(dataset: str) -> pd.DataFrame | Markdown:
    """Quality of what notebooks 00 and 01 judged, over the seeds that are recorded for a data set."""
    try:
        frame = recorded.table(dataset=dataset, recipes=False)
    except ValueError as error:
        return Markdown(str(error))
    frame = frame[frame["NDCG@10"] != "–"]
    return frame[[name for name in frame.columns if name in QUALITY or name.startswith("seeds")]]


def kept(dataset: str) -> pd.DataFrame | Markdown:
    """What recipes keep of the teacher's quality and what they leave of its cost, over the recorded seeds."""
    frame = recorded.kept(dataset=dataset)
    return Markdown(_missing(f"course results --dataset {dataset}")) if frame.empty else frame


def grid(dataset: str) -> pd.DataFrame | Markdown:
    """NDCG@10 on valid of the students of the grid of distillation that are recorded for a data set."""
    cells = recorded_grid.read(dataset=dataset)
    return recorded_grid.table(cells) if cells else Markdown(_missing(f"course results --grid --dataset {dataset}"))


def grid_picture(dataset: str) -> Figure | None:
    """The recorded students' NDCG@10 against their work, taught and on labels alone; None before there are both."""
    cells = recorded_grid.read(dataset=dataset)
    if not (verdict := recorded_grid.verdict(cells)):
        return None
    title = verdict[0].upper() + verdict[1:]
    return plots.quality_against_work(recorded_grid.families(cells), title=title)


def _missing(command: str) -> str:
    return f"Nothing is recorded for this data set yet; the command is `{command}`, and it takes hours."
