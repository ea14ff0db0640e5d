"""A BERT cross-encoder over packed rows: the model's own layers, and no filler to multiply."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PreTrainedModel

from utils.rank.first_token import fits
from utils.speed.gpu.attention import Segments, attend


class PackedClassifier(nn.Module):
    """Scores as `model` does, whose weights it shares, but takes the tokens of all pairs in one row.

    Everything but attention works on each token alone, so it does not mind where a pair ends.
    """

    def __init__(self, model: PreTrainedModel):
        """ValueError where the model is no BERT classifier."""
        super().__init__()
        if not fits(model):
            raise ValueError(
                f"PackedClassifier: a {model.config.model_type} names its parts in another way than BERT; "
                "give a BERT classifier, or score it padded"
            )
        self.embeddings, self.pooler = model.base_model.embeddings, model.base_model.pooler
        self.layers, self.head = model.base_model.encoder.layer, model.classifier

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, position_ids: Tensor, segments: Segments) -> Tensor:
        """Logits (n_pairs, n_labels) of a packed row; the three tensors are (n_real,)."""
        found = self.embeddings(
            input_ids=input_ids[None], token_type_ids=token_type_ids[None], position_ids=position_ids[None]
        )
        hidden = found[0]  # (n_real, d_model)
        for layer in self.layers:
            hidden = _through(layer, hidden, segments=segments)
        first = hidden[segments.cu_seqlens[:-1].long()]  # (n_pairs, d_model): the token that is read
        return self.head(self.pooler.activation(self.pooler.dense(first)))


def _through(layer: nn.Module, hidden: Tensor, *, segments: Segments) -> Tensor:
    """What a layer makes of a packed row (n_real, d_model)."""
    own = layer.attention.self
    by_head = (part(hidden).unflatten(-1, (own.num_attention_heads, -1)) for part in (own.query, own.key, own.value))
    gathered = attend(*by_head, segments=segments).flatten(1)
    attended = layer.attention.output(gathered, hidden)
    return layer.output(layer.intermediate(attended), attended)
