"""A recipe applied to the teacher of a run: the stages it makes, kept so that a killed run goes on, and their figures.

The notebooks make the same stages one by one, by the same steps; this is for whoever wants the outcome alone, such as a
study over seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from datasets import Dataset

from utils import disk, environment, freshness
from utils.course import measure_stage, stages, teachers
from utils.course.run import Run
from utils.data.catalogue import texts_of
from utils.measure.row_groups import Row
from utils.measure.variant import Variant
from utils.rank import baselines, metrics, models, teaching
from utils.rank.metrics import Quality
from utils.shrink import controls, steps
from utils.shrink.recipe import Recipe

OF_STUDENT = {
    "start",
    "student",
    "layers",
    "loss",
    "label_weight",
    "n_unlabelled_pairs",
    "n_distil_pairs",
    "learning_rate",
    "n_label_pairs",
    "label_learning_rate",
}
STAGES = {  # and what of a recipe decides each, beside the stage before it
    "teacher_int8": {"for_openvino", "for_onnx"},
    "pruned": {"pruned", "recovery_rate"},
    "labels_alone": {"start", "student", "layers", "n_distil_pairs", "n_label_pairs", "learning_rate"},
    "student": OF_STUDENT,
    "quantized": {"precision", "for_openvino", "for_onnx"},
}
PARENTS = {
    "teacher_int8": "teacher",
    "pruned": "teacher",
    "labels_alone": "pruned",
    "student": "pruned",
    "quantized": "student",
}
CONTROLS = ("teacher_int8", "labels_alone")  # what a recipe is held against
CODE = {stage: f"{__name__}:make_{stage}" for stage in STAGES}
TEACHER_LOG = "teacher_log.json"
WRITING = ("utils.environment:seed_everything", "utils.rank.models:save", "utils.rank.runtimes")  # of any stage
BY_VALUE = ("utils.course.run:Run", "utils.shrink.recipe:Recipe")  # count by what a stage takes of them, not as code


def apply(run: Run, *chosen: Recipe, echo: Callable[[str], object] = print) -> list[Row]:
    """Make all stages of some recipes and their controls, and add the final rows of all, timed by turns."""
    make_all(run, *chosen, echo=echo)
    return measure_stage.measure(
        run, {label: variant for recipe in chosen for label, variant in variants(recipe).items()}
    )


def make_all(run: Run, *chosen: Recipe, echo: Callable[[str], object] = print) -> None:
    """Make all stages of some recipes and their controls."""
    for recipe in chosen:
        for stage in (*CONTROLS, "quantized"):
            make(run, recipe, until=stage, echo=echo)


def on_valid(run: Run, *chosen: Recipe) -> dict[str, Quality]:
    """Quality on valid of the baselines, the teacher, the controls and the end of each recipe, by stage.

    It is what choices are made by.
    """
    in_int8 = measure_stage.int8_variant(run)
    ends = [stage_name(stage, recipe=one) for one in chosen for stage in (*CONTROLS, "quantized")]
    found = baselines.qualities(run.catalogue, split="valid", tuned=teachers.tuned(run))
    for stage in dict.fromkeys(("teacher", *ends)):
        variant = in_int8 if stage == in_int8.stage else Variant(stage, "openvino")
        found[stage] = judge_on_valid(run, variant)
    return found


def judge_on_valid(run: Run, variant: Variant) -> Quality:
    """Quality of a stage on all queries of valid."""
    pairs = run.catalogue.pairs["valid"]
    ranker = variant.open(run.folder, max_tokens=run.profile.max_tokens, threads=run.machine["cores"])
    return metrics.evaluate(pairs, ranker.score(texts_of(pairs)), top_gain=run.catalogue.top_gain)


def make(run: Run, recipe: Recipe, *, until: str = "quantized", echo: Callable[[str], object] = print) -> None:
    """Make one of the recipe's stages and those it comes from; what is there, whole and made of the same, stays."""
    data = run.catalogue.hash
    for stage in way_to(until):
        parent = run.stage(stage_name(PARENTS[stage], recipe=recipe))
        name, made_of = stage_name(stage, recipe=recipe), _digest(stage, recipe, parent, data=data)
        if _is_made(run.stage(name), made_of=made_of):
            echo(f"{name}: unchanged")
        else:
            environment.seed_everything(run.seed)
            MAKERS[stage](run, recipe, name=name, made_of=made_of)
            echo(f"{name}: made")


