"""Forms in which a split model's products can be stored, judged on valid: fp32, int8, and fewer tokens of each text.

All forms are of one trained model. What is chosen here becomes the stage `split`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
from datasets import Dataset

from utils.course import tables
from utils.course.run import Run
from utils.edge import in_split
from utils.edge.split_model import SplitModel
from utils.rank import metrics, models, runtimes
from utils.rank.metrics import Interval, Quality
from utils.shrink.distil import agreement


@dataclass(frozen=True)
class Form:
    """How products are stored, and the query's part beside them.

    Attributes:
        n_product: tokens of a product that are stored, special ones included; None: as many as it was trained with.
    """

    precision: str = "fp32"
    query_precision: str = "fp32"
    n_product: int | None = None


def forms(model: SplitModel) -> dict[str, Form]:
    """The forms of notebook 11, by their names; the last one stores half of the tokens."""
    half = model.plan.n_product // 2
    return {
        "fp32": Form(),
        "stored in int8": Form("int8"),
        "and the query's part in int8": Form("int8", "int8"),
        f"and {half} tokens of a product": Form("int8", "int8", half),
    }


@dataclass(frozen=True)
class Judged:
    """A form on `valid`.

    Attributes:
        agreement: rank correlation with the first form that was judged, within a query.
        model_bytes: of the query's part on a disk.
    """

    form: Form
    quality: Quality
    agreement: float
    bytes_per_product: float
    model_bytes: int


def of_form(model: SplitModel, form: Form) -> SplitModel:
    """The model, which reads as many tokens of a product as the form stores; its weights are the same."""
    found = copy.deepcopy(model)
    found.plan = replace(model.plan, n_product=form.n_product or model.plan.n_product)
    return found


def judge(run: Run, model: SplitModel, some: Mapping[str, Form], *, work: Path) -> dict[str, Judged]:
    """Store the catalogue in each form, and judge its ranking of valid.

    Args:
        work: a folder for the stores.
    """
    _, tokenizer = models.described(run.stage("student"))
    texts, valid = run.catalogue.products["text"][:], run.setting.valid
    queries, products = valid["query"][:], valid["product"][:]
    pairs = list(zip(queries, products, strict=True))
    found, reference = {}, None
    for number, (name, form) in enumerate(some.items()):
        how = {"precision": form.precision, "query_precision": form.query_precision}
        folder = in_split.make(work / str(number), model=of_form(model, form), tokenizer=tokenizer, texts=texts, **how)
        ranker = runtimes.open_ranker(folder, runtime="split", threads=1, max_tokens=run.profile.max_tokens)
        scores = ranker.score(pairs)
        reference = reference or Dataset.from_dict({"query": queries, "product": products, "score": scores})
        agrees = agreement.rank_agreement(ranker, reference)
        quality = metrics.evaluate(valid, scores, top_gain=run.catalogue.top_gain)
        n_bytes = (folder / in_split.SIDES).stat().st_size
        found[name] = Judged(form, quality, agrees, ranker.store.bytes_per_product, n_bytes)
    return found


@dataclass(frozen=True)
class Compared:
    """Forms beside the student whole."""

    judged: Mapping[str, Judged]
    student: Quality
    n_resamples: int

    @cached_property
    def shares(self) -> dict[str, Interval]:
        """The share of the student's NDCG@10 that each form keeps."""
        return {
            name: metrics.pooled_share([(one.quality, self.student)], n_resamples=self.n_resamples)
            for name, one in self.judged.items()
        }

    def smallest(self, *, keeps: float) -> str:
        """The form of the fewest bytes a product that keeps this share; ValueError where none does."""
        enough = [name for name in self.judged if self.shares[name].mean >= keeps]
        if not enough:
            raise ValueError(f"no form keeps {keeps:.0%}; train the split model longer, or store more numbers")
        return min(enough, key=lambda name: (self.judged[name].bytes_per_product, self.judged[name].model_bytes))

    def table(self) -> pd.DataFrame:
        """A row a form."""
        return tables.from_rows(
            {
                "form": name,
                "bytes a product": f"{one.bytes_per_product:,.0f}",
                "query's part, MB": f"{one.model_bytes / 1e6:.1f}",
                "rank correlation with fp32": f"{one.agreement:.4f}",
                "of the student's NDCG@10": _share(self.shares[name]),
            }
            for name, one in self.judged.items()
        )


def _share(share: Interval) -> str:
    return f"{share.mean:.1%} [{share.low:.1%}, {share.high:.1%}]"
