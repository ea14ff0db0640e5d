"""Each lever of a recipe alone on the teacher, to lay the product of what they leave beside what the chain left.

Only costs are compared here. What a lever costs in quality shows after training, which each would need for itself.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from math import prod
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.rank import models, runtimes
from utils.rank.setting import Setting
from utils.shrink import steps
from utils.shrink.distil import students
from utils.shrink.recipe import Recipe

Costs = Mapping[str, float]


def apply_each_alone(teacher: Path, *, recipe: Recipe, setting: Setting, work: Path) -> dict[str, Path]:
    """Model folders under `work`, each the teacher with one lever of the recipe, ready for every runtime.

    The levers are "vocabulary", "heads and neurons", "layers", "int8". What is cut is not trained again:
    these models have a cost, and no quality that would mean anything.
    """
    model, tokenizer = models.load(teacher)
    n_layers, student = model.config.num_hidden_layers, recipe.student
    every = list(range(n_layers))
    narrow = steps.cut(model, tokenizer=tokenizer, layers=every, shape=student, setting=setting)
    small = copy.deepcopy(model)
    cut_tokenizer = steps.cut_vocabulary(small, tokenizer=tokenizer, setting=setting)
    kept = students.kept_layers(n_layers, n_kept=student.n_layers, which=recipe.layers)
    shallow = students.start_student(model, layers=kept)
    made = {
        "vocabulary": (small, cut_tokenizer),
        "heads and neurons": (narrow, tokenizer),
        "layers": (shallow, tokenizer),
    }
    folders = {
        name: _save(lever, tokenizer=tokens, folder=work / name, setting=setting)
        for name, (lever, tokens) in made.items()
    }
    folders["int8"] = Path(shutil.copytree(teacher, work / "int8", dirs_exist_ok=True))
    steps.quantize(folders["int8"], tokenizer=tokenizer, recipe=recipe, setting=setting)
    return folders


def remaining_shares(costs: Mapping[str, Costs], *, of: Costs) -> dict[str, dict[str, float]]:
    """What each lever leaves of every cost, as a share of `of`, and "all, multiplied", the product over the levers.

    Args:
        costs: for each lever its costs by name, such as bytes or MACs; `of` has the same names.
    """
    shares = {lever: {name: found[name] / of[name] for name in of} for lever, found in costs.items()}
    product = {name: prod(share[name] for share in shares.values()) for name in of}
    return shares | {"all, multiplied": product}


def _save(model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, folder: Path, setting: Setting) -> Path:
    models.save(model, tokenizer=tokenizer, folder=folder, max_tokens=setting.max_tokens)
    runtimes.export_onnx(folder)
    runtimes.export_openvino(folder)
    return folder
