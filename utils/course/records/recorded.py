"""Recorded results: the ledger rows of whole runs, one small JSON file a run, committed under `data/results/`.

README.md and the notebooks show tables made from them; the command `course results` makes the runs. A recorded run says
its machine, versions, date and command, for its times are of that machine alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from utils import disk, settings
from utils.measure.row_groups import Row

STUDY = "results"  # stands as the notebook of rows that recipes end in
SHARED = ("dataset", "profile", "seed", "git_revision", "machine", "versions")  # the same for every row of a run


class Run(BaseModel):
    """One run as it is recorded.

    Attributes:
        command: the command line that makes it again; a folder of data is named without the way to it.
        code: one hash of all that decided the outcome: cells, parameters, modules, the lock, the data.
        rows: the ledger's rows less the fields in SHARED.
        ndcg10: of every test query, in one order of the queries, by the key of the scores (`Variant.scores_key`).
        rates: pairs a second of every turn of the recipes' rows and of the teacher's, by the variant's key.
        on_valid: NDCG@10 on queries of valid of the teacher and of what each recipe ends in, by stage.
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())
    dataset: str
    profile: str
    seed: int
    command: str
    code: str
    git_revision: str
    machine: dict[str, str | bool | int | float | list[str] | None]
    versions: dict[str, str]
    rows: list[dict]
    ndcg10: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    on_valid: dict[str, float] = {}

    def ledger_rows(self) -> list[Row]:
        """The rows as the ledger had them."""
        shared = self.model_dump(include=set(SHARED))
        return [Row.model_validate(row | {"identity": row["identity"] | shared}) for row in self.rows]


def path_of(*, dataset: str, profile: str, seed: int) -> Path:
    """The file of one run."""
    return settings.RESULTS / f"{settings.dataset_name(dataset)}-{profile}-{seed}.json"


def read(*, dataset: str, profile: str = "laptop") -> list[Run]:
    """The recorded runs of a data set in the order of their seeds; none when nothing is recorded.

    Where the data have changed since, only those of the data of the newest run: the others judged other queries.

    Raises:
        ValueError: a file is not a recorded run; names it and what is wrong.
    """
    name = settings.dataset_name(dataset)
    runs = [_read_one(path) for path in sorted(settings.RESULTS.glob(f"{name}-{profile}-*.json"))]
    found = [(run, run.rows[-1]) for run in runs if (run.dataset, run.profile) == (name, profile)]
    last = max((row for _, row in found), key=lambda row: row["identity"]["time_utc"], default=None)
    return sorted(
        (run for run, row in found if row["identity"]["dataset_hash"] == last["identity"]["dataset_hash"]),
        key=lambda run: run.seed,
    )


def _read_one(path: Path) -> Run:
    try:
        run = Run.model_validate_json(path.read_bytes())
        run.ledger_rows()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ValueError(f"{path.name}: {where}: {first['msg']}; delete it, then run: course results") from None
    return run


def write(
    rows: Sequence[Row],
    *,
    command: str,
    code: str,
    ndcg10: Mapping[str, Mapping[str, float]] | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
    on_valid: Mapping[str, float] | None = None,
) -> Path:
    """Record the rows of one run; an older record of the same run is replaced.

    Args:
        ndcg10: by query_id, by the key of the scores; all of the same queries.
        rates, on_valid: as in `Run`.
    """
    last = max(rows, key=lambda row: row.identity.time_utc).identity.model_dump()
    own = [row.model_dump(exclude={"identity": set(SHARED)}) for row in rows]
    ndcg10 = {key: [round(found[query], 4) for query in sorted(found)] for key, found in (ndcg10 or {}).items()}
    rates = {name: [round(rate, 2) for rate in samples] for name, samples in (rates or {}).items()}
    also = {"ndcg10": ndcg10, "rates": rates, "on_valid": on_valid or {}}
    run = Run(**{name: last[name] for name in SHARED}, command=command, code=code, rows=own, **also)
    path = path_of(dataset=run.dataset, profile=run.profile, seed=run.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text(run.model_dump()))
