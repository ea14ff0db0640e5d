"""The steps of a recipe applied to models in memory and to a stage's folder, one function for each.

The notebooks show what each step does and then call it, and so does the pipeline: both make the same stages.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils import disk
from utils.rank import lists, training
from utils.rank.ranker import Ranker
from utils.rank.setting import Budget, Setting
from utils.shrink.distil import distillation, scored_pairs, second_start, students
from utils.shrink.prune import depth, vocabulary
from utils.shrink.quantize import calibration, int8_onnx, int8_openvino
from utils.shrink.recipe import Recipe, Shape

N_LISTS = 32  # train lists on which importance is measured


def prune(
    teacher: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, setting: Setting
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A copy of the teacher cut to the recipe's shape and recovered by a short fine-tune, with the tokenizer of it."""
    small = copy.deepcopy(teacher)
    tokenizer = cut_vocabulary(small, tokenizer=tokenizer, setting=setting)
    batches = importance_batches(tokenizer, setting=setting)
    layers = depth.most_missed(small, batches, n_kept=recipe.pruned.n_layers)
    pruned = cut(small, tokenizer=tokenizer, layers=layers, shape=recipe.pruned, setting=setting)
    budget = Budget.of_recovery(setting.profile, learning_rate=recipe.recovery_rate)
    training.fine_tune(pruned, tokenizer=tokenizer, setting=setting, budget=budget)
    return pruned, tokenizer


def cut_vocabulary(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting
) -> PreTrainedTokenizerBase:
    """Keep the tokens of the catalogue and of the train queries, and the positions of the profile's limit, in place.

    The log's queries count: what shoppers typed is known also where nobody judged it.
    """
    texts = [*setting.catalogue.products["text"], *setting.catalogue.train_queries()]
    tokenizer = vocabulary.keep_tokens(model, tokenizer, keep=vocabulary.kept_tokens(tokenizer, texts))
    vocabulary.prune_positions(model, max_tokens=setting.max_tokens)
    return tokenizer


def cut(
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    layers: Sequence[int],
    shape: Shape,
    setting: Setting,
) -> PreTrainedModel:
    """A copy of the model with these layers; heads and neurons stay by their importance on train."""
    batches = importance_batches(tokenizer, setting=setting)
    return students.start_student(model, layers=layers, n_heads=shape.n_heads, d_ff=shape.d_ff, batches=batches)


def importance_batches(tokenizer: PreTrainedTokenizerBase, *, setting: Setting) -> list[dict[str, Tensor]]:
    """The train lists on which importance is measured, one a batch."""
    limits = {"max_tokens": setting.max_tokens, "n_lists": N_LISTS, "seed": setting.seed}
    return lists.judged_batches(setting.train, tokenizer=tokenizer, **limits)


def score_pairs(
    folder: Path, *, teacher_hash: str, ranker: Callable[[], Ranker], recipe: Recipe, setting: Setting
) -> Dataset:
    """The pairs that the student learns from, with the teacher's scores, kept in `folder`."""
    n_unlabelled = recipe.n_unlabelled_pairs or setting.profile.n_unlabelled_pairs
    pairs = scored_pairs.draw(setting.catalogue, n_unlabelled=n_unlabelled, seed=setting.seed)
    return scored_pairs.kept_or_scored(
        folder, pairs=pairs, teacher_hash=teacher_hash, data_hash=setting.catalogue.hash, ranker=ranker
    )


def start_student(
    pruned: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, setting: Setting
) -> PreTrainedModel:
    """A copy of the pruned model, or of the recipe's other start, cut to the shape of its student, not yet trained."""
    whole, shape = pruned, recipe.student
    if recipe.start == "paraphrase":
        whole = second_start.paraphrase_minilm(tokenizer, max_tokens=setting.max_tokens, seed=setting.seed)
    n_layers = whole.config.num_hidden_layers
    layers = students.kept_layers(n_layers, n_kept=shape.n_layers, which=recipe.layers)
    return cut(whole, tokenizer=tokenizer, layers=layers, shape=shape, setting=setting)


def copy_scores(
    student: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, scored: Dataset, recipe: Recipe, setting: Setting
) -> list[dict]:
    """Train the student in place on its teacher's scores, for as long as the recipe says; returns the trainer's log."""
    budget = Budget.of_distillation(setting.profile, n_pairs=recipe.n_distil_pairs, learning_rate=recipe.learning_rate)
    return distillation.distil(
        student,
        tokenizer=tokenizer,
        scored=scored,
        setting=setting,
        budget=budget,
        loss=recipe.loss,
        label_weight=recipe.label_weight,
    )


def finish_on_labels(
    student: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, setting: Setting
) -> bool:
    """Fine-tune the student in place on labels where they help, unless the recipe leaves that out; whether it did."""
    if recipe.n_label_pairs == 0:
        return False
    budget = Budget.of_labels(setting.profile, n_pairs=recipe.n_label_pairs, learning_rate=recipe.label_learning_rate)
    return distillation.finish_on_labels(student, tokenizer=tokenizer, setting=setting, budget=budget)


def quantize(folder: Path, *, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, setting: Setting) -> None:
    """Put int8 in the place of the two fp32 graphs in a stage's folder, when the recipe says so."""
    if recipe.precision == "fp32":
        return
    of_onnx, of_openvino = folder / "onnx" / "model.onnx", folder / "openvino" / "openvino_model.xml"
    pairs = calibration.draw(setting.catalogue, n_pairs=setting.profile.n_calibration_pairs, seed=setting.seed)
    batches = calibration.batches(
        pairs, catalogue=setting.catalogue, tokenizer=tokenizer, max_tokens=setting.max_tokens
    )
    options = int8_openvino.WAYS[recipe.for_openvino]
    int8_openvino.save(int8_openvino.static(of_openvino, batches=batches, options=options), of_openvino)
    with disk.scratch(folder / "int8") as work:
        made = int8_onnx.static(of_onnx, work / "model.onnx", batches=batches, method=recipe.for_onnx)
        os.replace(made, of_onnx)
