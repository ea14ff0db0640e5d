"""The slow study behind docs/results.md: the teacher of notebook 01 and the recipes, over data sets and seeds.

Each run is recorded in a file of its own. The study goes on where it stopped: a run that is recorded and whose code has
not changed since is not made again, and neither is a stage of a run that was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from authoring import folds, results_page
from authoring import sweep as sweeps
from utils import course, disk, freshness, settings
from utils.course import fingerprint, pipeline, runner
from utils.course.records import recorded
from utils.course.records.recorded import Fold
from utils.course.run import TEACHER_SCORES, Run
from utils.data import catalogue, identity
from utils.shrink.recipe import Recipe

RECIPES_BY = ("utils.course.pipeline:apply", "utils.course.pipeline:on_valid")  # what makes and judges their stages
ONLY_SHOW = (  # patterns of modules that decide no recorded figure
    *("utils.measure.plots*", "utils.course.tables", "utils.course.price_table", "utils.course.report"),
    "utils.measure.ledger_table",
    "utils.course.records.*",
)
NOTEBOOKS = ("00", "01")  # what a run needs before a recipe can begin: baselines and teacher


@dataclass(frozen=True)
class Planned:
    """One run of a study: a data set, or a fold of one, at a profile, with a seed."""

    profile: str
    dataset: str
    seed: int
    fold: Fold | None = None

    @property
    def chosen(self) -> dict[str, str | int]:
        """What a notebook is told."""
        return {"profile": self.profile, "dataset": self.dataset, "seed": self.seed}

    @property
    def place(self) -> Path:
        """The file to be recorded in; data of one's own are read for it, which a study can well afford."""
        named = {"profile": self.profile, "seed": self.seed}
        if self.fold is not None:
            of_whole = {"dataset": self.fold.dataset, "dataset_hash": self.fold.dataset_hash}
            return recorded.path_of(**of_whole, **named, fold=self.fold.number)
        content = "" if self.dataset == settings.EMBEDDED else _hash_of(self.dataset, profile=self.profile)
        return recorded.path_of(dataset=settings.dataset_name(self.dataset), dataset_hash=content, **named)


def study(
    *,
    datasets: Sequence[str],
    seeds: Sequence[int],
    recipes: Sequence[Recipe],
    profile: str,
    n_folds: int = 0,
    echo: Callable[[str], object] = print,
) -> list[Path]:
    """Make and record a run for every data set and seed, each with all recipes, and write the pages.

    Args:
        n_folds: a run for each of so many folds of every data set, which together test every judged query once; 0: the
            data as they are.

    Raises:
        ValueError: unusable data, an unknown profile, a page without its marks, or an older record of a run that
            holds a recipe that is not among these.
        RunFailed: a notebook stopped; runs recorded before stay recorded.
    """
    plan = _planned(datasets, seeds=seeds, profile=profile, n_folds=n_folds)
    codes = [code_hash(recipes=recipes, **run.chosen) for run in plan]
    places = [run.place for run in plan]
    older = [disk.read_object(place) for place in places]
    is_fresh = [record.get("code") == code for record, code in zip(older, codes, strict=True)]
    for place, record in ((places[n], older[n]) for n, fresh in enumerate(is_fresh) if not fresh):
        if lost := set(record.get("recipes", [])) - {recipe.name for recipe in recipes}:
            raise ValueError(
                f"{place.name}: holds the recipe '{min(lost)}', which a new record would lose; "
                f"add --recipe {min(lost)}, or delete the file"
            )
    for run, code, place, fresh in zip(plan, codes, places, is_fresh, strict=True):
        if not fresh:
            _make(run, recipes=recipes, code=code, echo=echo)
        echo(f"{place.name}: {'unchanged' if fresh else 'recorded'}")
    results_page.write()
    return places


