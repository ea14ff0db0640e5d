"""What a notebook shows of recorded results: apart from `tables`, so that only notebooks that show them depend on them.

Results are shown only where they were recorded of the very data of the notebook's run. Where there are none, as for a
reader's own data, the command that records them is shown instead.
"""

from __future__ import annotations

import shlex

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from utils import settings
from utils.course.records import recorded, recorded_kept, recorded_sweep, recorded_tables, sweep_tables
from utils.course.records.recorded import Record
from utils.course.records.recorded_sweep import Cell
from utils.course.run import Run
from utils.measure import plots

QUALITY = ("NDCG@10", "to the teacher", "end to end")
SAME = 0.01  # NDCG@10 by which one teacher, trained twice on one data set with one seed, may differ between machines
TEACHER, *_, SHIPPED = recorded_kept.IN_SHORT.values()
RECORDED_FOR = {"ci": "laptop"}  # profiles that nobody records: their notebooks show another's results


def quality(run: Run) -> pd.DataFrame | Markdown:
    """Quality of what notebooks 00 and 01 judged, over the seeds that are recorded for the run's data."""
    if not (records := _records(run)):
        return _missing(run)
    frame = recorded_tables.tabulate_notebooks(records)
    frame = frame[frame["NDCG@10"] != "–"]
    return frame[[name for name in frame.columns if name in QUALITY or name.startswith("seeds")]]


def origin(run: Run, *, teacher: float) -> str:
    """Whether the recorded teacher is the one of this run: results of another belong to an older course, or library.

    Args:
        teacher: NDCG@10 on test of this run's teacher.

    Returns:
        A sentence on the record of the run's data, profile and seed; "" where there is none.
    """
    of_data = recorded.read(dataset_hash=run.catalogue.hash, profile=run.profile.name)
    of_seed = [(one, row) for one in of_data if one.seed == run.seed for row in one.ledger_rows()]
    own, row = next(((one, row) for one, row in of_seed if row.stage == "teacher"), (None, None))
    if own is None:
        return ""
    then = row.quality.ndcg10
    by = f"at revision {own.git_revision[:7]}, with a teacher of NDCG@10 {then:.3f} for seed {own.seed}"
    if abs(then - teacher) <= SAME:
        return f"Recorded {by}: the one of this run."
    return (
        f"Recorded {by}; this run's has {teacher:.3f}. So compare what is recorded (the steps of the teacher and the "
        "sweep, too) with itself, and not with the figures of this page."
    )


def kept(run: Run, *, stage: str = "") -> pd.DataFrame | Markdown:
    """What recipes keep of the teacher's quality and what they leave of its cost, over the recorded seeds.

    Args:
        stage: only its rows; empty: the rows of all stages.
    """
    frame = recorded_kept.kept(_records(run))
    if stage and not frame.empty:
        frame = frame[[name.partition(",")[0] == stage for name in frame.index]]
    return _missing(run) if frame.empty else frame


def quality_and_cost(run: Run) -> Figure | Markdown:
    """The way from the teacher to what is shipped: NDCG@10 on test against dollars, over the recorded seeds."""
    _, points = recorded_kept.in_short(_records(run))
    if not points:
        return _missing(run)
    (dearest, whole), (cheapest, left) = points[TEACHER], points[SHIPPED]
    title = f"{left / whole:.1%} of the teacher's NDCG@10 for ${cheapest:.2f} in place of ${dearest:.2f}"
    return plots.quality_against_dollars(points, title=title)


def sweep(run: Run) -> pd.DataFrame | Markdown:
    """NDCG@10 on valid of the teacher and of every way to teach a student, by the number of judged queries."""
    if run.dataset != settings.EMBEDDED:
        return Markdown(
            "The sweep is recorded of the embedded shop alone: only there can more queries be judged at will."
        )
    return sweep_tables.tabulate(cells) if (cells := _cells(run)) else _missing(run, "--sweep")


def sweep_picture(run: Run) -> Figure | None:
    """The crossover: NDCG@10 on valid against the number of judged queries; None before it is recorded."""
    cells = _cells(run)
    if not (verdict := sweep_tables.crossover(cells)):
        return None
    return plots.quality_by_judged(sweep_tables.lines(cells), title=verdict[0].upper() + verdict[1:])


def crossover(run: Run) -> str:
    """Where the teacher's scores pay, in a sentence; "" before that is recorded."""
    return sweep_tables.crossover(_cells(run))


def plateau(run: Run) -> str:
    """What twice the steps and what all labels would give the teacher, in sentences, or that nobody recorded it."""
    cells, said = _cells(run), []
    if longer := sweep_tables.plateau(cells):
        of = f"recorded for a teacher of {sweep_tables.at_plateau(cells):.3f}"
        said.append(f"Twice the steps: {longer.signed()} NDCG@10 on valid, {of}.")
    if most := sweep_tables.headroom(cells):
        said.append(f"Every train query judged, and four times the steps: {most.signed()}.")
    return "\n".join(said) or "What more steps and more labels would give is not recorded for this data set."


def second_start(run: Run) -> str:
    """What the second start of a student gives beside the teacher's layers, in a sentence; "" before it is recorded."""
    if not (gain := sweep_tables.second_start(_cells(run))):
        return ""
    return f"Started from paraphrase-MiniLM-L3 and not from the teacher's layers: {gain.signed()} NDCG@10 on valid."


def _records(run: Run) -> list[Record]:
    return recorded.read(dataset_hash=run.catalogue.hash, profile=_profile(run))


def _cells(run: Run) -> list[Cell]:
    return recorded_sweep.read(dataset_hash=run.catalogue.hash, profile=_profile(run))


def _profile(run: Run) -> str:
    return RECORDED_FOR.get(run.profile.name, run.profile.name)


def _missing(run: Run, *options: str) -> Markdown:
    command = shlex.join(["course", "results", *options, "--dataset", run.dataset, "--profile", _profile(run)])
    return Markdown(f"Nothing is recorded for this data set yet; the command is `{command}`, and it takes hours.")
