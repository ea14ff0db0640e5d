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

N_DIGITS = 8  # of a data set's hash in the name of a file
STUDY = "results"  # stands as the notebook of rows that recipes end in
SHARED = ("dataset", "profile", "seed", "git_revision", "machine", "versions")  # the same for every row of a run


class Record(BaseModel):
    """One run as it is recorded.

    Attributes:
        command: the command line that makes it again; a folder of data is named without the way to it.
        recipes: the names of the recipes whose ends are among the rows.
        code: one hash of all that decided the outcome: cells, parameters, code, the lock, the data.
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
    recipes: list[str]
    code: str
    git_revision: str
    machine: dict[str, str | bool | int | float | list[str] | None]
    versions: dict[str, str]
    rows: list[dict]
    ndcg10: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    on_valid: dict[str, float] = {}

    @property
    def dataset_hash(self) -> str:
        """Of the data that all its rows were measured on."""
        return self.rows[-1]["identity"]["dataset_hash"]

    def ledger_rows(self) -> list[Row]:
        """The rows as the ledger had them."""
        shared = self.model_dump(include=set(SHARED))
        return [Row.model_validate(row | {"identity": row["identity"] | shared}) for row in self.rows]


def path_of(*, dataset: str, dataset_hash: str, profile: str, seed: int) -> Path:
    """The file of one run, by the name and the hash that its rows carry."""
    return settings.RESULTS / f"{stem(dataset=dataset, dataset_hash=dataset_hash, profile=profile, seed=seed)}.json"


def path_of_record(record: Record) -> Path:
    """The file that a run is recorded in."""
    return path_of(dataset=record.dataset, dataset_hash=record.dataset_hash, profile=record.profile, seed=record.seed)


def stem(*, dataset: str, dataset_hash: str, profile: str, seed: int) -> str:
    """What the names of one run's files begin with; of two data sets of one name each has its own.

    Of the embedded shop, which has its name alone, one state is recorded: the newest.
    """
    names = [dataset] if dataset == settings.EMBEDDED else [dataset, dataset_hash[:N_DIGITS]]
    return "-".join([*names, profile, str(seed)])


def read(*, dataset_hash: str, profile: str = "laptop") -> list[Record]:
    """The recorded runs of just these data in the order of their seeds; none when nothing is recorded.

    Raises:
        ValueError: a file is not a recorded run; names it and what is wrong.
    """
    records = map(_read_one, sorted(settings.RESULTS.glob(f"*-{profile}-*.json")))
    found = [one for one in records if (one.dataset_hash, one.profile) == (dataset_hash, profile)]
    return sorted(found, key=lambda record: record.seed)


def newest_hash(dataset: str, *, profile: str = "laptop") -> str | None:
    """The hash of the data of that name that were recorded last: the others judged other queries. None without any."""
    records = map(_read_one, sorted(settings.RESULTS.glob(f"{dataset}-*.json")))
    found = [one for one in records if (one.dataset, one.profile) == (dataset, profile)]
    last = max(found, key=lambda record: record.rows[-1]["identity"]["time_utc"], default=None)
    return last and last.dataset_hash


def _read_one(path: Path) -> Record:
    try:
        record = Record.model_validate_json(path.read_bytes())
        record.ledger_rows()
    except ValidationError as error:
        raise ValueError(f"{path.name}: {disk.first_error(error)}; delete it, then run: course results") from None
    return record


def write(
    rows: Sequence[Row],
    *,
    command: str,
    code: str,
    recipes: Sequence[str] = (),
    ndcg10: Mapping[str, Mapping[str, float]] | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
    on_valid: Mapping[str, float] | None = None,
) -> Path:
    """Record the rows of one run; an older record of the same run is replaced.

    Args:
        ndcg10: by query_id, by the key of the scores; all of the same queries.
        recipes, rates, on_valid: as in `Record`.
    """
    last = max(rows, key=lambda row: row.identity.time_utc).identity.model_dump()
    own = [row.model_dump(exclude={"identity": set(SHARED)}) for row in rows]
    ndcg10 = {key: [round(found[query], 4) for query in sorted(found)] for key, found in (ndcg10 or {}).items()}
    rates = {name: [round(rate, 2) for rate in samples] for name, samples in (rates or {}).items()}
    also = {"ndcg10": ndcg10, "rates": rates, "on_valid": on_valid or {}}
    record = Record(
        **{name: last[name] for name in SHARED}, command=command, recipes=list(recipes), code=code, rows=own, **also
    )
    path = path_of_record(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text(record.model_dump()))
