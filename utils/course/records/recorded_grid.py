"""The recorded grid of distillation: many small students of a few lengths of training, one JSON file each.

Notebook 04 shows them as a table and a picture; `course results --grid` makes them.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from utils import disk, settings
from utils.course.records import recorded_tables
from utils.rank import metrics
from utils.rank.metrics import Quality

LABELS = "labels"  # the teacher's own loss on labels, which is pruning and a fine-tune
LONG = "_long"  # ends the name of a loss whose student saw as many pairs as the recipe's before its labels
WHOLE = "_whole"  # ends that of one with as many steps as the whole recipe, scores and labels together
COPIES = {
    LABELS: "nothing: it learns from labels alone",
    "logit_mse": "the scores themselves",
    "margin_mse": "the difference of every two scores",
    "rank_net": "which of two products is the better one",
    "list_net": "the shares: the softmax of a list's scores",
    "kl_over_list": "the shares, softened by a temperature",
    "hidden": "the shares, and the outputs of layers",
    "relation": "the shares, and how tokens attend to one another",
}


class Cell(BaseModel):
    """One student of the grid, judged on valid.

    Attributes:
        loss: a name in `distil_losses.LOSSES`, or LABELS, either of them with or without LONG or WHOLE; "hidden" or
            "relation" for the default recipe's loss with that match of the teacher's inside beside it.
        n_layers, n_heads, d_ff: the student's shape.
        n_pairs: steps times pairs of a step, the same for every loss of one length; lists that are not full have fewer.
        macs_per_pair, pruned_macs_per_pair, teacher_macs_per_pair: all counted in PyTorch.
        ndcg10, pruned_ndcg10, teacher_ndcg10: on all queries of valid; `pruned` is what all students start from.
        by_query: NDCG@10 of every query of valid, in one order; kept where students are compared query by query.
        code: one hash of all that decided the outcome.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    dataset: str
    profile: str
    seed: int
    loss: str
    n_layers: int
    n_heads: int
    d_ff: int
    n_pairs: int
    macs_per_pair: int
    pruned_macs_per_pair: int
    teacher_macs_per_pair: int
    ndcg10: float
    pruned_ndcg10: float
    teacher_ndcg10: float
    by_query: list[float] = []
    seconds: float
    code: str
    command: str
    time_utc: str
    machine: dict[str, str | bool | int | float | list[str] | None]
    versions: dict[str, str]

    @property
    def shape(self) -> str:
        """Layers, heads and neurons, in words."""
        return f"{self.n_layers} layer{'s' * (self.n_layers > 1)}, {self.width}"

    @property
    def copies(self) -> str:
        """What the student learns from, in words."""
        base = method(self.loss)
        return COPIES[base] + ", then labels" * (self.loss.endswith(WHOLE) and base != LABELS)

    @property
    def width(self) -> str:
        """Heads and neurons of a layer, in words."""
        return f"{self.n_heads} heads, {self.d_ff} neurons"


def method(loss: str) -> str:
    """The name of a loss without its length."""
    return loss.removesuffix(LONG).removesuffix(WHOLE)


def folder() -> Path:
    """Where the cells lie."""
    return settings.RESULTS / "grid"


def path_of(*, dataset: str, profile: str, seed: int, loss: str, n_layers: int, n_heads: int, d_ff: int) -> Path:
    """The file of one cell."""
    name = f"{settings.dataset_name(dataset)}-{profile}-{seed}-{loss}-{n_layers}-{n_heads}-{d_ff}.json"
    return folder() / name


def write(cell: Cell) -> Path:
    """Record a cell; an older record of the same cell is replaced."""
    path = path_of(**cell.model_dump(include={"dataset", "profile", "seed", "loss", "n_layers", "n_heads", "d_ff"}))
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, cell.model_dump_json(indent=1) + "\n")


