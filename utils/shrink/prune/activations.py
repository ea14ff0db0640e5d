"""What feed-forward neurons really give on some texts: how often they are on, and how much of it goes out.

No label and no gradient is looked at. Importance from gradients, and from the weights alone, is in `pruning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel

Batch = Mapping[str, Tensor]


def share_on(model: PreTrainedModel, batches: Iterable[Batch]) -> Tensor:
    """The share of tokens, padding aside, on which each neuron's activation is above 0: (n_layers, d_ff).

    Args:
        batches: lists as `lists.judged_batches` makes them, from the train split.

    Raises:
        ValueError: `batches` is empty.
    """
    return _mean_over_tokens(model, batches, of=lambda activations: (activations > 0).double())


def output_norm(model: PreTrainedModel, batches: Iterable[Batch]) -> Tensor:
    """Importance by weights and activations: the norm of what goes out times the root mean square of the activation.

    The size of a neuron's weights says what it could give; this says what it gives on these texts. (n_layers, d_ff).

    Args, Raises: as `share_on`.

    Source: Sun et al., "A Simple and Effective Pruning Approach for Large Language Models" (Wanda), ICLR 2024,
    https://arxiv.org/abs/2306.11695 (for single weights)
    """
    loudness = _mean_over_tokens(model, batches, of=lambda activations: activations.double() ** 2).sqrt()
    outgoing = [layer.output.dense.weight.norm(dim=0) for layer in model.base_model.encoder.layer]
    return loudness * torch.stack(outgoing).detach()


def _mean_over_tokens(model: PreTrainedModel, batches: Iterable[Batch], *, of: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean of `of` (n_layers, n_tokens, d_ff) over the real tokens of all batches: (n_layers, d_ff)."""
    total, n_tokens = torch.zeros(()), 0
    for batch in batches:
        found = of(_activations(model, batch))
        total = total + found.sum(dim=1)
        n_tokens += found.shape[1]
    if not n_tokens:
        raise ValueError("batches is empty; give at least one batch of train lists")
    return (total / n_tokens).float()


def _activations(model: PreTrainedModel, batch: Batch) -> Tensor:
    """What the neurons give for each real token of a batch: (n_layers, n_tokens, d_ff)."""
    seen: list[Tensor] = []
    places = [layer.output.dense for layer in model.base_model.encoder.layer]
    hooks = [place.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0])) for place in places]
    try:
        with torch.inference_mode():
            model.eval()(**{name: tensor for name, tensor in batch.items() if name != "labels"})
    finally:
        for hook in hooks:
            hook.remove()
    is_real = batch["attention_mask"].bool()  # (n_pairs, n_tokens)
    return torch.stack([activations[is_real] for activations in seen])
