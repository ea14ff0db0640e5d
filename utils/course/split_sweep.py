"""Where should query and product meet? Some plans beside the student whole, on the same pairs; chosen on valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from utils import disk
from utils.course import splitting
from utils.course.run import Run
from utils.edge import product_store, split_cost, split_texts
from utils.edge.split_model import Split
from utils.rank import models, training
from utils.rank.metrics import Quality
from utils.settings import N_CANDIDATES


def plans(n_layers: int) -> list[Split]:
    """The places of meeting that notebook 11 compares, the earliest first, for a student of so many layers.

    Where the last layer alone joins, it learns next to nothing in so few steps; that place is left out.
    """
    early = min(1, n_layers - 1)
    late = [Split(n_apart, "tokens", 32) for n_apart in sorted({1, n_layers})]
    layers = [Split(n_apart, "layers") for n_apart in range(early + 1)]
    return [*layers, Split(early, "layers", 64), *late, Split(1, "vectors", 128)]


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
    """Train and judge these plans, or read what was kept of them.

    Args:
        steps: of each; `splitting.usual_steps` where not given.
    """
    steps = steps or splitting.usual_steps(run)
    student, tokenizer = models.load(run.stage("student"))
    lengths = Lengths(run, tokenizer)
    whole = split_cost.whole_at_request(student.config, n_candidates=N_CANDIDATES, **lengths.of(Split(0, "layers")))
    trials = []
    for plan in some:
        splitting.train(run, plan, steps=steps)
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


def _trial(run: Run, plan: Split, *, config: PretrainedConfig, lengths: Lengths, steps: int) -> Trial:
    folder, n_tokens = splitting.folder_of(run, plan, steps=steps), lengths.of(plan)
    n_vectors = 1 if plan.meeting == "vectors" else n_tokens["n_product"]
    stored = partial(product_store.stored_bytes, d=plan.d_stored or config.hidden_size)
    return Trial(
        plan,
        Quality(**disk.read_object(folder / splitting.FACTS)["quality"]),
        split_cost.at_request(config, plan, n_candidates=N_CANDIDATES, **n_tokens).total,
        split_cost.of_product(config, plan, n_tokens=n_tokens["n_product"]),
        stored(n_vectors=n_vectors),
        folder,
    )


def _mean_length(ids: Sequence[Sequence[int]]) -> int:
    return round(np.mean([len(of_text) for of_text in ids]))
