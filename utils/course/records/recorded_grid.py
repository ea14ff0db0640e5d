"""The recorded grid of distillation: many small students of a few lengths of training, one JSON file each.

`course results --grid` makes them; `grid_tables` draws them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from utils import disk, settings
from utils.course.records import recorded

LABELS = "labels"  # the teacher's own loss on labels, which is pruning and a fine-tune
SHORT, LONG, WHOLE = "short", "long", "whole"  # as many pairs as the recipe's student sees before its labels, or all
KEY = (
    "dataset",
    "dataset_hash",
    "profile",
    "seed",
    "loss",
    "length",
    "n_layers",
    "n_heads",
    "d_ff",
)  # tell a cell from others
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
        loss: a name in `distil_losses.LOSSES`, or LABELS; "hidden" or "relation" for the default recipe's loss with
            that match of the teacher's inside beside it.
        length: SHORT; LONG, as many pairs as the recipe's student sees before its labels; WHOLE, as many steps as the
            whole recipe has, scores and labels together.
        n_layers, n_heads, d_ff: the student's shape.
        n_pairs: steps times pairs of a step, the same for every loss of one length; lists that are not full have fewer.
        macs_per_pair, pruned_macs_per_pair, teacher_macs_per_pair: all counted in PyTorch.
        ndcg10, pruned_ndcg10, teacher_ndcg10: on all queries of valid; `pruned` is what all students start from.
        by_query: NDCG@10 of every query of valid, in one order; kept where students are compared query by query.
        code: one hash of all that decided the outcome.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    loss: str
    length: Literal["short", "long", "whole"] = SHORT
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
        return COPIES[self.loss] + ", then labels" * (self.length == WHOLE and self.loss != LABELS)

    @property
    def name(self) -> str:
        """The loss, with the length where it is not the short one."""
        return self.loss if self.length == SHORT else f"{self.loss}, {self.length}"

    @property
    def width(self) -> str:
        """Heads and neurons of a layer, in words."""
        return f"{self.n_heads} heads, {self.d_ff} neurons"


def folder() -> Path:
    """Where the cells lie."""
    return settings.RESULTS / "grid"


def path_of(key: Mapping[str, str | int]) -> Path:
    """The file of one cell, by the fields in KEY."""
    stem = recorded.stem(**{name: key[name] for name in ("dataset", "dataset_hash", "profile", "seed")})
    loss = key["loss"] if key["length"] == SHORT else f"{key['loss']}_{key['length']}"
    return folder() / f"{stem}-{loss}-{key['n_layers']}-{key['n_heads']}-{key['d_ff']}.json"


def write(cell: Cell) -> Path:
    """Record a cell; an older record of the same cell is replaced."""
    path = path_of(cell.model_dump(include=set(KEY)))
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text(cell.model_dump()))


def read(*, dataset_hash: str, profile: str = "laptop") -> list[Cell]:
    """The recorded cells of just these data, the largest model first; none when nothing is recorded.

    Raises:
        ValueError: a file is not a cell; names it and the remedy.
    """
    cells = map(_read_one, sorted(folder().glob(f"*-{profile}-*.json")))
    found = [cell for cell in cells if (cell.dataset_hash, cell.profile) == (dataset_hash, profile)]
    return sorted(found, key=lambda cell: (-cell.macs_per_pair, cell.loss, cell.length))


def _read_one(path: Path) -> Cell:
    try:
        return Cell.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"grid/{path.name}: {disk.first_error(error)}; delete it") from None
