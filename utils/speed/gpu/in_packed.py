"""PyTorch over packed batches as an engine of the course, on the CPU or on a card; `engines` registers it."""

from __future__ import annotations

from pathlib import Path

from utils.rank import models
from utils.rank.runtimes import in_pytorch
from utils.rank.runtimes.base import Runtime
from utils.speed.gpu import device as devices
from utils.speed.gpu import device_ranker, layouts
from utils.speed.gpu.device_ranker import DeviceRanker


def open_packed(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> DeviceRanker:
    """A ranker over a model folder's `model.safetensors` that multiplies no filler, in fp32."""
    model, tokenizer = models.load(folder)
    where = {"layout": layouts.packed(), "device": devices.choose(device)}
    sizes = {"threads": threads, "max_tokens": max_tokens, "batch_size": batch_size}
    return device_ranker.build(model, tokenizer=tokenizer, **where, **sizes)


RUNTIME = Runtime(
    name="pytorch_packed",
    library="torch",
    distribution="torch",
    weights=("model.safetensors",),
    open=open_packed,
    precision=in_pytorch.stored_precision,
    devices=devices.KINDS,
)
