"""Training steps on a device: how many a second, in which precision, compiled or not; and that the loss does fall.

The course's trainings are in `utils.rank.training`; here only their step is timed.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from utils.speed.gpu import precision as precisions
from utils.speed.gpu.device import Device

LEARNING_RATE = 5e-5


@dataclass(frozen=True)
class Steps:
    """Steps a second after those that warm up, and the loss of the first and of the last step."""

    per_s: float
    first_loss: float
    last_loss: float


def measure(
    model: PreTrainedModel,
    batch: Mapping[str, Tensor],
    *,
    targets: Tensor,
    device: Device,
    precision: str,
    change: Callable[[nn.Module], nn.Module] | None = None,
    n_warm: int = 5,
    n_timed: int = 20,
    clock: Callable[[], float] = time.perf_counter,
) -> Steps:
    """Train a copy of the model on one batch, again and again, and time the steps.

    Weights and their updates stay fp32; products are in the precision. So no loss needs scaling, for fp16 is refused.

    Args:
        batch: input_ids, attention_mask, token_type_ids, (n_pairs, n_tokens).
        targets: (n_pairs,), that the scores shall become.
        change: such as a compiler.

    Raises:
        ValueError: fp16, whose gradients would need a loss that is scaled.
    """
    if precision == "fp16":
        raise ValueError("training in fp16 needs a scaled loss, or its gradients become 0; train in bf16")
    trained = copy.deepcopy(model).to(device.torch).train()
    step_model = change(trained) if change else trained
    optimizer = torch.optim.AdamW(trained.parameters(), lr=LEARNING_RATE)
    sent, wanted = device.send(batch), targets.to(device.torch)
    dtype = precisions.STORED[precisions.known(precision)]

    def step() -> Tensor:
        with torch.autocast(device.kind, dtype=dtype, enabled=dtype != torch.float32):
            scores = step_model(**sent).logits[:, 0]
        loss = nn.functional.mse_loss(scores.float(), wanted)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    with precisions.products_in(precision):
        losses = [step() for _ in range(n_warm)]
        device.wait()
        start = clock()
        losses += [step() for _ in range(n_timed)]
        device.wait()
        seconds = clock() - start
    return Steps(n_timed / seconds, losses[0].item(), losses[-1].item())
