"""Recorded results: the ledger rows of whole runs, one small JSON file a run, committed under `data/results/`.

README.md and the notebooks show tables made from them; the command `course results` makes the runs. A recorded run says
its machine, versions, date and command, for its times are of that machine alone.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from utils import disk, settings
from utils.measure import ledger, timing
from utils.measure.ledger import Delta, Latency, Row
from utils.rank import metrics
from utils.rank.metrics import Quality

STUDY = "results"  # stands as the notebook of rows that recipes end in
N_RESAMPLES = 2_000  # of the pooled interval
TARGET = {  # what the chain is to reach on the embedded shop, against the fp32 teacher in PyTorch on one thread
    "NDCG@10 kept": 0.99,
    "its lower end": 0.98,  # of the 95% interval
    "pairs/s": 20,
    "bytes to ship": 0.10,
    "MACs": 0.12,
}
SHARED = ("dataset", "profile", "seed", "git_revision", "machine", "versions")  # the same for every row of a run


class Run(BaseModel):
    """One run as it is recorded.

    Attributes:
        command: the command line that makes it again; a folder of data is named without the way to it.
        recipes: the names of the recipes whose ends are among the rows.
        code: one hash of all that decided the outcome: cells, parameters, code, the lock, the data.
        rows: the ledger's rows less the fields in SHARED.
        judged: NDCG@10 of every test query, in one order of the queries, by the name it was kept under.
        rates: pairs a second of every turn of the recipes' rows and of the teacher's, by the same names.
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
    judged: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    on_valid: dict[str, float] = {}

    def ledger_rows(self) -> list[Row]:
        """The rows as the ledger had them."""
        shared = self.model_dump(include=set(SHARED))
        return [Row.model_validate(row | shared) for row in self.rows]


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
    last = max((row for _, row in found), key=lambda row: row["time_utc"], default=None)
    return sorted((run for run, row in found if row["dataset_hash"] == last["dataset_hash"]), key=lambda run: run.seed)


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
    recipes: Sequence[str] = (),
    judged: Mapping[str, Mapping[str, float]] | None = None,
    rates: Mapping[str, Sequence[float]] | None = None,
    on_valid: Mapping[str, float] | None = None,
) -> Path:
    """Record the rows of one run; an older record of the same run is replaced.

    Args:
        recipes, rates, on_valid: as in `Run`.
        judged: NDCG@10 by query_id, by the name it was kept under; all of the same queries.
    """
    last = max(rows, key=lambda row: row.time_utc).model_dump()
    own = [row.model_dump(exclude=set(SHARED)) for row in rows]
    judged = {name: [round(found[query], 4) for query in sorted(found)] for name, found in (judged or {}).items()}
    rates = {name: [round(rate, 2) for rate in samples] for name, samples in (rates or {}).items()}
    also = {"judged": judged, "rates": rates, "on_valid": on_valid or {}}
    also |= {"command": command, "recipes": list(recipes), "code": code}
    run = Run(**{name: last[name] for name in SHARED}, rows=own, **also)
    path = path_of(dataset=run.dataset, profile=run.profile, seed=run.seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, run.model_dump_json(indent=1) + "\n")


def _ways(runs: Iterable[Run]) -> list[list[tuple[Run, Row]]]:
    """For each way of running a stage the runs that have it, each with its row.

    Of models of several sizes under one name, as when a recipe has changed since some of the runs, the newest count.
    """
    ways: dict[tuple, list[tuple[Run, Row]]] = {}
    for run in runs:
        for row in run.ledger_rows():
            ways.setdefault((row.stage, row.runtime, row.precision, row.device), []).append((run, row))
    newest = (max((row for _, row in found), key=lambda row: row.time_utc) for found in ways.values())
    return [
        [(run, row) for run, row in found if row.n_params == last.n_params]
        for found, last in zip(ways.values(), newest, strict=True)
    ]