def prepare(
    *,
    datasets: Sequence[str],
    seeds: Sequence[int],
    recipes: Sequence[Recipe],
    profile: str,
    n_folds: int = 0,
    echo: Callable[[str], object] = print,
) -> None:
    """Make the stages that `study` would make of the same, and time and record nothing.

    So two of these may work side by side, each on a part of the cores; `study` afterwards times them alone.
    """
    for run in _planned(datasets, seeds=seeds, profile=profile, n_folds=n_folds):
        started = _begin(run, echo=echo)
        with _alone(started):
            pipeline.make_all(started, *recipes, echo=echo)


def sweep(*, seeds: Sequence[int], profile: str, echo: Callable[[str], object] = print) -> list[Path]:
    """Record the sweep over judged queries of the embedded shop, beside the runs of the shop as it is."""
    places = []
    for seed in seeds:
        started = _begin(Planned(profile, settings.EMBEDDED, seed), echo=echo)
        with _alone(started):
            places += sweeps.study(started, echo=echo)
    results_page.write()
    return places


def _planned(datasets: Sequence[str], *, seeds: Sequence[int], profile: str, n_folds: int) -> list[Planned]:
    """The runs of a study in their order; folds are written to be read as data sets of their own."""
    if not n_folds:
        return [Planned(profile, dataset, seed) for dataset in datasets for seed in seeds]
    plan = []
    for dataset in datasets:
        name, content = settings.dataset_name(dataset), _hash_of(dataset, profile=profile)
        folder = settings.ARTIFACTS / "folds" / f"{name}-{content}-{n_folds}"
        parts = folds.write(dataset, n_folds=n_folds, folder=folder)
        plan += [
            Planned(profile, str(part), seed, Fold(name, content, number, n_folds))
            for seed in seeds
            for number, part in enumerate(parts)
        ]
    return plan


def _hash_of(dataset: str, *, profile: str) -> str:
    return catalogue.load(dataset, profile=settings.profile(profile)).hash


def _make(run: Planned, *, recipes: Sequence[Recipe], code: str, echo: Callable[[str], object]) -> None:
    started = _begin(run, echo=echo)
    with _alone(started):
        rows = pipeline.apply(started, *recipes, echo=echo)
        on_valid = {name: one.ndcg10_by_query for name, one in pipeline.on_valid(started, *recipes).items()}
        started.write_rows()
    before = [row for row in started.rows() if row.identity.notebook != recorded.STUDY]
    keys = dict.fromkeys((TEACHER_SCORES, *(row.identity.variant.scores_key for row in [*before, *rows])))
    ndcg10 = {key: started.load_quality(key).ndcg10_by_query for key in keys if started.quality_file(key).exists()}
    figures = {"ndcg10": ndcg10, "rates": started.rates(), "on_valid": on_valid, "fold": run.fold}
    names = [recipe.name for recipe in recipes]
    recorded.write([*before, *rows], command=_command(run, names=names), recipes=names, code=code, **figures)


def _command(run: Planned, *, names: Sequence[str]) -> str:
    """The command line that makes the record again; a folder of data is named without the way to it."""
    dataset = run.fold.dataset if run.fold else settings.dataset_name(run.dataset)
    words = ["course results --dataset", dataset, f"--seed {run.seed} --profile {run.profile}"]
    words += [f"--recipe {name}" for name in names]
    return " ".join(words + ([f"--folds {run.fold.n_folds}"] if run.fold else []))


def _alone(started: Run) -> AbstractContextManager:
    """No other study in this run's folder; the notebooks' own lock is free by now."""
    busy = f"{started.folder}: another study is working there; wait for it"
    return disk.lock(started.folder / ".study.lock", busy=busy)


def _begin(run: Planned, *, echo: Callable[[str], object]) -> Run:
    """Baselines and teacher by the notebooks, in a folder of the studies' own, and a run that goes on there."""
    name = identity.run_name(dataset=run.dataset, profile_name=run.profile, seed=run.seed)
    out = str(settings.ARTIFACTS / "results" / name)
    for number in NOTEBOOKS:
        runner.make_stages(**run.chosen, only=number, out=out, echo=echo)
    return course.begin(recorded.STUDY, **run.chosen, out=out, needs=("teacher",))


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
