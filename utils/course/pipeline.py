"""A recipe applied to the teacher of a run: the stages it makes, kept so that a killed run goes on, and their figures.

The notebooks make the same stages one by one; this is for whoever wants the outcome alone, such as a study over seeds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from datasets import Dataset

from utils import environment
from utils.course import fingerprint, measure_stage, stages
from utils.course.run import Run
from utils.measure.row_groups import Row
from utils.measure.variant import Variant
from utils.rank import metrics, models, runtimes, training
from utils.shrink import recipe as recipes
from utils.shrink.distil import distillation
from utils.shrink.recipe import Recipe, Setting

STAGES = {  # and what of a recipe decides each, beside the stage before it
    "pruned": {"pruned"},
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
    "quantized": {"precision"},
}


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
    texts = list(zip(some["query"], some["product"], strict=True))
    ends = ["teacher", *(stage_name("quantized", recipe=one) for one in chosen)]
    at = {"runtime": "openvino", "threads": run.machine["cores"], "max_tokens": run.profile.max_tokens}
    rankers = {stage: runtimes.open_ranker(run.stage(stage), **at) for stage in ends}
    top_gain = run.catalogue.top_gain
    return {stage: metrics.evaluate(some, one.score(texts), top_gain=top_gain).ndcg10 for stage, one in rankers.items()}


def make(run: Run, recipe: Recipe, *, until: str = "quantized", echo: Callable[[str], object] = print) -> None:
    """Make the recipe's stages up to one of them; those that are there, whole and made of the same, stay."""
    parent, data = "teacher", run.catalogue.hash
    for stage in _up_to(until):
        decided = recipe.model_dump_json(include=STAGES[stage])
        name, made_of = stage_name(stage, recipe=recipe), _digest(decided, run.stage(parent), data=data)
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


def setting(run: Run) -> Setting:
    """What the steps of a recipe work with, in this run."""
    return Setting(run.catalogue, run.profile, run.seed, run.folder / "logs")


def taught(run: Run, recipe: Recipe) -> Dataset:
    """The recipe's pairs with the scores of this run's teacher, from the folder `teaching`, or scored now."""
    folder = run.stage("teacher")
    at = {"threads": run.machine["cores"], "max_tokens": run.profile.max_tokens}
    return recipes.teach(
        run.folder / "teaching",
        teacher_hash=runtimes.weights_hash(folder, runtime="pytorch"),
        ranker=partial(runtimes.open_ranker, folder, runtime="onnxruntime", **at),
        recipe=recipe,
        setting=setting(run),
    )


def _prune(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    teacher, tokenizer = models.load(run.stage("teacher"))
    pruned, tokenizer = recipes.make_pruned(teacher, tokenizer, recipe=recipe, setting=setting(run))
    run.save_stage(name, pruned, tokenizer=tokenizer, made_of=made_of)


def _distil(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    pruned, tokenizer = models.load(run.stage(stage_name("pruned", recipe=recipe)))
    pairs = taught(run, recipe)
    student = recipes.make_student(pruned, tokenizer, taught=pairs, recipe=recipe, setting=setting(run))
    run.save_stage(name, student, tokenizer=tokenizer, made_of=made_of)


def _quantize(run: Run, recipe: Recipe, *, name: str, made_of: str) -> None:
    student, tokenizer = models.load(run.stage(stage_name("student", recipe=recipe)))
    finish = partial(recipes.make_quantized, tokenizer=tokenizer, recipe=recipe, setting=setting(run))
    run.save_stage(name, student, tokenizer=tokenizer, finish=finish, made_of=made_of)


MAKERS = {"pruned": _prune, "student": _distil, "quantized": _quantize}


def _up_to(stage: str) -> list[str]:
    return list(STAGES)[: list(STAGES).index(stage) + 1]


def _digest(decided: str, parent: Path, *, data: str) -> str:
    """What a stage is made of: its part of the recipe, the code for it, the data, and the files of the stage before."""
    parts = decided, fingerprint.code_of("utils.shrink.recipe"), data, stages.digest(parent)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _is_made(folder: Path, *, made_of: str) -> bool:
    return folder.is_dir() and not stages.problem(folder) and stages.manifest(folder).get("made_of") == made_of
