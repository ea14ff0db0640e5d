"""Split students of a run: trained as its student was, kept, and made the stage `split`.

What is trained once for a plan is kept in the run's folder with what it was made of, so a notebook's second run reads
it. Which plan is chosen is `split_sweep`'s subject.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import disk, environment, freshness
from utils.course import stages, teachers
from utils.course.run import Run
from utils.edge import engines, in_split, split_folder
from utils.edge.split_model import Split, SplitModel, split
from utils.measure.variant import Variant
from utils.rank import models, training
from utils.rank.setting import Budget
from utils.shrink import recipe as recipes
from utils.shrink.distil import distillation, scored_pairs

SPLIT = Variant("split", engines.SPLIT, precision="int8")
FOLDER = "split_trials"  # of a run: a folder for each plan
FACTS = "trial.json"
PART_OF_STUDENT = 8  # a plan of a sweep is trained for this part of the student's steps
CODE = (f"{__name__}:_learn", "utils.edge.split_folder:save")
BY_VALUE = ("utils.course.run:Run", "utils.shrink.recipe:Recipe")  # count by what is taken of them, not as code


def usual_steps(run: Run) -> int:
    """Steps of each plan of a sweep."""
    return max(1, Budget.of_distillation(run.profile).n_steps // PART_OF_STUDENT)


def train(run: Run, plan: Split, *, steps: int) -> SplitModel:
    """The run's student split by this plan, and taught by the scores of the run's teachers that the student copied.

    Kept in the run's folder, and read from there when it was made of the same.

    Args:
        steps: of the student's batch size.

    Raises:
        FileNotFoundError, ValueError: the run has no scored pairs, or not of its teachers (run notebook 04 again).
    """
    folder, made_of = folder_of(run, plan, steps=steps), _made_of(run, plan, steps=steps)
    if disk.read_object(folder / FACTS).get("made_of") == made_of:
        return split_folder.load(folder)[0]
    environment.seed_everything(run.seed)
    student, tokenizer = models.load(run.stage("student"))
    model = split(student, plan)
    log = _learn(model, tokenizer=tokenizer, scored=_scored(run), run=run, steps=steps)
    quality = training.evaluate_on_valid(model, tokenizer=tokenizer, setting=run.setting)
    with disk.whole_folder(folder) as new:
        split_folder.fill(new, model=model, tokenizer=tokenizer)
        facts = {"made_of": made_of, "curve": training.curve(log), "quality": asdict(quality)}
        (new / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return model


def folder_of(run: Run, plan: Split, *, steps: int) -> Path:
    """Where a plan that was trained for so many steps is kept in the run's folder."""
    width = f"_{plan.d_stored}" if plan.d_stored else ""
    cut = f"{plan.n_query}+{plan.n_product}"
    return run.folder / FOLDER / f"{plan.meeting}_{plan.n_apart}{width}_{cut}_{steps}_steps"


def make_stage(run: Run, model: SplitModel, *, precision: str = "int8", query_precision: str = "int8") -> Path:
    """Write the stage `split`: the model, its graphs, and the stored side of every product of the catalogue."""
    _, tokenizer = models.described(run.stage("student"))
    with stages.whole(run.stage(SPLIT.stage), notebook=run.notebook, facts={"parent": "student"}) as partial_folder:
        in_split.fill(
            partial_folder,
            model=model,
            tokenizer=tokenizer,
            texts=run.catalogue.products["text"][:],
            precision=precision,
            query_precision=query_precision,
        )
    return run.stage(SPLIT.stage)


def _learn(
    model: SplitModel | PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, scored: Dataset, run: Run, steps: int
) -> list[dict]:
    """Train in place by the loss of the run's recipe, at the student's rate; the trainer's log."""
    recipe = recipes.kept(run.folder)
    usual = Budget.of_distillation(run.profile, learning_rate=recipe.learning_rate)
    budget = Budget(steps * usual.batch_size, usual.batch_size, min(2, usual.n_evaluations), usual.learning_rate)
    how = {"loss": recipe.loss, "label_weight": recipe.label_weight}
    return distillation.distil(model, tokenizer=tokenizer, scored=scored, setting=run.setting, budget=budget, **how)


def _scored(run: Run) -> Dataset:
    hashes = {"teacher_hash": teachers.of_run(run).weights, "data_hash": run.catalogue.hash}
    return scored_pairs.load(run.folder / "scored_pairs", **hashes)


def _made_of(run: Run, plan: Split, *, steps: int) -> str:
    return freshness.key(
        code=freshness.of_code(*CODE, without=BY_VALUE),
        requirements=freshness.requirements(),
        plan=asdict(plan),
        steps=steps,
        profile=asdict(run.profile),
        seed=run.seed,
        data=run.catalogue.hash,
        recipe=recipes.kept(run.folder).model_dump(include={"loss", "label_weight", "learning_rate"}),
        student=stages.digest(run.stage("student")),
        scored=disk.read_object(run.folder / "scored_pairs" / "made_from.json"),
    )
