"""The grid of distillation: losses at one shape; shapes with the loss of the default recipe and with labels alone.

Every student starts from the same pruned stage and has the same number of steps and of lists; two more have as many as
the long run of the recipe's student, to show what that does for the teacher's scores and for labels; and two as many as
all of the recipe, which ends on labels. A cell that is recorded and whose code has not changed since is not made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import environment
from utils.course import fingerprint, pipeline
from utils.course.records import recorded_grid
from utils.course.records.recorded_grid import LABELS, LONG, WHOLE, Cell, method
from utils.course.run import Run
from utils.measure import cost, ledger
from utils.rank import models, runtimes, training
from utils.rank.metrics import Quality
from utils.rank.ranker import mean_tokens
from utils.shrink import recipe as recipes
from utils.shrink.distil import distillation, matching
from utils.shrink.distil.distil_losses import LOSSES
from utils.shrink.distil.matching import Match
from utils.shrink.recipe import Recipe, Shape

MATCHES = matching.KINDS
BASE = Recipe().student
WIDTHS = ((6, 384), (BASE.n_heads, BASE.d_ff))
DEPTHS = (6, 4, 3, 2, 1)
SHORTER = 4  # times fewer pairs than the recipe's student sees


def cells() -> list[tuple[str, Shape]]:
    """(loss, shape) of every cell: each loss at one shape; every shape on labels and with the default recipe's loss.

    These two are also taught long and whole, at the one shape.
    """
    shapes = [Shape(n_layers=n, n_heads=heads, d_ff=d_ff) for heads, d_ff in WIDTHS for n in DEPTHS]
    by_loss = [(loss, BASE) for loss in (*LOSSES, *MATCHES)]
    pair = (LABELS, Recipe().loss)
    by_shape = [(loss, shape) for shape in shapes for loss in pair]
    longer = [(loss + length, BASE) for length in (LONG, WHOLE) for loss in pair]
    return list(dict.fromkeys([*by_loss, *by_shape, *longer]))


def study(run: Run, *, recipe: Recipe, echo: Callable[[str], object] = print) -> list[Path]:
    """Train, judge on valid and record every cell, from the recipe's pruned stage in the run's folder."""
    work = _Work(run, recipe)
    places = []
    for loss, shape in cells():
        place = recorded_grid.path_of(**work.key, loss=loss, **shape.model_dump())
        if place.exists() and work.code in place.read_text(encoding="utf-8"):
            echo(f"{place.name}: unchanged")
        else:
            echo(f"{recorded_grid.write(work.cell(loss, shape)).name}: recorded")
        places.append(place)
    return places


class _Work:
    """What all cells of one study share: the pruned stage, the teacher's scores, and the queries they are judged on."""

    def __init__(self, run: Run, recipe: Recipe) -> None:
        self.run, self.setting = run, pipeline.setting(run)
        self.pruned, self.tokenizer = models.load(run.stage(pipeline.stage_name("pruned", recipe=recipe)))
        self.teacher, whole_tokenizer = models.load(run.stage("teacher"))
        limit, profile = run.profile.max_tokens, run.profile
        self.n_tokens = round(mean_tokens(whole_tokenizer, run.pairs("valid")[:2000], max_tokens=limit))
        self.teacher_macs = cost.macs_per_pair(self.teacher, n_tokens=self.n_tokens)
        self.teacher_ndcg10 = self._judge(self.teacher, tokenizer=whole_tokenizer).ndcg10
        self.pruned_macs = cost.macs_per_pair(self.pruned, n_tokens=self.n_tokens)
        self.pruned_ndcg10 = self._judge(self.pruned, tokenizer=self.tokenizer).ndcg10
        recipes.cut_vocabulary(self.teacher, whole_tokenizer, setting=self.setting)  # for the cells that look inside
        self.taught = pipeline.taught(run, recipe)
        self.n_pairs = recipe.n_distil_pairs or profile.n_distil_pairs
        self.n_label_pairs = profile.n_label_pairs if recipe.n_label_pairs is None else recipe.n_label_pairs
        self.key = {"dataset": run.catalogue.name, "profile": profile.name, "seed": run.seed}
        made_from = [run.stage("teacher"), run.stage(pipeline.stage_name("pruned", recipe=recipe))]
        weights = [runtimes.weights_hash(folder, runtime="pytorch") for folder in made_from]
        parts = recipe.model_dump_json(), fingerprint.code_of(__name__), run.catalogue.hash, *weights
        self.code = hashlib.sha256("".join(parts).encode()).hexdigest()

    def cell(self, loss: str, shape: Shape) -> Cell:
        """Train one student and judge it."""
        environment.seed_everything(self.run.seed)
        start = recipes.cut(self.pruned, self.tokenizer, shape=shape, layers=Recipe().layers, setting=self.setting)
        began = time.perf_counter()
        if is_whole := loss.endswith(WHOLE):
            n_pairs = self.n_pairs + self.n_label_pairs
            self._train_whole(start, loss=method(loss))
        else:
            n_pairs = self.n_pairs if loss.endswith(LONG) else self.n_pairs // SHORTER
            self._train(start, loss=method(loss), n_pairs=n_pairs)
        quality = self._judge(start, tokenizer=self.tokenizer)
        return Cell(
            **self.key,
            **shape.model_dump(),
            loss=loss,
            n_pairs=n_pairs,
            macs_per_pair=cost.macs_per_pair(start, n_tokens=self.n_tokens),
            pruned_macs_per_pair=self.pruned_macs,
            teacher_macs_per_pair=self.teacher_macs,
            ndcg10=quality.ndcg10,
            by_query=[round(value, 4) for value in quality.ndcg10_by_query.values()] if is_whole else [],
            pruned_ndcg10=self.pruned_ndcg10,
            teacher_ndcg10=self.teacher_ndcg10,
            seconds=time.perf_counter() - began,
            code=self.code,
            command="course results --grid --dataset {dataset} --seed {seed} --profile {profile}".format(**self.key),
            time_utc=ledger.now(),
            machine=self.run.machine,
            versions=ledger.versions(),
        )

    def _train(self, student: PreTrainedModel, *, loss: str, n_pairs: int, n_looks: int = 1) -> None:
        profile, train = self.run.profile, self.run.catalogue.pairs["train"]
        if loss == LABELS:
            sizes = {"n_train_pairs": n_pairs, "batch_size": 2 * profile.batch_size, "n_evaluations": n_looks}
            training.fine_tune(student, train=train, profile=dataclasses.replace(profile, **sizes), **self._common())
            return
        looked = dataclasses.replace(profile, n_evaluations=n_looks)
        how = {"loss": Recipe().loss, "match": self._match(student, loss)} if loss in MATCHES else {"loss": loss}
        distillation.distil(student, taught=self.taught, profile=looked, n_pairs=n_pairs, **how, **self._common())

    def _train_whole(self, student: PreTrainedModel, *, loss: str) -> None:
        """As the default recipe: scores, then labels, with all its looks at valid; or labels alone in as many steps."""
        profile, train = self.run.profile, self.run.catalogue.pairs["train"]
        n_pairs = self.n_pairs + (self.n_label_pairs if loss == LABELS else 0)
        self._train(student, loss=loss, n_pairs=n_pairs, n_looks=profile.n_evaluations)
        if loss != LABELS and self.n_label_pairs:
            how = {"train": train, "profile": profile, "n_pairs": self.n_label_pairs}
            distillation.finish_on_labels(student, **how, **self._common())

    def _common(self) -> dict:
        return {
            "tokenizer": self.tokenizer,
            "valid": self.run.catalogue.pairs["valid"],
            "seed": self.run.seed,
            "log_folder": self.setting.log_folder,
            "top_gain": self.run.catalogue.top_gain,
            "learning_rate": distillation.LEARNING_RATE,
        }

    def _match(self, student: PreTrainedModel, kind: str) -> Match:
        n_layers = student.config.num_hidden_layers
        layers = distillation.kept_layers(self.teacher.config.num_hidden_layers, n_kept=n_layers, which="spread")
        return Match(self.teacher, layers=tuple(layers), kind=kind)

    def _judge(self, model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase) -> Quality:
        catalogue = self.run.catalogue
        how = {"max_tokens": self.run.profile.max_tokens, "top_gain": catalogue.top_gain}
        return training.evaluate(model, pairs=catalogue.pairs["valid"], tokenizer=tokenizer, **how)
