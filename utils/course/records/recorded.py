"""Recorded results: the ledger rows of whole runs, one small JSON file a run, committed under `data/results/`.

README.md and the notebooks show tables made from them; the command `course results` makes the runs. A recorded run says
its machine, versions, date and command, for its times are of that machine alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from utils import disk, settings
from utils.course.records.folded import aligned, joined, pooled_rows
from utils.measure.row_groups import Row

N_DIGITS = 8  # of a data set's hash in the name of a file
STUDY = "results"  # stands as the notebook of rows that recipes end in
SHARED = ("dataset", "profile", "seed", "git_revision", "machine", "versions")  # the same for every row of a run


class Record(BaseModel):
    """One run as it is recorded.

    Attributes:
        fold, n_folds: which fold of a data set in so many; None: the data set as it is.
        pool: the hash of the data set that the fold is one of.
        command: the command line that makes it again; a folder of data is named without the way to it.
        recipes: the names of the recipes whose ends are among the rows.
        code: one hash of all that decided the outcome: cells, parameters, code, the lock, the data.
        rows: the ledger's rows less the fields in SHARED.
        ndcg10: of every test query, in one order of the queries, by the key of the scores (`Variant.scores_key`).
        rates: pairs a second of every turn of the recipes' rows and of the teacher's, by the variant's key.
        on_valid: NDCG@10 of every query of valid, in one order, of the baselines, the teacher, the controls and of what
            each recipe ends in, by stage.
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())
    dataset: str
    profile: str
    seed: int
    fold: int | None = None
    n_folds: int | None = None
    pool: str = ""
    command: str
    recipes: list[str]
    code: str
    git_revision: str
    machine: dict[str, str | bool | int | float | list[str] | None]
    versions: dict[str, str]
    rows: list[dict]
    ndcg10: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    on_valid: dict[str, list[float]] = {}

    @property
    def dataset_hash(self) -> str:
        """Of the data that all its rows were measured on; of the whole set where those are a fold of it."""
        return self.pool or self.rows[-1]["identity"]["dataset_hash"]

    def ledger_rows(self) -> list[Row]:
        """The rows as the ledger had them."""
        shared = self.model_dump(include=set(SHARED))
        return [Row.model_validate(row | {"identity": row["identity"] | shared}) for row in self.rows]


@dataclass(frozen=True)
class Fold:
    """One fold of a data set: the whole set's name and hash, and the fold's number, from 0, of how many."""

    dataset: str
    dataset_hash: str
    number: int
    n_folds: int


def path_of(*, dataset: str, dataset_hash: str, profile: str, seed: int, fold: int | None = None) -> Path:
    """The file of one run, by the name and the hash that its rows carry, and by the fold if it is of one."""
    name = stem(dataset=dataset, dataset_hash=dataset_hash, profile=profile, seed=seed)
    return settings.RESULTS / (f"{name}.json" if fold is None else f"{name}-fold-{fold}.json")


def path_of_record(record: Record) -> Path:
    """The file that a run is recorded in."""
    named = {name: getattr(record, name) for name in ("dataset", "dataset_hash", "profile", "seed", "fold")}
    return path_of(**named)


def stem(*, dataset: str, dataset_hash: str, profile: str, seed: int) -> str:
    """What the names of one run's files begin with; of two data sets of one name each has its own.

    Of the embedded shop, which has its name alone, one state is recorded: the newest.
    """
    names = [dataset] if dataset == settings.EMBEDDED else [dataset, dataset_hash[:N_DIGITS]]
    return "-".join([*names, profile, str(seed)])


def read(*, dataset_hash: str, profile: str = "laptop") -> list[Record]:
    """The recorded runs of just these data in the order of their seeds; none when nothing is recorded.

    The folds of one seed are one run, whose test queries are those of all folds; until all are there it is none.

    Raises:
        ValueError: a file is not a recorded run; names it and what is wrong.
    """
    records = map(_read_one, sorted(settings.RESULTS.glob(f"*-{profile}-*.json")))
    found = [one for one in records if (one.dataset_hash, one.profile) == (dataset_hash, profile)]
    seeds: dict[int, list[Record]] = {}
    for one in sorted(found, key=lambda record: (record.seed, record.fold or 0)):
        seeds.setdefault(one.seed, []).append(one)
    return [pooled(of_seed) for of_seed in seeds.values() if len(of_seed) == (of_seed[0].n_folds or 1)]


def pooled(folds: Sequence[Record]) -> Record:
    """The folds of one seed as one run: queries and turns one after the other, and rows of what those say together."""
    if len(folds) == 1:
        return folds[0]
    rows = [fold.rows for fold in folds]
    parts = {name: [getattr(fold, name) for fold in folds] for name in ("ndcg10", "rates", "on_valid")}
    lists = {name: joined(aligned(of_folds, rows=rows)) for name, of_folds in parts.items()}
    return folds[0].model_copy(update={"rows": pooled_rows(rows), **lists})


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
    on_valid: Mapping[str, Mapping[str, float]] | None = None,
    fold: Fold | None = None,
) -> Path:
    """Record the rows of one run; an older record of the same run is replaced.

    Args:
        ndcg10, on_valid: by query_id, by the key of the scores and by stage; all of the same queries.
        recipes, rates: as in `Record`.
        fold: which fold of which data set the rows are of.
    """
    last = max(rows, key=lambda row: row.identity.time_utc).identity.model_dump()
    own = [row.model_dump(exclude={"identity": set(SHARED)}) for row in rows]
    ndcg10, on_valid = ({key: _in_order(found) for key, found in (of or {}).items()} for of in (ndcg10, on_valid))
    rates = {name: [round(rate, 2) for rate in samples] for name, samples in (rates or {}).items()}
    also = {"ndcg10": ndcg10, "rates": rates, "on_valid": on_valid}
    shared = {name: last[name] for name in SHARED}
    if fold is not None:
        shared |= {"dataset": fold.dataset, "pool": fold.dataset_hash, "fold": fold.number, "n_folds": fold.n_folds}
    record = Record(**shared, command=command, recipes=list(recipes), code=code, rows=own, **also)
    path = path_of_record(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text(record.model_dump()))


def _in_order(by_query: Mapping[str, float]) -> list[float]:
    return [round(by_query[query], 4) for query in sorted(by_query)]
