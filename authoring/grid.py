"""The grid of distillation: losses at one shape; shapes with the loss of the default recipe and with labels alone.

Every student starts from the same pruned stage and has the same number of steps and of lists; two more have as many as
the long run of the recipe's student, to show what that does for the teacher's scores and for labels; and two as many as
all of the recipe, which ends on labels. A cell that is recorded and whose code has not changed since is not made again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import disk, environment, freshness
from utils.course import pipeline
from utils.course.records import recorded_grid
from utils.course.records.recorded_grid import LABELS, LONG, SHORT, WHOLE, Cell
from utils.course.run import Run
from utils.measure import cost, ledger
from utils.rank import models, runtimes, training
from utils.rank.metrics import Quality
from utils.rank.setting import Budget
from utils.shrink import steps
from utils.shrink.distil import distillation, matching, students
from utils.shrink.distil.distil_losses import LOSSES
from utils.shrink.distil.matching import Match
from utils.shrink.recipe import Recipe, Shape

MATCHES = matching.KINDS
BASE = Recipe().student
WIDTHS = ((6, 384), (BASE.n_heads, BASE.d_ff))
DEPTHS = (6, 4, 3, 2, 1)
SHORTER = 4  # times fewer pairs than the recipe's student sees


def cells() -> list[tuple[str, str, Shape]]:
    """(loss, length, shape) of every cell: each loss at one shape; all shapes on labels and with the recipe's loss.

    These two also learn long and whole, at the one shape.
    """
    shapes = [Shape(n_layers=n, n_heads=heads, d_ff=d_ff) for heads, d_ff in WIDTHS for n in DEPTHS]
    by_loss = [(loss, SHORT, BASE) for loss in (*LOSSES, *MATCHES)]
    pair = (LABELS, Recipe().loss)
    by_shape = [(loss, SHORT, shape) for shape in shapes for loss in pair]
    longer = [(loss, length, BASE) for length in (LONG, WHOLE) for loss in pair]
    return list(dict.fromkeys([*by_loss, *by_shape, *longer]))


def study(run: Run, *, recipe: Recipe, echo: Callable[[str], object] = print) -> list[Path]:
    """Train, judge on valid and record every cell, from the recipe's pruned stage in the run's folder."""
    work = begin(run, recipe)
    places = []
    for loss, length, shape in cells():
        key = work.key | {"loss": loss, "length": length}
        place = recorded_grid.path_of(key | shape.model_dump())
        if disk.read_object(place).get("code") == work.code:
            echo(f"{place.name}: unchanged")
        else:
            echo(f"{recorded_grid.write(make_cell(work, loss, length=length, shape=shape)).name}: recorded")
        places.append(place)
    return places


@dataclasses.dataclass(frozen=True)
class Work:
    """What all cells of one study share: what students start from and learn from, and what they are held against.

    Attributes:
        key: data set, profile and seed.
        code: one hash of all that decides the outcome.
        teacher: its vocabulary is cut, for the cells that look inside it.
        tokenizer: of `pruned` and of that teacher.
        scored: pairs with the teacher's scores.
        n_tokens: of a pair, in the mean; operations are counted at it.
    """

    run: Run
    recipe: Recipe
    key: dict
    code: str
    teacher: PreTrainedModel
    pruned: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    scored: Dataset
    n_tokens: int
    teacher_macs: int
    teacher_ndcg10: float
    pruned_macs: int
    pruned_ndcg10: float


def begin(run: Run, recipe: Recipe) -> Work:
    """Open the teacher and the recipe's pruned stage, judge both, and score the pairs where that was not done."""
    pruned, tokenizer = models.load(run.stage(pipeline.stage_name("pruned", recipe=recipe)))
    teacher, whole_tokenizer = models.load(run.stage("teacher"))
    n_tokens = run.mean_tokens()
    macs = [cost.macs_per_pair(model, n_tokens=n_tokens) for model in (teacher, pruned)]
    teacher_quality = judge(teacher, tokenizer=whole_tokenizer, run=run)
    steps.cut_vocabulary(teacher, tokenizer=whole_tokenizer, setting=run.setting)
    return Work(
        run=run,
        recipe=recipe,
        key={
            "dataset": run.catalogue.name,
            "dataset_hash": run.catalogue.hash,
            "profile": run.profile.name,
            "seed": run.seed,
        },
        code=code_hash(run, recipe),
        teacher=teacher,
        pruned=pruned,
        tokenizer=tokenizer,
        scored=pipeline.scored(run, recipe),
        n_tokens=n_tokens,
        teacher_macs=macs[0],
        teacher_ndcg10=teacher_quality.ndcg10,
        pruned_macs=macs[1],
        pruned_ndcg10=judge(pruned, tokenizer=tokenizer, run=run).ndcg10,
    )


