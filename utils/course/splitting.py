"""Split students for a run: trained as its student was, compared by where query and product meet, and kept.

A plan is chosen on valid. What is trained once for a plan is kept in the run's folder with what it was made of, so a
notebook's second run reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from utils import disk, environment, freshness
from utils.course import stages, teachers
from utils.course.run import Run
from utils.edge import engines, in_split, product_store, split_cost, split_folder, split_texts
from utils.edge.split_model import Split, SplitModel, split
from utils.measure.variant import Variant
from utils.rank import models, training
from utils.rank.metrics import Quality
from utils.rank.setting import Budget
from utils.settings import N_CANDIDATES
from utils.shrink import recipe as recipes
from utils.shrink.distil import distillation, scored_pairs

SPLIT = Variant("split", engines.SPLIT, precision="int8")
FOLDER = "split_trials"  # of a run: a folder for each plan
FACTS = "trial.json"
PART_OF_STUDENT = 8  # a plan of a sweep is trained for this part of the student's steps
CODE = (f"{__name__}:_learn", "utils.edge.split_folder:save")
BY_VALUE = ("utils.course.run:Run", "utils.shrink.recipe:Recipe")  # count by what is taken of them, not as code


def plans(n_layers: int) -> list[Split]:
    """The places of meeting that notebook 11 compares, the earliest first, for a student of so many layers.

    Where the last layer alone joins, it learns next to nothing in so few steps; that place is left out.
    """
    early = min(1, n_layers - 1)
    late = [Split(n_apart, "tokens", 32) for n_apart in sorted({1, n_layers})]
    layers = [Split(n_apart, "layers") for n_apart in range(early + 1)]
    return [*layers, Split(early, "layers", 64), *late, Split(1, "vectors", 128)]


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
    folder, made_of = _trial_folder(run, plan, steps=steps), _made_of(run, plan, steps=steps)
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


@dataclass(frozen=True)
class Trial:
    """One plan of a sweep: how well it ranks `valid`, and what it costs.

    Attributes:
        request_macs: of a query with `N_CANDIDATES` candidates when it comes; product_macs: of a product, once.
        bytes_per_product: of its stored side in int8, at the mean number of tokens.
        folder: of the trained model, for `split_folder.load`.
    """

    plan: Split
    quality: Quality
    request_macs: int
    product_macs: int
    bytes_per_product: float
    folder: Path

    @property
    def label(self) -> str:
        return self.plan.label

    @property
    def ndcg10(self) -> float:
        return self.quality.ndcg10


@dataclass(frozen=True)
class Sweep:
    """Some plans beside the student whole, on the same pairs.

    Attributes:
        student: its quality on valid; student_macs: of a query with its candidates.
    """

    trials: list[Trial]
    student: Quality
    student_macs: int

    @property
    def points(self) -> dict[str, tuple[float, float]]:
        """MACs of a query and NDCG@10 of each plan, by its label."""
        return {trial.label: (trial.request_macs, trial.ndcg10) for trial in self.trials}

    @property
    def whole(self) -> tuple[float, float]:
        """The same of the student whole."""
        return self.student_macs, self.student.ndcg10

    def kept(self, trial: Trial) -> float:
        """The share of the student's NDCG@10 that a plan keeps."""
        return trial.ndcg10 / self.student.ndcg10

    @property
    def kept_by_vectors(self) -> float:
        """The largest share that one vector for each text keeps; 0 where no plan has it."""
        return max((self.kept(trial) for trial in self.trials if trial.plan.meeting == "vectors"), default=0.0)

    def fewer(self, trial: Trial) -> float:
        """How many times fewer MACs a query needs than with the student whole."""
        return self.student_macs / trial.request_macs

    def choose(self, *, keeps: float = 0.98) -> Trial:
        """The plan of the fewest MACs at request time that keeps this share of the student's NDCG@10 on valid.

        The best one where none does.
        """
        enough = [trial for trial in self.trials if trial.ndcg10 >= keeps * self.student.ndcg10]
        if not enough:
            return max(self.trials, key=lambda trial: trial.ndcg10)
        return min(enough, key=lambda trial: trial.request_macs)

    def table(self) -> pd.DataFrame:
        """A row a plan, five figures each."""
        rows = [
            {
                "query and product meet": trial.label,
                "NDCG@10 on valid": round(trial.ndcg10, 4),
                "of the student's": f"{trial.ndcg10 / self.student.ndcg10:.1%}",
                "million MACs a query": round(trial.request_macs / 1e6, 2),
                "fewer than whole": f"{self.student_macs / trial.request_macs:,.0f} ×",
                "bytes a product, int8": round(trial.bytes_per_product),
            }
            for trial in self.trials
        ]
        return pd.DataFrame(rows).set_index("query and product meet")


def sweep(run: Run, some: Sequence[Split], *, steps: int | None = None) -> Sweep:
    """Train and judge these plans, each for `steps` (`usual_steps` when not given), or read what was kept of them."""
    steps = steps or usual_steps(run)
    student, tokenizer = models.load(run.stage("student"))
    lengths = Lengths(run, tokenizer)
    whole = split_cost.whole_at_request(student.config, n_candidates=N_CANDIDATES, **lengths.of(Split(0, "layers")))
    trials = []
    for plan in some:
        train(run, plan, steps=steps)
        trials.append(_trial(run, plan, config=student.config, lengths=lengths, steps=steps))
    quality = training.evaluate_on_valid(student, tokenizer=tokenizer, setting=run.setting)
    return Sweep(trials, quality, whole)


@dataclass(frozen=True)
class Lengths:
    """Mean numbers of tokens of the queries of valid and of the catalogue's products, as a plan cuts them."""

    run: Run
    tokenizer: PreTrainedTokenizerBase

    @cached_property
    def _texts(self) -> tuple[list[str], list[str]]:
        return list(dict.fromkeys(self.run.catalogue.pairs["valid"]["query"])), self.run.catalogue.products["text"][:]

    def of(self, plan: Split) -> dict[str, int]:
        """`n_query` and `n_product`, special tokens included."""
        cut = {"tokenizer": self.tokenizer, "plan": plan}
        queries, products = self._texts
        return {
            "n_query": _mean_length(split_texts.query_ids(queries, **cut)),
            "n_product": _mean_length(split_texts.product_ids(products, **cut)),
        }


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


def _trial(run: Run, plan: Split, *, config: PretrainedConfig, lengths: Lengths, steps: int) -> Trial:
    folder, n_tokens = _trial_folder(run, plan, steps=steps), lengths.of(plan)
    n_vectors = 1 if plan.meeting == "vectors" else n_tokens["n_product"]
    stored = partial(product_store.stored_bytes, d=plan.d_stored or config.hidden_size)
    return Trial(
        plan,
        Quality(**disk.read_object(folder / FACTS)["quality"]),
        split_cost.at_request(config, plan, n_candidates=N_CANDIDATES, **n_tokens).total,
        split_cost.of_product(config, plan, n_tokens=n_tokens["n_product"]),
        stored(n_vectors=n_vectors),
        folder,
    )


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


def _trial_folder(run: Run, plan: Split, *, steps: int) -> Path:
    width = f"_{plan.d_stored}" if plan.d_stored else ""
    cut = f"{plan.n_query}+{plan.n_product}"
    return run.folder / FOLDER / f"{plan.meeting}_{plan.n_apart}{width}_{cut}_{steps}_steps"


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


def _mean_length(ids: Sequence[Sequence[int]]) -> int:
    return round(np.mean([len(of_text) for of_text in ids]))
