"""Pulling what happens inside a student towards what happens inside its teacher, beside the loss of scores.

The teacher reads every batch as well, so a step costs more. It must know the student's tokens: its vocabulary is cut as
the student's was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from utils.shrink.distil.distil_losses import hidden_mse, relation_kl

KINDS = ("hidden", "relation")
Loss = Callable[..., Tensor]  # of a model's outputs and labels, as a trainer calls it


@dataclass(frozen=True)
class Match:
    """What a student copies of its teacher beside the scores.

    Attributes:
        teacher: reads the same token ids as the student.
        layers: for each layer of the student the teacher's layer that it copies, counted from 0.
        kind: "hidden", the output of every layer (one width for both models); or "relation", how the queries, keys and
            values of the last layer relate the tokens to one another (any widths).
        weight: of this loss; that of the scores has 1.
        n_relation_heads: must divide the width of the queries in both models.
    """

    teacher: PreTrainedModel
    layers: tuple[int, ...]
    kind: str = "hidden"
    weight: float = 1.0
    n_relation_heads: int = 4


@contextmanager
def matched(student: PreTrainedModel, *, match: Match, loss: Loss) -> Iterator[Loss]:
    """Within the block, `loss` plus the weighted difference of what happens inside the two models on the same batch.

    Raises:
        ValueError: an unknown kind, a layer that the teacher lacks, or another number of them than the student has;
            models of different vocabularies.
    """
    _check(student, match=match)
    own = range(student.config.num_hidden_layers)
    with (
        _watched(student, _places(student, layers=own, kind=match.kind)) as seen,
        _watched(match.teacher.eval(), _places(match.teacher, layers=match.layers, kind=match.kind)) as wanted,
    ):

        def both(outputs, labels: Tensor, num_items_in_batch=None) -> Tensor:
            batch = seen["batch"]
            with torch.no_grad():
                match.teacher.to(labels.device)(**batch)
            states = list(zip(seen["states"], wanted["states"], strict=True))
            differences = [_difference(match, mine, its, batch["attention_mask"]) for mine, its in states]
            return loss(outputs, labels) + match.weight * torch.stack(differences).mean()

        yield both


def _difference(match: Match, mine: Tensor, its: Tensor, attention_mask: Tensor) -> Tensor:
    if match.kind == "hidden":
        return hidden_mse(mine, its, attention_mask)
    return relation_kl(mine, its, attention_mask, n_relation_heads=match.n_relation_heads)


def _places(model: PreTrainedModel, *, layers, kind: str) -> list[nn.Module]:
    """The modules whose outputs are compared."""
    encoder = model.base_model.encoder.layer
    if kind == "hidden":
        return [encoder[number] for number in layers]
    attention = encoder[list(layers)[-1]].attention.self
    return [attention.query, attention.key, attention.value]


@contextmanager
def _watched(model: PreTrainedModel, places: list[nn.Module]) -> Iterator[dict]:
    """Keep the model's latest `batch` of inputs and the `states` that left each place on it."""
    seen: dict = {"batch": {}, "states": [None] * len(places)}

    def keep_batch(module, args, kwargs) -> None:
        seen["batch"] = {
            name: kwargs[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in kwargs
        }

    def keeper(number: int):
        def keep(module, args, output) -> None:
            seen["states"][number] = output[0] if isinstance(output, tuple) else output

        return keep

    handles = [model.register_forward_pre_hook(keep_batch, with_kwargs=True)]
    handles += [place.register_forward_hook(keeper(number)) for number, place in enumerate(places)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _check(student: PreTrainedModel, *, match: Match) -> None:
    if match.kind not in KINDS:
        raise ValueError(f"kind '{match.kind}' is not one of {', '.join(KINDS)}")
    n_own, n_its = student.config.num_hidden_layers, match.teacher.config.num_hidden_layers
    if len(match.layers) != n_own or not set(match.layers) <= set(range(n_its)):
        raise ValueError(f"layers {match.layers}: name a layer from 0 to {n_its - 1} for each of the student's {n_own}")
    own, its = student.config.vocab_size, match.teacher.config.vocab_size
    if own != its:
        raise ValueError(
            f"the student knows {own:,} tokens and the teacher {its:,}, so one id means two things; "
            "cut the teacher's vocabulary as the student's was (vocabulary.keep_tokens)"
        )