def code_hash(run: Run, recipe: Recipe) -> str:
    """One hash of all that decides the outcome of a cell: the recipe, the code, the data and the models."""
    made_from = [run.stage("teacher"), run.stage(pipeline.stage_name("pruned", recipe=recipe))]
    return freshness.key(
        recipe=recipe.model_dump(),
        code=freshness.of_code(f"{__name__}:begin", f"{__name__}:make_cell", without=(f"{__name__}:code_hash",)),
        requirements=freshness.requirements(),
        data=run.catalogue.hash,
        weights=[runtimes.weights_hash(folder, runtime="pytorch") for folder in made_from],
    )


def make_cell(work: Work, loss: str, *, length: str, shape: Shape) -> Cell:
    """Train one student and judge it."""
    environment.seed_everything(work.run.seed)
    student, began = start(work, shape), time.perf_counter()
    budget = budget_of(work, loss, length=length)
    n_pairs = budget.n_pairs
    train(student, work=work, loss=loss, budget=budget)
    if length == WHOLE and loss != LABELS:
        n_pairs += n_label_pairs(work)
        steps.finish_on_labels(student, tokenizer=work.tokenizer, recipe=work.recipe, setting=work.run.setting)
    quality = judge(student, tokenizer=work.tokenizer, run=work.run)
    return Cell(
        **work.key,
        **shape.model_dump(),
        loss=loss,
        length=length,
        n_pairs=n_pairs,
        macs_per_pair=cost.macs_per_pair(student, n_tokens=work.n_tokens),
        teacher_macs_per_pair=work.teacher_macs,
        pruned_macs_per_pair=work.pruned_macs,
        ndcg10=quality.ndcg10,
        teacher_ndcg10=work.teacher_ndcg10,
        pruned_ndcg10=work.pruned_ndcg10,
        by_query=[round(value, 4) for value in quality.ndcg10_by_query.values()] if length == WHOLE else [],
        seconds=time.perf_counter() - began,
        code=work.code,
        command="course results --grid --dataset {dataset} --seed {seed} --profile {profile}".format(**work.key),
        time_utc=ledger.now(),
        machine=work.run.machine,
        versions=ledger.versions(),
    )


def start(work: Work, shape: Shape) -> PreTrainedModel:
    """A student of that shape, cut from the pruned stage as the recipe's is."""
    recipe = work.recipe.revised(student=shape)
    return steps.start_student(work.pruned, tokenizer=work.tokenizer, recipe=recipe, setting=work.run.setting)


def budget_of(work: Work, loss: str, *, length: str) -> Budget:
    """How long a cell trains before labels finish it: as the recipe does, or SHORTER times less, judged at its end.

    Labels alone, where they stand for the whole recipe, have the steps of its scores and of its labels.
    """
    recipe, profile = work.recipe, work.run.profile
    budget = Budget.of_distillation(profile, n_pairs=recipe.n_distil_pairs, learning_rate=recipe.learning_rate)
    if length == WHOLE and loss == LABELS:
        return dataclasses.replace(budget, n_pairs=budget.n_pairs + n_label_pairs(work))
    if length == WHOLE:
        return budget
    n_pairs = budget.n_pairs if length == LONG else budget.n_pairs // SHORTER
    return dataclasses.replace(budget, n_pairs=n_pairs, n_evaluations=1)


def n_label_pairs(work: Work) -> int:
    """Labelled pairs of the fine-tune that ends the recipe's student."""
    recipe, profile = work.recipe, work.run.profile
    return profile.n_label_pairs if recipe.n_label_pairs is None else recipe.n_label_pairs


def train(student: PreTrainedModel, *, work: Work, loss: str, budget: Budget) -> None:
    """Train the student in place: on labels, on scores, or on scores and the teacher's inside."""
    setting, tokenizer = work.run.setting, work.tokenizer
    if loss == LABELS:
        training.fine_tune(student, tokenizer=tokenizer, setting=setting, budget=budget)
        return
    match = match_of(student, teacher=work.teacher, kind=loss) if loss in MATCHES else None
    distillation.distil(
        student,
        tokenizer=tokenizer,
        scored=work.scored,
        setting=setting,
        budget=budget,
        loss=Recipe().loss if match else loss,
        match=match,
    )


def match_of(student: PreTrainedModel, *, teacher: PreTrainedModel, kind: str) -> Match:
    """What of the teacher's inside each layer of the student copies: layers at equal distances."""
    n_layers = student.config.num_hidden_layers
    layers = students.kept_layers(teacher.config.num_hidden_layers, n_kept=n_layers, which="spread")
    return Match(teacher, layers=tuple(layers), kind=kind)


def judge(model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, run: Run) -> Quality:
    """Quality on all judged pairs of valid."""
    top_gain, max_tokens = run.catalogue.top_gain, run.profile.max_tokens
    pairs = run.catalogue.pairs["valid"]
    return training.evaluate(model, pairs=pairs, tokenizer=tokenizer, max_tokens=max_tokens, top_gain=top_gain)
