"""The slow study behind README.md's tables: the teacher of notebook 01 and the recipes, over data sets and seeds.

Each run is recorded in a file of its own. The study goes on where it stopped: a run that is recorded and whose code has
not changed since is not made again, and neither is a stage of a run that was killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import nbformat
import pandas as pd

from authoring import grid as grids
from utils import course, disk, freshness, settings
from utils.course import fingerprint, pipeline, report, runner
from utils.course.records import grid_tables, recorded, recorded_grid, recorded_tables
from utils.course.records.recorded import Record
from utils.course.records.recorded_grid import Cell
from utils.course.run import TEACHER_SCORES, Run
from utils.data import catalogue, identity
from utils.shrink.recipe import Recipe

README = settings.ROOT / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
NAMES = {settings.EMBEDDED: "The embedded shop"}
RECIPES_BY = ("utils.course.pipeline:apply", "utils.course.pipeline:on_valid")  # what makes and judges their stages
ONLY_SHOW = (  # patterns of modules that decide no recorded figure
    *("utils.measure.plots*", "utils.course.tables", "utils.course.price_table", "utils.course.report"),
    "utils.measure.ledger_table",
    "utils.course.records.*",
)
NOTEBOOKS = ("00", "01")  # what a run needs before a recipe can begin: baselines and teacher


def study(
    *,
    datasets: Sequence[str],
    seeds: Sequence[int],
    recipes: Sequence[Recipe],
    profile: str,
    echo: Callable[[str], object] = print,
) -> list[Path]:
    """Make and record a run for every data set and seed, each with all recipes, and put the tables into README.md.

    Raises:
        ValueError: unusable data, an unknown profile, README.md without its marks, or an older record of a run that
            holds a recipe that is not among these.
        RunFailed: a notebook stopped; runs recorded before stay recorded.
    """
    runs = [{"profile": profile, "dataset": dataset, "seed": seed} for dataset in datasets for seed in seeds]
    codes = [code_hash(recipes=recipes, **chosen) for chosen in runs]
    places = [_place(**chosen) for chosen in runs]
    older = [disk.read_object(place) for place in places]
    is_fresh = [record.get("code") == code for record, code in zip(older, codes, strict=True)]
    for place, record in ((places[n], older[n]) for n, fresh in enumerate(is_fresh) if not fresh):
        if lost := set(record.get("recipes", [])) - {recipe.name for recipe in recipes}:
            raise ValueError(
                f"{place.name}: holds the recipe '{min(lost)}', which a new record would lose; "
                f"add --recipe {min(lost)}, or delete the file"
            )
    for chosen, code, place, fresh in zip(runs, codes, places, is_fresh, strict=True):
        if not fresh:
            _make(recipes=recipes, code=code, echo=echo, **chosen)
        echo(f"{place.name}: {'unchanged' if fresh else 'recorded'}")
    disk.write_whole(README, with_results(README.read_text(encoding="utf-8")))
    return places


def grid(
    *, datasets: Sequence[str], seeds: Sequence[int], profile: str, echo: Callable[[str], object] = print
) -> list[Path]:
    """Record the grid of distillation for every data set and seed, from the pruned stage of the default recipe."""
    places = []
    for dataset in datasets:
        for seed in seeds:
            started = _begin(profile=profile, dataset=dataset, seed=seed, echo=echo)
            with _alone(started):
                pipeline.make(started, Recipe(), until="pruned", echo=echo)
                places += grids.study(started, recipe=Recipe(), echo=echo)
    disk.write_whole(README, with_results(README.read_text(encoding="utf-8")))
    return places


def _place(*, profile: str, dataset: str, seed: int) -> Path:
    """The file that a run is to be recorded in; data of one's own are read for it, which a study can well afford."""
    name, content = settings.dataset_name(dataset), ""
    if dataset != settings.EMBEDDED:
        content = catalogue.load(dataset, profile=settings.profile(profile)).hash
    return recorded.path_of(dataset=name, dataset_hash=content, profile=profile, seed=seed)


def _make(*, recipes: Sequence[Recipe], code: str, echo: Callable[[str], object], **chosen) -> None:
    started = _begin(**chosen, echo=echo)
    with _alone(started):
        rows = pipeline.apply(started, *recipes, echo=echo)
        on_valid = pipeline.on_valid(started, *recipes)
        started.write_rows()
    before = [row for row in started.rows() if row.identity.notebook != recorded.STUDY]
    name, names = settings.dataset_name(chosen["dataset"]), [recipe.name for recipe in recipes]
    words = ["course results --dataset", name, f"--seed {chosen['seed']} --profile {chosen['profile']}"]
    words += [f"--recipe {one}" for one in names]
    keys = dict.fromkeys((TEACHER_SCORES, *(row.identity.variant.scores_key for row in [*before, *rows])))
    ndcg10 = {key: started.load_quality(key).ndcg10_by_query for key in keys if started.quality_file(key).exists()}
    figures = {"ndcg10": ndcg10, "rates": started.rates(), "on_valid": on_valid}
    recorded.write([*before, *rows], command=" ".join(words), recipes=names, code=code, **figures)


def _alone(started: Run) -> AbstractContextManager:
    """No other study in this run's folder; the notebooks' own lock is free by now."""
    busy = f"{started.folder}: another study is working there; wait for it"
    return disk.lock(started.folder / ".study.lock", busy=busy)


