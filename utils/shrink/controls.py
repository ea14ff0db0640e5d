"""What a recipe is held against: labels alone, without a teacher's scores, and the teacher put in int8, untrained.

A recipe that does not beat the first one has a teacher for nothing; one that is not much cheaper than the second is
work for nothing.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import environment
from utils.data.catalogue import texts_of
from utils.rank import choosing, metrics, runtimes, training
from utils.rank.metrics import Quality
from utils.rank.setting import DROPOUT, Budget, Setting
from utils.shrink.recipe import Recipe

INT8_RUNTIMES = ("openvino", "onnxruntime")  # that the teacher is put in int8 for


def label_budgets(recipe: Recipe, setting: Setting) -> dict[str, Budget]:
    """Ways to spend on labels alone all the pairs that the recipe's student sees, scores and labels together.

    They look at `valid` as often as both parts of the recipe do.
    """
    profile = setting.profile
    of_scores = Budget.of_distillation(profile, n_pairs=recipe.n_distil_pairs)
    n_labels = profile.n_label_pairs if recipe.n_label_pairs is None else recipe.n_label_pairs
    whole = dataclasses.replace(
        of_scores, n_pairs=of_scores.n_pairs + n_labels, n_evaluations=2 * of_scores.n_evaluations
    )
    rates = (recipe.learning_rate / 4, recipe.learning_rate / 2, recipe.learning_rate)
    return {
        f"rate {rate:g}, dropout {share:g}": dataclasses.replace(whole, learning_rate=rate, dropout=share)
        for share in (DROPOUT, 0.0)
        for rate in rates
    }


def labels_alone(
    start: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, setting: Setting
) -> tuple[PreTrainedModel, str]:
    """A copy of the recipe's untrained student that learned from labels alone, and by which of `label_budgets`.

    It may take as many steps as the recipe, at the rate that suits it, and keeps its best state on `valid`. A short
    look tells rates apart. Whether few labels are learned by heart shows at the end alone, so with and without dropout
    it is trained to the end, and the better one on `valid` counts.
    """
    budgets = label_budgets(recipe, setting)
    looks = choosing.look(lambda: copy.deepcopy(start), budgets, tokenizer=tokenizer, setting=setting)
    ends: dict[str, tuple[PreTrainedModel, Quality]] = {}
    for share in dict.fromkeys(budget.dropout for budget in budgets.values()):
        name = max((one for one in looks if budgets[one].dropout == share), key=lambda one: looks[one].ndcg10)
        environment.seed_everything(setting.seed)
        student = copy.deepcopy(start)
        training.fine_tune(student, tokenizer=tokenizer, setting=setting, budget=budgets[name])
        ends[name] = student, training.evaluate_on_valid(student, tokenizer=tokenizer, setting=setting)
    chosen = max(ends, key=lambda name: ends[name][1].ndcg10)
    return ends[chosen][0], chosen


def quality_in_int8(folder: Path, *, setting: Setting) -> dict[str, Quality]:
    """Quality on `valid` of a folder with quantized graphs, in each of the engines that have one."""
    pairs, limits = setting.valid, {"threads": 1, "max_tokens": setting.max_tokens}
    found = {}
    for name in INT8_RUNTIMES:
        scores = runtimes.open_ranker(folder, runtime=name, **limits).score(texts_of(pairs))
        found[name] = metrics.evaluate(pairs, scores, top_gain=setting.top_gain)
    return found


def better_runtime(in_int8: Mapping[str, Quality]) -> str:
    """The engine in which the teacher in int8 ranks better; the first one where both are alike."""
    return max(in_int8, key=lambda name: in_int8[name].ndcg10)
