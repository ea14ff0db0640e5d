"""A recipe: the chain of cuts that turns a teacher into the ranker that is shipped, as data, and each step applied.

The notebooks take the same steps one by one and show what each of them does. What is written to disk, and how a result
is judged, is not decided here.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from datasets import Dataset
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from utils import disk, settings
from utils.data.catalogue import Catalogue
from utils.rank import training
from utils.rank.ranker import Ranker
from utils.settings import Profile
from utils.shrink.distil import distillation, scored_pairs
from utils.shrink.distil.distil_losses import loss_named
from utils.shrink.prune import vocabulary
from utils.shrink.quantize import calibration, int8_onnx, int8_openvino

RECIPES = settings.DATA / "recipes"
RECOVERY_RATE = 1e-4  # of the short fine-tune after the first cut
N_LISTS = 32  # train lists on which importance is measured


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Strict):
    """What stays of an encoder: layers, heads of each layer, neurons of each feed-forward part."""

    n_layers: int = Field(ge=1)
    n_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1)

    @classmethod
    def of(cls, config: PretrainedConfig) -> Shape:
        """The shape that a configuration describes, whose layers all have the same number of heads."""
        n_heads = config.num_attention_heads - len(config.pruned_heads.get(0, []))
        return cls(n_layers=config.num_hidden_layers, n_heads=n_heads, d_ff=config.intermediate_size)


class Recipe(_Strict):
    """One chain, from the teacher to the quantized student. A field left None is the profile's.

    Attributes:
        pruned: the shape of the first cut, which is recovered on labels; of its layers the first ones stay.
        student: the shape of what is distilled, started from the pruned model.
        layers: which layers of the pruned model the student keeps, as in `distillation.kept_layers`.
        loss: a name in `distil_losses.LOSSES`.
        n_unlabelled_pairs, n_distil_pairs: as in `settings.Profile`.
        learning_rate: of the distillation.
        n_label_pairs: as in `settings.Profile`; 0 leaves the fine-tune on labels out.
        label_learning_rate: of that fine-tune.
        precision: of what is shipped, for OpenVINO and for ONNX Runtime.
    """

    name: str = Field(default="default", pattern="^[a-z0-9_]+$")
    pruned: Shape = Shape(n_layers=6, n_heads=6, d_ff=384)
    student: Shape = Shape(n_layers=3, n_heads=3, d_ff=192)
    layers: Literal["first", "spread"] = "first"
    loss: str = "list_net"
    n_unlabelled_pairs: int | None = Field(default=None, ge=1)
    n_distil_pairs: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=distillation.LEARNING_RATE, gt=0)
    n_label_pairs: int | None = Field(default=None, ge=0)
    label_learning_rate: float = Field(default=distillation.LEARNING_RATE, gt=0)
    precision: Literal["fp32", "int8"] = "int8"

    @field_validator("loss")
    @classmethod
    def _loss_is_known(cls, name: str) -> str:
        loss_named(name)
        return name

    @model_validator(mode="after")
    def _student_fits_into_the_pruned(self) -> Recipe:
        for name in Shape.model_fields:
            small, large = getattr(self.student, name), getattr(self.pruned, name)
            if small > large:
                raise ValueError(f"student.{name} is {small}, more than the {large} of pruned, from which it starts")
        return self


@dataclasses.dataclass(frozen=True)
class Setting:
    """What every step of a recipe works with."""

    catalogue: Catalogue
    profile: Profile
    seed: int
    log_folder: Path


def named(name: str) -> Recipe:
    """The recipe called `name`: the default, or that of the file `data/recipes/<name>.json`.

    Raises:
        ValueError: there is no such recipe (names the known ones), or its file holds none (names the problem).
    """
    files = {path.stem: path for path in sorted(RECIPES.glob("*.json"))}
    if name == Recipe().name:
        return Recipe()
    if name not in files:
        raise ValueError(f"recipe '{name}' is not one of {', '.join((Recipe().name, *files))}")
    try:
        recipe = Recipe.model_validate_json(files[name].read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{files[name]}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from None
    if recipe.name != name:
        raise ValueError(f"{files[name]}: its name is '{recipe.name}'; call it '{name}', as the file")
    return recipe


def make_pruned(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, recipe: Recipe, setting: Setting
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Cut the teacher's vocabulary and positions, in place, then layers, heads and neurons of a copy, which a short
    fine-tune recovers; gives that copy and the tokenizer of both.
    """
    tokenizer = cut_vocabulary(teacher, tokenizer, setting=setting)
    pruned = cut(teacher, tokenizer, shape=recipe.pruned, layers="first", setting=setting)
    training.fine_tune(
        pruned,
        tokenizer=tokenizer,
        train=setting.catalogue.pairs["train"],
        profile=dataclasses.replace(setting.profile, n_train_pairs=setting.profile.n_recovery_pairs),
        learning_rate=RECOVERY_RATE,
        **_judged(setting),
    )
    return pruned, tokenizer


