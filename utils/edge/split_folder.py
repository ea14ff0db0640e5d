"""The folder of a split model: `split.json`, the weights, the configuration, and the tokenizer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors import torch as tensors
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, PreTrainedTokenizerBase

from utils import disk
from utils.edge.split_model import Split, SplitConfig, SplitModel, plain_fields, split
from utils.rank import models

FACTS = "split.json"
WEIGHTS = "model.safetensors"
FORMAT = "rank-for-less split 1"
AGAIN = "make it again with split_folder.save"


def save(model: SplitModel, *, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """Write the model's folder, whole or not at all; an older one is replaced."""
    with disk.whole_folder(Path(folder)) as new:
        fill(new, model=model, tokenizer=tokenizer)
    return Path(folder)


def fill(folder: Path, *, model: SplitModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write the model's files into a folder that is there."""
    (folder / WEIGHTS).write_bytes(_weights(model))
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts = {"format": FORMAT, "model_hash": weights_hash(model), "plan": asdict(model.plan)}
    disk.write_whole(folder / FACTS, disk.json_text(facts))


def load(folder: Path) -> tuple[SplitModel, PreTrainedTokenizerBase]:
    """Model (eval mode, float32) and tokenizer of a folder.

    Raises:
        ValueError: a file is missing, damaged, or not of this model; names the folder and the remedy.
    """
    folder = Path(folder)
    plan, wanted = read_plan(folder), disk.read_object(folder / FACTS)["model_hash"]
    with models.readable(folder):
        config = BertConfig(**plain_fields(SplitConfig.from_pretrained(folder)))
        model = split(AutoModelForSequenceClassification.from_config(config), plan)
        model.load_state_dict(tensors.load_file(folder / WEIGHTS))
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if weights_hash(model) != wanted:
        raise ValueError(f"{folder}: {WEIGHTS} is not the one that {FACTS} names; {AGAIN}")
    return model.eval(), tokenizer


def read_plan(folder: Path) -> Split:
    """Where the model of a folder is split; ValueError, naming the remedy, when `split.json` cannot be read."""
    facts = disk.read_object(Path(folder) / FACTS)
    try:
        if facts.get("format") != FORMAT or not isinstance(facts["model_hash"], str):
            raise KeyError("format")
        return Split(**facts["plan"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or not of format '{FORMAT}'; {AGAIN}") from None


def weights_hash(model: SplitModel) -> str:
    """The identity of a split model: sha256 of its `model.safetensors`, the first 16 hexadecimal digits.

    The plan is written into that file too, so that two plans over the same weights are two models.
    """
    return hashlib.sha256(_weights(model)).hexdigest()[:16]


def _weights(model: SplitModel) -> bytes:
    weights = {name: value.detach().float().cpu().contiguous() for name, value in model.state_dict().items()}
    return tensors.save(weights, metadata={"plan": json.dumps(asdict(model.plan), sort_keys=True)})