def _mean_row(found_in: Sequence[tuple[Run, Row]]) -> Row:
    """Means of quality over the runs, medians of times and of money.

    The interval of the difference to the teacher is pooled: queries are drawn anew, each with the mean of its values
    over the seeds. There is none where the runs did not keep the quality of every query.
    """
    runs, rows = zip(*found_in, strict=True)
    given = [name for name in Row.model_fields if all(getattr(row, name) is not None for row in rows)]
    found = {}
    for name in {"ndcg10", "mrr10", "ndcg10_end_to_end", "recall"} & set(given):
        found[name] = statistics.fmean(getattr(row, name) for row in rows)
    for name in {"pairs_per_s", "usd_per_million_queries"} & set(given):
        found[name] = statistics.median(getattr(row, name) for row in rows)
    if "ndcg10_delta" in given:
        found["ndcg10_delta"] = _pooled_delta(judged_name(rows[0]), runs=runs)
    if "latency_ms" in given:
        times = [row.latency_ms for row in rows]
        medians = {part: statistics.median(getattr(time, part) for time in times) for part in ("p50", "p95", "p99")}
        found["latency_ms"] = Latency(**medians, n=sum(time.n for time in times))
    return rows[0].model_copy(update=found)


def _pooled_delta(name: str, *, runs: Sequence[Run]) -> Delta | None:
    """The difference to the teacher over all runs that kept both, or None."""
    both = [(run.judged[name], run.judged["teacher"]) for run in runs if {name, "teacher"} <= run.judged.keys()]
    if not both:
        return None
    ours, teachers = (Quality.of_values(np.mean(values, axis=0)) for values in zip(*both, strict=True))
    found = metrics.paired_bootstrap(ours, teachers, n_resamples=N_RESAMPLES)
    return Delta(mean=found.mean, low=found.low, high=found.high)


def table(*, dataset: str, profile: str = "laptop", recipes: bool = True) -> pd.DataFrame:
    """The recorded runs of a data set as the ledger shows rows, with the span of NDCG@10 over the seeds.

    Args:
        recipes: whether the rows that recipes end in are among them, or those of the notebooks alone.

    Raises:
        ValueError: nothing is recorded for it; the message holds the command that does.
    """
    runs = read(dataset=dataset, profile=profile)
    if not runs:
        command = f"course results --dataset {dataset} --profile {profile}"
        raise ValueError(f"nothing is recorded for '{dataset}' with the profile {profile}; record it with: {command}")
    ways = [found for found in _ways(runs) if recipes or found[0][1].notebook != STUDY]
    frame = ledger.tabulate([_mean_row(found) for found in ways])
    spans = [_span(found, n_runs=len(runs)) for found in ways]
    frame.insert(1, f"seeds {', '.join(str(run.seed) for run in runs)}", spans)
    return frame


def kept(*, dataset: str, profile: str = "laptop") -> pd.DataFrame:
    """What each way of running a stage keeps of the teacher, over the recorded seeds; empty where none was judged.

    Quality is the pooled share of NDCG@10 with its 95% interval. The rest is measured against the teacher's row in
    PyTorch of the same run and the same number of threads: of the ratios of pairs a second, of all turns of all seeds,
    the median and the quartiles; of the others the median over the seeds. The last column names what falls short of
    the course's target (`TARGET`).
    """
    ways = [
        [(run, row) for run, row in found if {judged_name(row), "teacher"} <= run.judged.keys()]
        for found in _ways(read(dataset=dataset, profile=profile))
    ]
    lines = [_kept_line(found) for found in ways if found and found[0][1].macs_per_pair is not None]
    return pd.DataFrame(lines).set_index("row") if lines else pd.DataFrame()


