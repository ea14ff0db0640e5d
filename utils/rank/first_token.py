"""A BERT cross-encoder without the work that nobody reads: its last layer, computed for the first token alone.

The head reads one vector, that of `[CLS]`. In the last layer the other tokens are therefore needed as keys and values
and for nothing else: no query, no output projection, no feed-forward. The scores stay the same; plain `transformers`
has no switch for it, so only the exported graphs are built this way.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

MASKED = -1e4  # exp() of it is 0 in fp32; the usual -3.4e38 would spoil the ranges that static int8 measures


class FirstTokenOnly(nn.Module):
    """Scores as `model` does; takes input_ids, attention_mask and token_type_ids, each (n_pairs, n_tokens)."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.embeddings, self.pooler = model.base_model.embeddings, model.base_model.pooler
        *self_before, self.last = model.base_model.encoder.layer
        self.before, self.head = nn.ModuleList(self_before), model.classifier

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor):
        """Logits (n_pairs, n_labels)."""
        hidden = self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)  # (n_pairs, n_tokens, d_model)
        mask = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * MASKED  # added to the attention scores
        for layer in self.before:
            hidden = layer(hidden, attention_mask=mask)[0]
        first = hidden[:, :1]  # (n_pairs, 1, d_model)
        attended = self.last.attention.self(first, attention_mask=mask, encoder_hidden_states=hidden)[0]
        attended = self.last.attention.output(attended, first)
        return self.head(self.pooler(self.last.output(self.last.intermediate(attended), attended)))


def fits(model: PreTrainedModel) -> bool:
    """Whether the model is one that this module knows: a BERT classifier that reads the first token."""
    return model.config.model_type == "bert" and model.base_model.pooler is not None