def _begin(*, profile: str, dataset: str, seed: int, echo: Callable[[str], object]) -> Run:
    """Baselines and teacher by the notebooks, in a folder of the studies' own, and a run that goes on there."""
    chosen = {"profile": profile, "dataset": dataset, "seed": seed}
    out = str(settings.ARTIFACTS / "results" / identity.run_name(dataset=dataset, profile_name=profile, seed=seed))
    for number in NOTEBOOKS:
        runner.make_stages(**chosen, only=number, out=out, echo=echo)
    return course.begin(recorded.STUDY, **chosen, out=out, needs=("teacher",))


def code_hash(*, profile: str, dataset: str, seed: int, recipes: Sequence[Recipe]) -> str:
    """One hash of all that decides the outcome of a run; recorded results, and modules that only show, do not."""
    masters = [nbformat.read(path, as_version=4) for number in NOTEBOOKS for path in runner.notebooks(number)]
    return freshness.key(
        parameters={"PROFILE": profile, "DATASET": settings.dataset_name(dataset), "SEED": seed},
        cells=[freshness.of_cells(nb) for nb in masters],
        code=[freshness.of_definitions(freshness.reached_by_cells(nb, without=ONLY_SHOW)) for nb in masters],
        made_by=freshness.of_code(*RECIPES_BY, without=ONLY_SHOW),
        requirements=freshness.requirements(),
        data=fingerprint.data_hashes(dataset),
        recipes=[recipe.model_dump() for recipe in recipes],
    )


def with_results(page: str) -> str:
    """The page with a table for every recorded data set between its two marks; ValueError when a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md: the marks {BEGIN} and {END} are missing; put them around the tables of results")
    return f"{before}{begin}\n{sections()}{end}{after}"


def sections() -> str:
    """Markdown of the target, then of all recorded data sets, the embedded shop first; of the laptop profile alone."""
    found = (json.loads(path.read_text(encoding="utf-8")) for path in settings.RESULTS.glob("*.json"))
    names = {one["dataset"] for one in found if one["profile"] == "laptop"}
    found = [_section(name) for name in sorted(names, key=lambda name: (name != settings.EMBEDDED, name))]
    return "\n".join([_target(), *found]) if found else ""


def _target() -> str:
    target = recorded_tables.TARGET
    quality, lower, size, work = (f"{target[name]:.0%}" for name in target if name != "pairs/s")
    return (
        f"The target, on the embedded shop and against the teacher in fp32 PyTorch: {quality} of its NDCG@10 (the "
        f"lower end of the interval at {lower}), {target['pairs/s']} × its pairs a second, {size} of its bytes and "
        f"{work} of its MACs. The last column of the second table of each data set names what falls short of it.\n"
    )


def _section(dataset: str) -> str:
    content = recorded.newest_hash(dataset)
    runs = recorded.read(dataset_hash=content)
    dates = sorted(row["identity"]["time_utc"][:10] for run in runs for row in run.rows)
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    heading = f"**{NAMES.get(dataset, dataset)}**, {runs[-1].rows[0]['quality']['n_queries']:,} test queries:"
    tables = [_markdown(recorded_tables.tabulate(runs))]
    if not (kept := recorded_tables.kept(runs)).empty:
        tables.append(
            f"What is left of the teacher in fp32 PyTorch, on one thread, timed by turns:\n\n{_markdown(kept)}"
        )
        tables.append(_best(runs))
    tables.append(labels_or_teacher(recorded_grid.read(dataset_hash=content)))
    shown = "\n".join(filter(None, tables))
    revisions = ", ".join(dict.fromkeys(f"`{run.git_revision[:7]}`" for run in runs))
    return f"{heading}\n\n{shown}\n{_machines(runs)} Recorded by `course results`, {when}, at revision {revisions}.\n"


def _best(runs: Sequence[Record]) -> str:
    """Which of the recipes' ends `valid` would choose, in a sentence; nothing where no run was judged there."""
    name, shares = recorded_tables.smallest_that_keeps(runs)
    if not shares:
        return ""
    kept = ", ".join(f"`{stage}` keeps {share:.1%}" for stage, share in shares.items())
    verdict = f"the smallest that keeps {recorded_tables.TARGET['NDCG@10 kept']:.0%} there is `{name}`"
    return f"On `valid` {kept} of the teacher's NDCG@10: {verdict if name else 'none keeps enough there'}.\n"


def labels_or_teacher(cells: list[Cell]) -> str:
    """What the grid of distillation says of labels alone, in a sentence; nothing where none is recorded."""
    if not (verdict := grid_tables.verdict(cells)):
        return ""
    long = ", ".join(f"`{loss}` {ndcg10:.3f}" for loss, ndcg10 in grid_tables.long_runs(cells).items())
    teacher = grid_tables.mean_over_seeds(cells)[0].teacher_ndcg10
    ends = f"; in the steps of a long run {long} (teacher {teacher:.3f})" if long else ""
    whole = f"; {said}" if (said := grid_tables.worth_of_scores(cells)) else ""
    return f"The grid of notebook 04, on `valid`: before any student is finished on labels, {verdict}{ends}{whole}.\n"


def _machines(runs: Sequence[Record]) -> str:
    """A sentence on every machine; where they differ, it says which seeds ran there."""
    seeds: dict[str, list[str]] = {}
    for run in runs:
        seeds.setdefault(report.machine_words(run.machine), []).append(str(run.seed))
    if len(seeds) == 1:
        return next(iter(seeds))
    here = "this machine"
    return "\n".join(words.replace(here, f"{here} with seed {' and '.join(ran)}", 1) for words, ran in seeds.items())


def _markdown(frame: pd.DataFrame) -> str:
    lines = [["", *frame.columns], ["---"] * (1 + len(frame.columns))]
    lines += [[label, *cells] for label, *cells in frame.itertuples()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
