"""The slow study behind README.md's tables: whole runs of the course over data sets and seeds, each recorded in a file.

It goes on where it stopped: a run that is recorded and whose code has not changed since is not made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pandas as pd

from utils import settings
from utils.course import fingerprint, report, runner
from utils.measure import ledger, recorded

README = settings.ROOT / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
NAMES = {"synthetic": "The embedded shop"}


def study(
    *,
    datasets: Sequence[str],
    seeds: Sequence[int],
    profile: str,
    echo: Callable[[str], object] = print,
) -> list[Path]:
    """Run the course for every data set and seed, record each run, and put the tables into README.md.

    Raises:
        ValueError: unusable data, an unknown profile, or README.md without its marks.
        RunFailed: a notebook stopped; runs recorded before stay recorded.
    """
    places = []
    for dataset in datasets:
        for seed in seeds:
            chosen = {"profile": profile, "dataset": dataset, "seed": seed}
            place, code = recorded.place(**chosen), code_hash(**chosen)
            if place.exists() and _recorded_code(place) == code:
                echo(f"{place.name}: unchanged")
            else:
                folder = runner.run(**chosen, echo=echo)
                command = f"course results --dataset {settings.dataset_name(dataset)} --seed {seed} --profile {profile}"
                recorded.write(ledger.current(folder / "ledger.jsonl"), command=command, code=code)
                echo(f"{place.name}: recorded")
            places.append(place)
    settings.write_whole(README, with_results(README.read_text(encoding="utf-8")))
    return places


def code_hash(*, profile: str, dataset: str, seed: int) -> str:
    """One hash of all that decides the outcome of a whole run; recorded results, which notebooks only show, do not."""
    parameters = {"PROFILE": profile, "DATASET": settings.dataset_name(dataset), "SEED": seed}
    data = fingerprint.data_hashes(dataset)
    prints = [
        fingerprint.fingerprint(nbformat.read(path, as_version=4), parameters=parameters, upstream=data)
        for path in runner.notebooks()
    ]
    return hashlib.sha256("".join(prints).encode()).hexdigest()


def with_results(page: str) -> str:
    """The page with a table for every recorded data set between its two marks; ValueError when a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md: the marks {BEGIN} and {END} are missing; put them around the tables of results")
    return f"{before}{begin}\n{sections()}{end}{after}"


def sections() -> str:
    """Markdown of all recorded data sets, the embedded shop first; the smaller profiles are not shown."""
    paths = settings.RESULTS.glob("*-laptop-*.json")
    names = {json.loads(path.read_text(encoding="utf-8"))["dataset"] for path in paths}
    return "\n".join(_section(name) for name in sorted(names, key=lambda name: (name != "synthetic", name)))


def _section(dataset: str) -> str:
    runs = recorded.read(dataset=dataset)
    machines = "\n".join(dict.fromkeys(report.machine_words(run.machine) for run in runs))
    dates = sorted(row["time_utc"][:10] for run in runs for row in run.rows)
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    heading = f"**{NAMES.get(dataset, dataset)}**, {runs[-1].rows[0]['n_queries']:,} test queries:"
    return (
        f"{heading}\n\n{_markdown(recorded.table(dataset=dataset))}\n{machines} Recorded by `course results`, {when}.\n"
    )


def _markdown(frame: pd.DataFrame) -> str:
    lines = [["", *frame.columns], ["---"] * (1 + len(frame.columns))]
    lines += [[label, *cells] for label, *cells in frame.itertuples()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _recorded_code(place: Path) -> str:
    try:
        return json.loads(place.read_text(encoding="utf-8"))["code"]
    except (ValueError, KeyError):
        return ""