def smallest_that_keeps(*, dataset: str, profile: str = "laptop") -> tuple[str | None, dict[str, float]]:
    """Of the stages that recipes end in the one with the least work that keeps `TARGET` of the teacher on valid.

    Returns:
        Its name, None where none keeps that much; and by stage what it keeps, over the seeds that have it. Nothing of
        test has a say in it.
    """
    runs = [run for run in read(dataset=dataset, profile=profile) if run.on_valid]
    work = {row.stage: row.macs_per_pair for run in runs for row in run.ledger_rows()}
    shares = {}
    for stage in dict.fromkeys(stage for run in runs for stage in run.on_valid if stage != "teacher"):
        both = [(run.on_valid[stage], run.on_valid["teacher"]) for run in runs if stage in run.on_valid]
        ours, teachers = map(sum, zip(*both, strict=True))
        shares[stage] = ours / teachers
    good = [stage for stage, share in shares.items() if share >= TARGET["NDCG@10 kept"]]
    return min(good, key=work.get, default=None), shares


def _kept_line(found: Sequence[tuple[Run, Row]]) -> dict[str, str]:
    runs, name = [run for run, _ in found], judged_name(found[0][1])
    both = [tuple(Quality.of_values(run.judged[which]) for which in (name, "teacher")) for run in runs]
    share = metrics.pooled_share(both, n_resamples=N_RESAMPLES)
    against = [(row, _teacher(run, threads=row.threads)) for run, row in found]
    speed = timing.rate_ratio(*(sum(samples, []) for samples in zip(*map(_rates, found), strict=True)))
    size, work = (
        statistics.median(getattr(row, field) / getattr(teacher, field) for row, teacher in against)
        for field in ("disk_bytes", "macs_per_pair")
    )
    short = {
        "NDCG@10": share.mean < TARGET["NDCG@10 kept"] or share.low < TARGET["its lower end"],
        "pairs/s": speed.median < TARGET["pairs/s"],
        "bytes": size > TARGET["bytes to ship"],
        "MACs": work > TARGET["MACs"],
    }
    return {
        "row": found[-1][1].label,
        "seeds": ", ".join(str(run.seed) for run in runs),
        "NDCG@10 kept": f"{_share(share.mean, target=TARGET['NDCG@10 kept'])} [{share.low:.1%}, {share.high:.1%}]",
        "pairs/s [quartiles]": str(speed),
        "bytes to ship": f"{size:.1%}",
        "MACs": f"{work:.1%}",
        "short of the target": ", ".join(what for what, falls in short.items() if falls) or "nothing",
    }


def _share(value: float, *, target: float) -> str:
    """A share to a tenth of a percent, or to a hundredth where a tenth would lift it to the target that it misses."""
    return f"{value:.2%}" if value < target <= round(value, 3) else f"{value:.1%}"


def judged_name(row: Row) -> str:
    """What a row's judged queries are kept under: stage, runtime and precision; a baseline's under its stage."""
    return row.stage if row.macs_per_pair is None else f"{row.stage}-{row.runtime}-{row.precision}"


def _teacher(run: Run, *, threads: int) -> Row:
    """The teacher's row in PyTorch on that many threads."""
    same = (threads, "teacher", "pytorch")
    return next(row for row in run.ledger_rows() if (row.threads, row.stage, row.runtime) == same)


def _rates(of: tuple[Run, Row]) -> tuple[list[float], list[float]]:
    """Pairs a second of a row and of the teacher, turn by turn; ValueError where the record has none."""
    run, row = of
    names = [judged_name(each) for each in (row, _teacher(run, threads=row.threads))]
    if missing := [name for name in names if name not in run.rates]:
        file = path_of(dataset=run.dataset, profile=run.profile, seed=run.seed).name
        raise ValueError(f"{file}: has no pairs a second of '{missing[0]}'; delete it, then run: course results")
    return run.rates[names[0]], run.rates[names[1]]


def _span(found: Sequence[tuple[Run, Row]], *, n_runs: int) -> str:
    """NDCG@10 from the lowest to the highest; with the seeds it comes from where those are not all."""
    values = [row.ndcg10 for _, row in found if row.ndcg10 is not None]
    ends = dict.fromkeys(f"{end(values):.3f}" for end in (min, max)) if values else ["–"]
    seeds = ", ".join(str(run.seed) for run, _ in found)
    return " to ".join(ends) + (f" (seed{'s' * (len(found) > 1)} {seeds})" if len(found) < n_runs else "")
