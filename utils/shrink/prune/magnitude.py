"""Unstructured pruning: the smallest weights of the encoder's linear layers become zero, each where it stands.

No matrix shrinks, so a dense runtime does the same work; what zeros are worth on disk and in sparse products is the
subject of `sparsity`. Embeddings, normalization, biases and the head are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

SCOPES = ("global", "layer")


def zero_smallest(model: PreTrainedModel, *, sparsity: float, scope: str) -> PreTrainedModel:
    """Set the smallest weights to zero, in place and in one shot.

    Args:
        sparsity: the share of the weights that is zero afterwards, from 0 to below 1; more stay zero if more are.
        scope: `layer` takes this share of every matrix, `global` of all matrices together, so that one with small
            weights loses more.

    Raises:
        ValueError: another scope, or a sparsity outside its range.

    Source: Han, Pool, Tran, Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015,
    https://arxiv.org/abs/1506.02626
    """
    _check(sparsity=sparsity, scope=scope)
    weights = [linear.weight for linear in linear_layers(model).values()]
    for group in [weights] if scope == "global" else [[weight] for weight in weights]:
        _zero_smallest(group, sparsity=sparsity)
    return model


def linear_layers(model: PreTrainedModel) -> dict[str, nn.Linear]:
    """The matrices that are pruned, by name: those of the encoder's attention and feed-forward parts."""
    parts = model.base_model.encoder.named_modules()
    return {name: module for name, module in parts if isinstance(module, nn.Linear)}


def sparsity_of(model: PreTrainedModel) -> float:
    """The share of zeros among the weights that `prune` looks at."""
    weights = [linear.weight for linear in linear_layers(model).values()]
    n_zero = sum(weight.numel() - int(torch.count_nonzero(weight)) for weight in weights)
    return n_zero / sum(weight.numel() for weight in weights)


def cubic_sparsity(step: int, *, n_steps: int, final: float) -> float:
    """The sparsity of a gradual schedule after `step` of `n_steps` steps: fast at first, slow where it hurts.

    Source: Zhu, Gupta, "To prune, or not to prune", 2017, https://arxiv.org/abs/1710.01878
    """
    return final * (1 - (1 - min(step, n_steps) / n_steps) ** 3)


@contextmanager
def held(model: PreTrainedModel) -> Iterator[None]:
    """Train within this block, and the weights that are zero at its beginning are zero at its end and all the while."""
    masks = _masks(model)
    with _before_forward(model, lambda: _apply(model, masks)):
        yield
    _apply(model, masks)


@contextmanager
def gradual(model: PreTrainedModel, *, sparsity: float, scope: str, n_steps: int, every: int = 5) -> Iterator[None]:
    """Train within this block, and the smallest weights go little by little, what is gone stays gone.

    The share follows `cubic_sparsity` over the first `n_steps` training steps; it is raised once in `every` steps.
    When training ends sooner, the rest goes at the end of the block, in one shot. Whoever keeps the best state of
    several evaluations would keep one from before the end: evaluate once.

    Raises:
        ValueError: as `prune`, or fewer than one step.
    """
    _check(sparsity=sparsity, scope=scope)
    if n_steps < 1 or every < 1:
        raise ValueError(f"n_steps is {n_steps} and every is {every}; both must be at least 1")
    step, masks = 0, _masks(model)

    def advance() -> None:
        nonlocal step, masks
        _apply(model, masks)
        if model.training:
            step += 1
            if step <= n_steps and (step % every == 0 or step == n_steps):
                zero_smallest(model, sparsity=cubic_sparsity(step, n_steps=n_steps, final=sparsity), scope=scope)
                masks = _masks(model)

    with _before_forward(model, advance):
        yield
    _apply(model, masks)
    zero_smallest(model, sparsity=sparsity, scope=scope)


def _zero_smallest(weights: list[Tensor], *, sparsity: float) -> None:
    """Exactly that share of all these weights together. Multiplying by a mask would leave negative zeros, whose sign
    bit a bit-exact format stores.
    """
    sizes = [weight.numel() for weight in weights]
    n_zero = round(sparsity * sum(sizes))
    magnitude = torch.cat([weight.detach().abs().flatten() for weight in weights])
    keep = torch.ones(len(magnitude), dtype=torch.bool, device=magnitude.device)
    keep[magnitude.topk(n_zero, largest=False).indices] = False
    with torch.no_grad():
        for weight, mask in zip(weights, keep.split(sizes), strict=True):
            weight.masked_fill_(~mask.view_as(weight), 0.0)


def _masks(model: PreTrainedModel) -> dict[str, Tensor]:
    """False where a weight is zero."""
    return {name: linear.weight.detach() != 0 for name, linear in linear_layers(model).items()}


def _apply(model: PreTrainedModel, masks: Mapping[str, Tensor]) -> None:
    """Zero again what an optimizer has moved: its momentum goes on after a gradient has stopped."""
    with torch.no_grad():
        for name, linear in linear_layers(model).items():
            linear.weight.masked_fill_(~masks[name].to(linear.weight.device), 0.0)


@contextmanager
def _before_forward(model: PreTrainedModel, action: Callable[[], None]) -> Iterator[None]:
    hook = model.register_forward_pre_hook(lambda module, inputs: action())
    try:
        yield
    finally:
        hook.remove()


def _check(*, sparsity: float, scope: str) -> None:
    if scope not in SCOPES:
        raise ValueError(f"scope '{scope}' is not one of {', '.join(SCOPES)}")
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity is {sparsity}; give the share of zeros, from 0 to below 1")