def cut_vocabulary(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, setting: Setting
) -> PreTrainedTokenizerBase:
    """Keep the tokens of the catalogue and of the train queries, and the positions of the profile's limit, in place."""
    texts = [*setting.catalogue.products["text"], *setting.catalogue.pairs["train"]["query"]]
    tokenizer = vocabulary.keep_tokens(teacher, tokenizer, keep=vocabulary.kept_tokens(tokenizer, texts))
    vocabulary.prune_positions(teacher, max_tokens=setting.profile.max_tokens)
    return tokenizer


def cut(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, shape: Shape, layers: str, setting: Setting
) -> PreTrainedModel:
    """A copy of the model cut to a shape: layers by `kept_layers`, heads and neurons by their importance on train."""
    lists = training.draw_lists(setting.catalogue.pairs["train"], n_lists=N_LISTS, seed=setting.seed)
    return distillation.start_student(
        model,
        layers=distillation.kept_layers(model.config.num_hidden_layers, n_kept=shape.n_layers, which=layers),
        n_heads=shape.n_heads,
        d_ff=shape.d_ff,
        batches=[training.collate([one], tokenizer=tokenizer, max_tokens=setting.profile.max_tokens) for one in lists],
    )


def teach(
    folder: Path, *, teacher_hash: str, ranker: Callable[[], Ranker], recipe: Recipe, setting: Setting
) -> Dataset:
    """The pairs that the student learns from, with the teacher's scores, kept in `folder`."""
    n_unlabelled = recipe.n_unlabelled_pairs or setting.profile.n_unlabelled_pairs
    pairs = scored_pairs.pairs(setting.catalogue, n_unlabelled=n_unlabelled, seed=setting.seed)
    hashes = {"teacher_hash": teacher_hash, "data_hash": setting.catalogue.hash}
    return scored_pairs.taught(folder, pairs=pairs, ranker=ranker, **hashes)


def make_student(
    pruned: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, taught: Dataset, recipe: Recipe, setting: Setting
) -> PreTrainedModel:
    """A student of the recipe's shape, cut from the pruned model and taught on the teacher's scores, then on labels."""
    student = cut(pruned, tokenizer, shape=recipe.student, layers=recipe.layers, setting=setting)
    common = {"tokenizer": tokenizer, "profile": setting.profile} | _judged(setting)
    distillation.distil(
        student,
        taught=taught,
        loss=recipe.loss,
        learning_rate=recipe.learning_rate,
        n_pairs=recipe.n_distil_pairs,
        **common,
    )
    if recipe.n_label_pairs != 0:
        distillation.finish_on_labels(
            student,
            train=setting.catalogue.pairs["train"],
            learning_rate=recipe.label_learning_rate,
            n_pairs=recipe.n_label_pairs,
            **common,
        )
    return student


def make_quantized(folder: Path, *, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, setting: Setting) -> None:
    """Put int8 in the place of the two fp32 graphs in a stage's folder, when the recipe says so: ranges by min-max."""
    if recipe.precision == "fp32":
        return
    of_onnx, of_openvino = folder / "onnx" / "model.onnx", folder / "openvino" / "openvino_model.xml"
    pairs = calibration.draw(setting.catalogue, n_pairs=setting.profile.n_calibration_pairs, seed=setting.seed)
    limits = {"tokenizer": tokenizer, "max_tokens": setting.profile.max_tokens}
    batches = calibration.batches(pairs, catalogue=setting.catalogue, **limits)
    int8_openvino.save(int8_openvino.static(of_openvino, batches=batches), of_openvino)
    with disk.scratch(folder / "int8") as work:
        os.replace(int8_onnx.static(of_onnx, work / "model.onnx", batches=batches), of_onnx)


def _judged(setting: Setting) -> dict:
    """What every training is told beside its pairs: where it is judged, its seed, where its log goes."""
    return {
        "valid": setting.catalogue.pairs["valid"],
        "top_gain": setting.catalogue.top_gain,
        "seed": setting.seed,
        "log_folder": setting.log_folder,
    }
