"""A ranker on a device: encode, put into batches, send, multiply, and read all scores back at the end, once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.rank.ranker import Pair, encode
from utils.rank.runtimes import torch_threads
from utils.speed.gpu import precision as precisions
from utils.speed.gpu.device import Device
from utils.speed.gpu.layouts import Batch, Encoded, Layout


@dataclass
class DeviceRanker:
    """A ranker whose model stands on a device.

    Attributes:
        module: computes a batch of the layout; its weights are on the device.
        precision: that products are computed in.
        threads: that the CPU may use while it computes; a card does not mind.
    """

    tokenizer: PreTrainedTokenizerBase
    module: nn.Module
    layout: Layout
    device: Device
    precision: str = "fp32"
    max_tokens: int = 96
    batch_size: int = 32
    threads: int = 1

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """As `Ranker.score`; ValueError where a score is not finite."""
        return self.score_encoded(self.encode(pairs))

    def encode(self, pairs: Sequence[Pair]) -> Encoded:
        """The tokens of each pair: the part of the work that stays on the host."""
        return encode(self.tokenizer, pairs, max_tokens=self.max_tokens)

    def score_encoded(self, encoded: Encoded) -> np.ndarray:
        """Scores (n_pairs,) of pairs whose tokens are known."""
        return self.score_batches(self.layout.batches(encoded, batch_size=self.batch_size))

    def score_batches(self, batches: Iterable[tuple[np.ndarray, Batch]]) -> np.ndarray:
        """Scores (n_pairs,) of batches and their rows, which together are 0 to n_pairs - 1.

        Nothing waits for the device before the last batch is under way: a card multiplies one while the host makes the
        next.
        """
        rows, scores = [], []
        with torch_threads(self.threads), torch.no_grad(), precisions.products_in(self.precision):
            for own_rows, batch in batches:
                rows.append(own_rows)
                scores.append(self._score(batch))
            if not rows:
                return np.empty(0, dtype=np.float32)
            found = torch.cat(scores).cpu().numpy()
        ordered = np.empty(len(found), dtype=np.float32)
        ordered[np.concatenate(rows)] = found
        if not np.isfinite(ordered).all():
            place = int(np.flatnonzero(~np.isfinite(ordered))[0])
            raise ValueError(
                f"{self.layout.name} in {self.precision} on {self.device.name}: the score of pair {place} is "
                f"{ordered[place]}; a number has left the range of {self.precision}, so compute in bf16 or fp32"
            )
        return ordered

    def _score(self, batch: Batch) -> Tensor:
        sent = replace(batch, tensors=self.device.send(batch.tensors))
        return self.layout.forward(self.module, sent)[:, 0].float().clone()  # a graph's output is overwritten


def build(
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    device: Device,
    precision: str = "fp32",
    max_tokens: int,
    batch_size: int = 32,
    threads: int = 1,
    change: Callable[[nn.Module], nn.Module] | None = None,
) -> DeviceRanker:
    """A ranker over a copy of the model, cast and put on the device.

    Args:
        change: what else happens to the module there, such as a compiler or a quantizer.

    Raises:
        ValueError: an unknown precision, or a model that the layout cannot compute.
    """
    module = layout.module(precisions.cast(model, precision).to(device.torch).eval())
    module = change(module) if change else module
    sizes = {"max_tokens": max_tokens, "batch_size": batch_size, "threads": threads}
    return DeviceRanker(copy.deepcopy(tokenizer), module, layout, device, precision, **sizes)