def read(*, dataset: str, profile: str = "laptop") -> list[Cell]:
    """The recorded cells of a data set, the largest model first; none when nothing is recorded.

    Raises:
        ValueError: a file is not a cell; names it and the remedy.
    """
    cells = []
    for path in sorted(folder().glob(f"{settings.dataset_name(dataset)}-{profile}-*.json")):
        try:
            cells.append(Cell.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "file"
            raise ValueError(f"grid/{path.name}: {where}: {error.errors()[0]['msg']}; delete it") from None
    return sorted(cells, key=lambda cell: (-cell.macs_per_pair, cell.loss))


def mean_over_seeds(cells: list[Cell]) -> list[Cell]:
    """One cell for each loss and shape, with the mean NDCG@10 of its seeds, and nothing of single queries."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.loss, cell.shape), []).append(cell)
    means = ("ndcg10", "pruned_ndcg10", "teacher_ndcg10", "seconds")
    return [
        same[0].model_copy(
            update={name: statistics.fmean(getattr(cell, name) for cell in same) for name in means} | {"by_query": []}
        )
        for same in groups.values()
    ]


def table(cells: list[Cell]) -> pd.DataFrame:
    """NDCG@10 on valid of every shape (lines) on labels and with what else was tried at more than one shape (columns).

    The mean over the seeds that are recorded.
    """
    lines: dict[str, dict[str, str]] = {}
    many = {cell.loss for cell in _of_many_shapes(cells)} | {LABELS}
    for cell in mean_over_seeds([cell for cell in cells if cell.loss in many] or cells):
        line = lines.setdefault(cell.shape, {"MACs": f"{cell.macs_per_pair / cell.teacher_macs_per_pair:.0%}"})
        line[cell.loss] = f"{cell.ndcg10:.3f}"
    return pd.DataFrame.from_dict(lines, orient="index").fillna("–").rename_axis(f"student, {_seeds(cells)}")


def losses(cells: list[Cell]) -> pd.DataFrame:
    """NDCG@10 on valid of every loss at the shape at which most were tried, the mean over the recorded seeds.

    Sorted by the number of pairs, then by NDCG@10, the best first.
    """
    means = mean_over_seeds(cells)
    shape = statistics.mode(cell.shape for cell in means)
    found = sorted((cell for cell in means if cell.shape == shape), key=lambda cell: (cell.n_pairs, -cell.ndcg10))
    lines = [
        {
            f"{shape}; {_seeds(cells)}": cell.loss,
            "what the student copies": cell.copies,
            "pairs": f"{cell.n_pairs:,}",
            "NDCG@10": f"{cell.ndcg10:.3f}",
            "of the teacher's": f"{cell.ndcg10 / cell.teacher_ndcg10:.1%}",
        }
        for cell in found
    ]
    frame = pd.DataFrame(lines)
    return frame.set_index(frame.columns[0])


def families(cells: list[Cell]) -> dict[str, list[tuple[float, float]]]:
    """(MACs a pair, mean NDCG@10) of the losses that were tried at more than one shape, by loss and width; then of the
    two models that they come from.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    cells = mean_over_seeds(cells)
    for cell in _of_many_shapes(cells):
        found.setdefault(f"{cell.loss}, {cell.width}", []).append((cell.macs_per_pair, cell.ndcg10))
    first = cells[0]
    found["pruned, the start of all"] = [(first.pruned_macs_per_pair, first.pruned_ndcg10)]
    return found | {"teacher": [(first.teacher_macs_per_pair, first.teacher_ndcg10)]}


def gaps(cells: list[Cell]) -> dict[str, float]:
    """By shape, the largest model first, what the teacher's scores give over labels; only shapes that have both."""
    cells = mean_over_seeds(cells)
    taught = {cell.shape: cell.ndcg10 for cell in _of_many_shapes(cells) if cell.loss != LABELS}
    alone = {cell.shape: cell.ndcg10 for cell in cells if cell.loss == LABELS}
    return {shape: ndcg10 - alone[shape] for shape, ndcg10 in taught.items() if shape in alone}


def verdict(cells: list[Cell]) -> str:
    """At how many shapes the teacher's scores beat labels, in words; "" before any shape has both."""
    if not (found := gaps(cells).values()):
        return ""
    won, ends = sum(gap > 0 for gap in found), [f"{end(found):+.2f}" for end in (min, max)]
    return f"in equal steps the teacher's scores beat labels at {won} of {len(found)} shapes ({' to '.join(ends)})"


def long_runs(cells: list[Cell]) -> dict[str, float]:
    """Mean NDCG@10 of the students that had as many steps as the recipe's, by loss."""
    return {cell.loss.removesuffix(LONG): cell.ndcg10 for cell in mean_over_seeds(cells) if cell.loss.endswith(LONG)}


def whole_runs(cells: list[Cell]) -> tuple[Quality, Quality] | None:
    """Quality on valid of the students of scores, then labels, and of those of labels alone in as many steps.

    Of the seeds that have both, made by the same code; each query has its mean over them. None where there are none.
    """
    whole = [cell for cell in cells if cell.loss.endswith(WHOLE)]
    pairs = [
        (taught.by_query, alone.by_query)
        for taught in whole
        for alone in whole
        if method(taught.loss) != LABELS == method(alone.loss)
        and (taught.seed, taught.code) == (alone.seed, alone.code)
    ]
    if not pairs:
        return None
    taught, alone = (Quality.of_values(np.mean(of_seeds, axis=0)) for of_seeds in zip(*pairs, strict=True))
    return taught, alone


def worth_of_scores(cells: list[Cell]) -> str:
    """Whether the teacher's scores paid in the whole recipe, in words; "" before that is recorded."""
    if not (both := whole_runs(cells)):
        return ""
    taught, alone = both
    worth = metrics.paired_bootstrap(taught, alone, n_resamples=recorded_tables.N_RESAMPLES)
    if worth.low > 0:
        what = "the teacher's scores paid"
    elif worth.high < 0:
        what = "labels alone did better"
    else:
        what = "no difference is sure"
    interval = f"{worth.mean:+.3f} [{worth.low:+.3f}, {worth.high:+.3f}]"
    return (
        f"in as many steps as the whole recipe: scores, then labels {taught.ndcg10:.3f}, labels alone "
        f"{alone.ndcg10:.3f}; the first minus the second {interval}: {what}"
    )


def _of_many_shapes(cells: list[Cell]) -> list[Cell]:
    """Cells of losses that were tried at more than one shape."""
    shapes: dict[str, set[str]] = {}
    for cell in cells:
        shapes.setdefault(cell.loss, set()).add(cell.shape)
    return [cell for cell in cells if len(shapes[cell.loss]) > 1]


def _seeds(cells: list[Cell]) -> str:
    seeds = sorted({cell.seed for cell in cells})
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