def stage_name(stage: str, *, recipe: Recipe) -> str:
    """The name that the notebooks give a stage, as far as a recipe is the default's; then with the recipe's name.

    So recipes that differ in the student alone share the pruned stage.
    """
    if stage not in STAGES:
        return stage
    fields = set().union(*(STAGES[one] for one in way_to(stage)))
    is_default = recipe.model_dump(include=fields) == Recipe().model_dump(include=fields)
    return stage if is_default else f"{stage}_{recipe.name}"


def variants(recipe: Recipe) -> dict[str, Variant]:
    """The rows that a recipe ends in, by label."""
    pruned, alone, student, quantized = (stage_name(stage, recipe=recipe) for stage in list(STAGES)[1:])
    return {
        f"{pruned}, OpenVINO": Variant(pruned, "openvino"),
        f"{alone}, OpenVINO": Variant(alone, "openvino"),
        f"{student}, OpenVINO": Variant(student, "openvino"),
        f"{quantized}, OpenVINO": Variant(quantized, "openvino", recipe.precision),
        f"{quantized}, ONNX Runtime": Variant(quantized, "onnxruntime", recipe.precision),
    }


def scored(run: Run, recipe: Recipe) -> Dataset:
    """The recipe's pairs with the scores of this run's teachers, from the run's folder, or scored now."""
    experts = teachers.of_run(run)
    return steps.score_pairs(
        run.folder / "scored_pairs",
        teacher_hash=experts.weights,
        ranker=experts.open,
        recipe=recipe,
        setting=run.setting,
    )


def make_teacher(run: Run, *, echo: Callable[[str], object] = print) -> None:
    """Train a teacher as notebook 01 does, for a run that has none by a notebook; its log is kept beside it."""
    code = freshness.of_code("utils.rank.teaching:teach", *WRITING)
    sizes, data = dataclasses.asdict(run.profile), run.catalogue.hash
    made_of = freshness.key(code=code, profile=sizes, requirements=freshness.requirements(), data=data)
    if all(_is_made(run.stage(name), made_of=made_of) for name in ("teacher", baselines.TUNED)):
        echo("teacher: unchanged")
        return
    taught = teaching.teach(run.setting)
    disk.write_whole(run.folder / TEACHER_LOG, disk.json_text(taught.log))
    teachers.keep(run, taught, made_of=made_of)
    echo("teacher: made")


def make_teacher_int8(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    """Write the teacher with quantized graphs as a stage, untrained; it says in which engine it ranks better."""
    model, tokenizer = models.load(run.stage("teacher"))

    def quantize(folder: Path) -> dict[str, str]:
        steps.quantize(folder, tokenizer=tokenizer, recipe=recipe.revised(precision="int8"), setting=run.setting)
        return {"runtime": controls.better_runtime(controls.quality_in_int8(folder, setting=run.setting))}

    run.save_stage(name, model, tokenizer=tokenizer, parent="teacher", finish=quantize, made_of=made_of)


def make_labels_alone(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    """Write the recipe's student as a stage, trained on labels alone."""
    parent = stage_name("pruned", recipe=recipe)
    pruned, tokenizer = models.load(run.stage(parent))
    start = steps.start_student(pruned, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
    student, chosen = controls.labels_alone(start, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
    run.save_stage(name, student, tokenizer=tokenizer, parent=parent, made_of=made_of, chosen=chosen)


def make_pruned(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    """Write the first cut of this run's teacher as a stage."""
    model, tokenizer = models.load(run.stage("teacher"))
    pruned, tokenizer = steps.prune(model, tokenizer=tokenizer, recipe=recipe, setting=run.setting)
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


MAKERS = {
    "teacher_int8": make_teacher_int8,
    "pruned": make_pruned,
    "labels_alone": make_labels_alone,
    "student": make_student,
    "quantized": make_quantized,
}


def way_to(stage: str) -> list[str]:
    """The stages from the teacher, which is not among them, to this one."""
    way = [stage]
    while (parent := PARENTS[way[0]]) in PARENTS:
        way.insert(0, parent)
    return way


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
