"""A model folder stored with bitmaps: `sparse/weights.safetensors`, from which the same weights come back to the bit.

It is a way of storing, not of running: loaded, the weights are dense again and run in every runtime as before. Every
tensor that is smaller as a bitmap and its values is stored so, the others as they are. A checksum over the weights is
in the file, and whatever does not give it is refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from utils import disk
from utils.rank import models, runtimes
from utils.shrink.sparsify import sparsity

WEIGHTS = Path("sparse") / "weights.safetensors"
FORMAT, VERSION = "rank-for-less-bitmap", "1"
AGAIN = "make it again with sparse_folder.pack(folder)"


def pack(folder: Path) -> Path:
    """Write `sparse/weights.safetensors` from a folder's `model.safetensors`, whole or not at all; returns its path."""
    weights = load_file(folder / "model.safetensors")
    stored: dict[str, torch.Tensor] = {}
    shapes: dict[str, list[int]] = {}
    for name, tensor in weights.items():
        bits, values = sparsity.to_bitmap(tensor)
        if bits.nbytes + values.nbytes < tensor.nbytes:
            stored |= {f"{name}:bits": bits, f"{name}:values": values}
            shapes[name] = list(tensor.shape)
        else:
            stored[name] = tensor
    facts = {"format": FORMAT, "version": VERSION, "shapes": json.dumps(shapes), "sha256": checksum(weights)}
    path = folder / WEIGHTS
    path.parent.mkdir(exist_ok=True)
    with disk.whole_file(path) as new:
        save_file(stored, new, metadata=facts)
    return path


def read(folder: Path) -> dict[str, torch.Tensor]:
    """The weights by name, the same to the bit as those that were packed.

    Raises:
        FileNotFoundError: there is no such file. ValueError: it is not one of ours, of another version, or damaged.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: {WEIGHTS.as_posix()} is missing; make it with sparse_folder.pack(folder)")
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dictionary
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name}: cut short, damaged, or no safetensors file ({error}); {AGAIN}") from None
    if facts.get("format") != FORMAT:
        raise ValueError(f"{path.name}: was not written by sparse_folder.pack (no format '{FORMAT}'); {AGAIN}")
    if facts.get("version") != VERSION:
        raise ValueError(f"{path.name}: is of version {facts.get('version')}, here {VERSION}; {AGAIN}")
    try:
        weights = _unpacked(stored, shapes=json.loads(facts["shapes"]))
        same = checksum(weights) == facts["sha256"]
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path.name}: damaged: {error}; {AGAIN}") from None
    if not same:
        raise ValueError(f"{path.name}: damaged: the weights are not those that were packed; {AGAIN}")
    return weights


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model (eval mode, float32) and tokenizer of a folder that need not hold `model.safetensors`.

    Raises:
        FileNotFoundError: a file is missing. ValueError: a file is damaged, the model gives more than one score, or the
            weights are not those of this configuration.
    """
    _require(folder)
    weights = read(folder)
    config, tokenizer = models.described(folder)
    model = AutoModelForSequenceClassification.from_config(config).float()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{WEIGHTS.name}: its weights do not fit config.json ({reason}); {AGAIN}") from None
    return model.eval(), tokenizer


def unpack(folder: Path, *, to: Path) -> Path:
    """Write the plain model folder `to`, which other tools load: `model.safetensors`, configuration, tokenizer.

    Raises:
        FileNotFoundError, ValueError: as `load`.
    """
    _require(folder)
    weights = read(folder)
    with disk.whole_folder(to) as partial:
        for path in shipped_files(folder):
            if path != folder / WEIGHTS:
                shutil.copy2(path, partial / path.name)
        save_file(weights, partial / "model.safetensors", metadata={"format": "pt"})
    return to


def shipped_files(folder: Path) -> list[Path]:
    """The files somebody must ship to run this folder from its sparse storage."""
    dense = [folder / name for name in runtimes.named("pytorch").weights]
    plain = [path for path in runtimes.shipped_files(folder, runtime="pytorch") if path not in dense]
    return [folder / WEIGHTS, *plain]


def weights_hash(folder: Path) -> str:
    """sha256 of the packed weights, the first 16 hexadecimal digits: the identity of what is stored."""
    return disk.sha256(folder / WEIGHTS)[:16]


def checksum(weights: Mapping[str, torch.Tensor]) -> str:
    """sha256 over names, types, shapes and bits of all weights, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _unpacked(stored: dict[str, torch.Tensor], *, shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    weights = dict(stored)
    for name, shape in shapes.items():
        bits, values = weights.pop(f"{name}:bits"), weights.pop(f"{name}:values")
        weights[name] = sparsity.from_bitmap(bits, values, shape=tuple(shape))
    return weights


def _require(folder: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder}: {name} is missing, so this is not a model folder; make it again")
