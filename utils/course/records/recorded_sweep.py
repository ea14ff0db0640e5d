"""The recorded sweep over the number of judged queries: what labels, scores and both are worth at each, on valid.

One JSON file an arm, made by `course results --sweep`; `sweep_tables` draws them together. Three arms more are
held against the data as they are: twice the teacher's steps, four times its steps with every query judged, and a
student from the second start.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from utils import disk, settings
from utils.course.records import recorded

TEACHER, LABELS, SCORES, BOTH = "teacher", "labels", "scores", "both"
ARMS = (TEACHER, LABELS, SCORES, BOTH)
LONGER, HEADROOM, SECOND = "teacher_twice", "teacher_headroom", "second_start"
IN_WORDS = {
    TEACHER: "the teacher",
    LABELS: "labels alone",
    SCORES: "the teacher's scores alone",
    BOTH: "scores and labels",
    LONGER: "the teacher, twice the steps",
    HEADROOM: "the teacher, every query judged and four times the steps",
    SECOND: "scores and labels, from the second start",
}
KEY = ("dataset", "dataset_hash", "profile", "seed", "n_judged", "arm")  # tell a cell from others


class Cell(BaseModel):
    """One model of the sweep, judged on all queries of valid.

    Attributes:
        dataset_hash: of the data as they are; the sweep changes how many train queries of them count as judged.
        n_judged: judged train queries that the model and all that it comes from have seen; the others are the log.
        arm: one of ARMS, LONGER, HEADROOM or SECOND.
        n_pairs: pairs of its own training, labels and scores together.
        by_query: NDCG@10 of every query of valid, in one order.
        curve: of a teacher: (pairs seen, NDCG@10 on the queries of valid that a training looks at).
        code: one hash of all that decided the outcome.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    n_judged: int
    arm: Literal["teacher", "labels", "scores", "both", "teacher_twice", "teacher_headroom", "second_start"]
    n_pairs: int
    by_query: list[float]
    curve: list[tuple[int, float]] = []
    seconds: float
    code: str
    command: str
    time_utc: str
    machine: dict[str, str | bool | int | float | list[str] | None]
    versions: dict[str, str]

    @property
    def ndcg10(self) -> float:
        return sum(self.by_query) / len(self.by_query)


def folder() -> Path:
    """Where the cells lie."""
    return settings.RESULTS / "sweep"


def path_of(key: Mapping[str, str | int]) -> Path:
    """The file of one cell, by the fields in KEY."""
    stem = recorded.stem(**{name: key[name] for name in ("dataset", "dataset_hash", "profile", "seed")})
    return folder() / f"{stem}-{key['n_judged']}-{key['arm']}.json"


def write(cell: Cell) -> Path:
    """Record a cell; an older record of the same cell is replaced."""
    path = path_of(cell.model_dump(include=set(KEY)))
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text(cell.model_dump()))


def read(*, dataset_hash: str, profile: str = "laptop") -> list[Cell]:
    """The recorded cells of just these data, by the number of judged queries; none when nothing is recorded.

    Raises:
        ValueError: a file is not a cell; names it and the remedy.
    """
    cells = map(_read_one, sorted(folder().glob(f"*-{profile}-*.json")))
    found = [cell for cell in cells if (cell.dataset_hash, cell.profile) == (dataset_hash, profile)]
    return sorted(found, key=lambda cell: (cell.n_judged, list(IN_WORDS).index(cell.arm), cell.seed))


def _read_one(path: Path) -> Cell:
    try:
        return Cell.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"sweep/{path.name}: {disk.first_error(error)}; delete it") from None
