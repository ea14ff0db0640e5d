"""The sweep over the number of judged queries: where the advice of notebook 04 reverses.

At each size the teacher and every start are trained anew, from those labels alone; the queries that lose their labels
join the log. A cell that is recorded and whose code has not changed since is not made again, nor is a stage of a sweep
that was killed. The data as they are share the stages of `authoring.records`.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from utils import disk, freshness, settings
from utils.course import pipeline
from utils.course.records import recorded_sweep
from utils.course.records.recorded_sweep import ARMS, BOTH, HEADROOM, LABELS, LONGER, SCORES, SECOND, TEACHER, Cell
from utils.course.run import Run
from utils.data import catalogue
from utils.data.catalogue import Catalogue
from utils.data.shop import judging, queries, synthetic
from utils.measure import ledger
from utils.measure.variant import Variant
from utils.rank.metrics import Quality
from utils.rank.setting import Budget
from utils.shrink.recipe import Recipe

SIZES = (100, 200, 400, 800, 2_000)  # judged train queries
SECOND_START = Recipe(name="second_start", start="paraphrase")
SCORES_ALONE = Recipe(name="scores_alone", label_weight=0, n_label_pairs=0)
STAGES = {TEACHER: ("teacher", Recipe()), LABELS: ("labels_alone", Recipe()), BOTH: ("student", Recipe())}
STAGES |= {SCORES: ("student", SCORES_ALONE), SECOND: ("student", SECOND_START)}
OWN = "judged-"  # what the folders of the sweep's own runs begin with
TIMES_LONGER = {LONGER: 2, HEADROOM: 4}  # steps of the teacher, over its own


def cells(sizes: Sequence[int]) -> list[tuple[int, str]]:
    """(judged queries, arm) of every cell: all arms at each size, the second start, and the two longer teachers."""
    arms = [(n, arm) for n in sizes for arm in ARMS]
    as_it_is = [(judging.N_JUDGED_QUERIES, arm) for arm in (SECOND, LONGER)]
    return [*arms, *as_it_is, (queries.N_JUDGEABLE, HEADROOM)]


def study(started: Run, *, sizes: Sequence[int] = SIZES, echo: Callable[[str], object] = print) -> list[Path]:
    """Train, judge on valid and record every cell; `started` is the run of the shop as it is, with its teacher."""
    places = []
    for n_judged, arm in cells(sizes):
        run = run_of(started, n_judged=n_judged, longer=TIMES_LONGER.get(arm, 1))
        code = code_hash(run, arm)
        place = recorded_sweep.path_of(key_of(started) | {"n_judged": n_judged, "arm": arm})
        if disk.read_object(place).get("code") == code:
            echo(f"{place.name}: unchanged")
        else:
            cell = make_cell(run, arm, n_judged=n_judged, code=code, key=key_of(started), echo=echo)
            echo(f"{recorded_sweep.write(cell).name}: recorded")
        places.append(place)
    return places


def key_of(started: Run) -> dict[str, str | int]:
    """What all cells of a sweep share."""
    shop = started.catalogue
    return {"dataset": shop.name, "dataset_hash": shop.hash, "profile": started.profile.name, "seed": started.seed}


def run_of(started: Run, *, n_judged: int, longer: int = 1) -> Run:
    """A run of the shop with that many judged queries, whose teacher has `longer` times its steps.

    It has a folder of its own; that of the shop as it is is the study's, with all the stages that are there.
    """
    if (n_judged, longer) == (judging.N_JUDGED_QUERIES, 1):
        return started
    name = f"{OWN}{n_judged}" + (f"-longer-{longer}" if longer > 1 else "")
    profile = started.profile
    of_teacher = {"n_train_pairs": longer * profile.n_train_pairs, "n_passes": longer * profile.n_passes}
    sizes = dataclasses.replace(profile, **of_teacher)
    shop = catalogue_of(n_judged, profile=sizes)
    return dataclasses.replace(started, profile=sizes, folder=started.folder / name, catalogue=shop, pending=[])


def catalogue_of(n_judged: int, *, profile: settings.Profile) -> Catalogue:
    """The embedded shop with that many judged train queries."""
    tables = synthetic.tables(n_judged_queries=n_judged)
    return catalogue.build(tables, name=settings.EMBEDDED, profile=profile, rule=synthetic.gains)


def code_hash(run: Run, arm: str) -> str:
    """One hash of all that decides the outcome of a cell: its recipe, the code, the sizes and the data."""
    stage, recipe = STAGES.get(arm, STAGES[TEACHER])
    made_by = [pipeline.CODE[one] for one in pipeline.way_to(stage)] if stage in pipeline.CODE else []
    return freshness.key(
        recipe=recipe.model_dump(),
        code=freshness.of_code(f"{__name__}:judge", "utils.rank.teaching:teach", *made_by, without=pipeline.BY_VALUE),
        profile=dataclasses.asdict(run.profile),
        requirements=freshness.requirements(),
        data=run.catalogue.hash,
        seed=run.seed,
    )


def make_cell(
    run: Run, arm: str, *, n_judged: int, code: str, key: dict[str, str | int], echo: Callable[[str], object]
) -> Cell:
    """Make the stage that an arm is, with those it comes from, and judge it on valid."""
    began = time.perf_counter()
    if run.folder.name.startswith(OWN):
        pipeline.make_teacher(run, echo=echo)
    stage, recipe = STAGES.get(arm, STAGES[TEACHER])
    if stage != "teacher":
        pipeline.make(run, recipe, until=stage, echo=echo)
    quality = judge(run, pipeline.stage_name(stage, recipe=recipe))
    return Cell(
        **key,
        n_judged=n_judged,
        arm=arm,
        n_pairs=n_pairs_of(run, arm),
        by_query=[round(value, 4) for value in quality.ndcg10_by_query.values()],
        curve=curve_of(run) if stage == "teacher" else [],
        seconds=time.perf_counter() - began,
        code=code,
        command=f"course results --sweep --seed {run.seed} --profile {run.profile.name}",
        time_utc=ledger.now(),
        machine=run.machine,
        versions=ledger.versions(),
    )


def judge(run: Run, stage: str) -> Quality:
    """Quality of a stage on all queries of valid, as the pipeline judges there."""
    return pipeline.judge_on_valid(run, Variant(stage, "openvino"))


def n_pairs_of(run: Run, arm: str) -> int:
    """Pairs of an arm's own training."""
    profile = run.profile
    of_student = {SCORES: profile.n_distil_pairs, BOTH: profile.n_distil_pairs + profile.n_label_pairs}
    of_student[LABELS] = of_student[SECOND] = of_student[BOTH]
    of_teacher = Budget.of_teacher(profile, n_labelled=len(run.catalogue.pairs["train"]))
    return of_student.get(arm, of_teacher.n_pairs)


def curve_of(run: Run) -> list[tuple[int, float]]:
    """(pairs seen, NDCG@10 on the queries of valid looked at) of a teacher that the sweep trained."""
    path = run.folder / pipeline.TEACHER_LOG
    log = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    looks = [entry for entry in log if "eval_ndcg10" in entry]
    return [(entry["step"] * run.profile.batch_size, round(entry["eval_ndcg10"], 4)) for entry in looks]
