"""What keeps fillers out of a padded batch: a large negative number, added to their scores before the softmax.

How large is a matter of the precision. Here a model runs with any such number, to show what a wrong one does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

MASKED = -1e4  # exp() of it is 0 in every precision of the course, and every one of them can hold it


def additive_mask(attention_mask: Tensor, *, constant: float, dtype: torch.dtype) -> Tensor:
    """What is added to the scores, (n_pairs, 1, 1, n_tokens): 0 for a token, the constant for a filler.

    In fp16 a constant beyond 65,504 becomes infinite, and a token gets 0 times infinity, which is NaN.
    """
    filler = 1 - attention_mask[:, None, None, :].to(dtype)
    return filler * torch.tensor(constant, dtype=dtype)


@torch.no_grad()
def scores(model: PreTrainedModel, batch: dict[str, Tensor], *, constant: float = MASKED) -> Tensor:
    """Scores (n_pairs,), float32, of a padded batch in the precision of the model's weights, with this mask."""
    hidden = model.base_model.embeddings(input_ids=batch["input_ids"], token_type_ids=batch["token_type_ids"])
    mask = additive_mask(batch["attention_mask"], constant=constant, dtype=hidden.dtype)
    for layer in model.base_model.encoder.layer:
        hidden = layer(hidden, attention_mask=mask)[0]
    return model.classifier(model.base_model.pooler(hidden))[:, 0].float()


def plain_softmax(scores: Tensor) -> Tensor:
    """Softmax as the formula says, without taking off the largest score first: exp() soon leaves the range."""
    exponentials = scores.exp()
    return exponentials / exponentials.sum(dim=-1, keepdim=True)
