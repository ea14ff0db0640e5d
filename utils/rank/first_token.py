"""A BERT cross-encoder without the work that nobody reads: its last layer, computed for the first token alone.

The head reads one vector, that of `[CLS]`. In the last layer the other tokens are therefore needed as keys and values
and for nothing else: no query, no output projection, no feed-forward. The scores stay the same; plain `transformers`
has no switch for it, so exported graphs are built this way, and trainings and their looks at valid run this way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn
from transformers import PreTrainedModel

MASKED = -1e4  # exp() of it is 0 in fp32; the usual -3.4e38 would spoil the ranges that static int8 measures


class FirstTokenOnly(nn.Module):
    """Scores as `model` does; takes input_ids, attention_mask and token_type_ids, each (n_pairs, n_tokens)."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.embeddings, self.pooler = model.base_model.embeddings, model.base_model.pooler
        *self_before, self.last = model.base_model.encoder.layer
        self.before, self.head = nn.ModuleList(self_before), model.classifier

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor):
        """Logits (n_pairs, n_labels)."""
        hidden = self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)  # (n_pairs, n_tokens, d_model)
        mask = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * MASKED  # added to the attention scores
        for layer in self.before:
            hidden = layer(hidden, attention_mask=mask)[0]
        return self.head(self.pooler(_first_token(self.last, hidden, mask)))


@contextmanager
def computed_alone(model: PreTrainedModel) -> Iterator[None]:
    """Within the block the model computes its last layer for the first token alone, in training too.

    Scores and gradients stay the same. Another model than those that `fits` knows is left as it is.
    """
    last = model.base_model.encoder.layer[-1] if fits(model) else None
    if last is None or "forward" in vars(last):  # or it is so already
        yield
        return
    last.forward = partial(_forward, last)
    try:
        yield
    finally:
        del last.forward  # the one of its class is there again


def _forward(layer: nn.Module, hidden: Tensor, attention_mask: Tensor | None = None, *_, **__) -> tuple[Tensor]:
    """As a layer is called by its encoder; the mask (n_pairs, 1, n_tokens, n_tokens) has a row for every token."""
    return (_first_token(layer, hidden, attention_mask if attention_mask is None else attention_mask[:, :, :1]),)


def _first_token(layer: nn.Module, hidden: Tensor, mask: Tensor | None) -> Tensor:
    """What a layer makes of the first token: (n_pairs, 1, d_model)."""
    first = hidden[:, :1]
    attended = layer.attention.self(first, attention_mask=mask, encoder_hidden_states=hidden)[0]
    attended = layer.attention.output(attended, first)
    return layer.output(layer.intermediate(attended), attended)


def fits(model: PreTrainedModel) -> bool:
    """Whether the model is one that this module knows: a BERT classifier that reads the first token."""
    return model.config.model_type == "bert" and model.base_model.pooler is not None
