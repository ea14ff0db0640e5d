"""A recipe applied to the teacher of a run: the stages it makes, kept so that a killed run goes on, and their figures.

The notebooks make the same stages one by one, by the same steps; this is for whoever wants the outcome alone, such as a
study over seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from datasets import Dataset

from utils import environment, freshness
from utils.course import measure_stage, stages
from utils.course.run import Run
from utils.data.catalogue import texts_of
from utils.measure.row_groups import Row
from utils.measure.variant import Variant
from utils.rank import metrics, models, runtimes, training
from utils.rank.ranker import Ranker
from utils.shrink import steps
from utils.shrink.distil import distillation
from utils.shrink.recipe import Recipe

STAGES = {  # and what of a recipe decides each, beside the stage before it
    "pruned": {"pruned", "recovery_rate"},
    "student": {
        "student",
        "layers",
        "loss",
        "n_unlabelled_pairs",
        "n_distil_pairs",
        "learning_rate",
        "n_label_pairs",
        "label_learning_rate",
    },
    "quantized": {"precision", "for_openvino", "for_onnx"},
}
CODE = {
    stage: f"{__name__}:{maker}"
    for stage, maker in zip(STAGES, ("make_pruned", "make_student", "make_quantized"), strict=True)
}
WRITING = ("utils.environment:seed_everything", "utils.rank.models:save", "utils.rank.runtimes")  # of any stage
BY_VALUE = ("utils.course.run:Run", "utils.shrink.recipe:Recipe")  # count by what a stage takes of them, not as code


def apply(run: Run, *chosen: Recipe, echo: Callable[[str], object] = print) -> list[Row]:
    """Make all stages of some recipes, and add their final rows and the teacher's, all of them timed by turns."""
    for recipe in chosen:
        make(run, recipe, echo=echo)
    return measure_stage.measure(
        run, {label: variant for recipe in chosen for label, variant in variants(recipe).items()}
    )


def on_valid(run: Run, *chosen: Recipe) -> dict[str, float]:
    """NDCG@10 on queries of valid of the teacher and of the stage that each recipe ends in, by stage, to choose by."""
    n_queries = distillation.JUDGED_TIMES * run.profile.n_stop_queries
    some = training.first_queries(run.catalogue.pairs["valid"], n_queries=n_queries)
    texts = texts_of(some)
    ends = ["teacher", *(stage_name("quantized", recipe=one) for one in chosen)]
    at = {"runtime": "openvino", "threads": run.machine["cores"], "max_tokens": run.profile.max_tokens}
    rankers = {stage: runtimes.open_ranker(run.stage(stage), **at) for stage in ends}
    top_gain = run.catalogue.top_gain
    return {stage: metrics.evaluate(some, one.score(texts), top_gain=top_gain).ndcg10 for stage, one in rankers.items()}


def make(run: Run, recipe: Recipe, *, until: str = "quantized", echo: Callable[[str], object] = print) -> None:
    """Make the recipe's stages up to one of them; those that are there, whole and made of the same, stay."""
    parent, data = "teacher", run.catalogue.hash
    for stage in _up_to(until):
        name, made_of = stage_name(stage, recipe=recipe), _digest(stage, recipe, run.stage(parent), data=data)
        if _is_made(run.stage(name), made_of=made_of):
            echo(f"{name}: unchanged")
        else:
            environment.seed_everything(run.seed)
            MAKERS[stage](run, recipe, name=name, made_of=made_of)
            echo(f"{name}: made")
        parent = name


def stage_name(stage: str, *, recipe: Recipe) -> str:
    """The name that the notebooks give a stage, as far as a recipe is the default's; then with the recipe's name.

    So recipes that differ in the student alone share the pruned stage.
    """
    fields = set().union(*(STAGES[one] for one in _up_to(stage)))
    is_default = recipe.model_dump(include=fields) == Recipe().model_dump(include=fields)
    return stage if is_default else f"{stage}_{recipe.name}"


def variants(recipe: Recipe) -> dict[str, Variant]:
    """The rows that a recipe ends in, by label."""
    pruned, student, quantized = (stage_name(stage, recipe=recipe) for stage in STAGES)
    return {
        f"{pruned}, OpenVINO": Variant(pruned, "openvino"),
        f"{student}, OpenVINO": Variant(student, "openvino"),
        f"{quantized}, OpenVINO": Variant(quantized, "openvino", recipe.precision),
        f"{quantized}, ONNX Runtime": Variant(quantized, "onnxruntime", recipe.precision),
    }


def scored(run: Run, recipe: Recipe) -> Dataset:
    """The recipe's pairs with the scores of this run's teacher, from the run's folder, or scored now."""
    folder = run.stage("teacher")

    def open_teacher() -> Ranker:
        cores, max_tokens = run.machine["cores"], run.profile.max_tokens
        return runtimes.open_ranker(folder, runtime="onnxruntime", threads=cores, max_tokens=max_tokens)

    return steps.score_pairs(
        run.folder / "scored_pairs",
        teacher_hash=runtimes.weights_hash(folder, runtime="pytorch"),
        ranker=open_teacher,
        recipe=recipe,
        setting=run.setting,
    )


def make_pruned(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    """Write the first cut of this run's teacher as a stage."""
    teacher, tokenizer = models.load(run.stage("teacher"))
    pruned, tokenizer = steps.prune(teacher, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
    run.save_stage(name, pruned, tokenizer=tokenizer, parent="teacher", made_of=made_of)


def make_student(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    """Write the student as a stage: a piece of the pruned stage that copied scores, then learned from labels."""
    pruned, tokenizer = models.load(run.stage(stage_name("pruned", recipe=recipe)))
    pairs = scored(run, recipe)
    student = steps.start_student(pruned, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
    steps.copy_scores(student, tokenizer=tokenizer, scored=pairs, recipe=recipe, setting=run.setting)
    steps.finish_on_labels(student, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
    run.save_stage(name, student, tokenizer=tokenizer, parent=stage_name("pruned", recipe=recipe), made_of=made_of)


def make_quantized(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    """Write the student with quantized graphs as a stage."""
    student, tokenizer = models.load(run.stage(stage_name("student", recipe=recipe)))
    finish = partial(steps.quantize, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
    parent = stage_name("student", recipe=recipe)
    run.save_stage(name, student, tokenizer=tokenizer, parent=parent, finish=finish, made_of=made_of)


MAKERS = {"pruned": make_pruned, "student": make_student, "quantized": make_quantized}


def _up_to(stage: str) -> list[str]:
    return list(STAGES)[: list(STAGES).index(stage) + 1]


def _digest(stage: str, recipe: Recipe, parent: Path, *, data: str) -> str:
    """What a stage is made of: its part of the recipe, the code for it, the data, and the files of the stage before."""
    return freshness.key(
        recipe=recipe.model_dump(include=STAGES[stage]),
        code=freshness.of_code(CODE[stage], *WRITING, without=BY_VALUE),
        requirements=freshness.requirements(),
        data=data,
        parent=stages.digest(parent),
    )


def _is_made(folder: Path, *, made_of: str) -> bool:
    return folder.is_dir() and not stages.problem(folder) and stages.manifest(folder).get("made_of") == made_of
