"""A student that is computed in two parts, the query's and the product's, which meet late.

The lower layers see query and product apart. So a product's states are the same for every query, and can be made
before anybody asks; the parts meet in the upper layers, in a sum over tokens, or in one product of two vectors.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertConfig, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from utils.edge.split_plan import Split
from utils.rank import first_token
from utils.rank.first_token import MASKED

__all__ = ["Part", "Split", "SplitConfig", "SplitModel", "best_matches", "plain_fields", "split"]

TOKENS_LOOKED_AT = 4096  # of the vocabulary, by which a projection begins


class Part(NamedTuple):
    """One side of some pairs: vectors (n_texts, n_vectors, d), and which of them are real, (n_texts, n_vectors)."""

    states: Tensor
    mask: Tensor


class SplitConfig(BertConfig):
    """A BERT's configuration under another name, so that other tools refuse the folder and do not misread it."""

    model_type = "rank_for_less_split"


class SplitModel(nn.Module):
    """Scores pairs in one pass, as a cross-encoder does, or in parts; `split` makes it.

    `forward` takes an ordinary batch, [CLS] query [SEP] product [SEP]; in its lower layers a mask keeps the two apart.
    It gives what joining `query_part` and `product_part` gives. Batches of parts are those of `encode_queries` and
    `encode_products`.

    Source: MacAvaney et al., "Efficient Document Re-Ranking for Transformers by Precomputing Term Representations"
    (PreTTR), SIGIR 2020, https://arxiv.org/abs/2004.14255 (meeting in the layers, stored states compressed); Khattab,
    Zaharia, "ColBERT", SIGIR 2020, https://arxiv.org/abs/2004.12832 (meeting token by token)
    """

    def __init__(self, student: PreTrainedModel, plan: Split) -> None:
        super().__init__()
        self.plan, bert = plan, student.base_model
        self.config = SplitConfig(**plain_fields(student.config))
        self.embeddings, self.lower = bert.embeddings, bert.encoder.layer[: plan.n_apart]
        d_model, joins = self.config.hidden_size, plan.meeting == "layers"
        self.upper = bert.encoder.layer[plan.n_apart :] if joins else nn.ModuleList()
        self.head = nn.Sequential(bert.pooler, student.classifier) if joins else None
        self.compress = nn.Linear(d_model, plan.d_stored) if plan.d_stored else nn.Identity()
        self.expand = nn.Linear(plan.d_stored, d_model) if plan.d_stored and joins else nn.Identity()
        self.weigh = nn.Linear(d_model, 1) if plan.meeting == "tokens" else None
        self.scale = nn.Parameter(torch.tensor(10.0)) if plan.meeting == "vectors" else None
        if self.weigh is not None:
            nn.init.zeros_(self.weigh.weight)
            nn.init.constant_(self.weigh.bias, 3.0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> SequenceClassifierOutput:
        """`logits` (n_pairs, 1) of an ordinary batch, each input (n_pairs, n_tokens)."""
        positions, kept = self._places(attention_mask, token_type_ids)
        apart = token_type_ids[:, None, :, None] == token_type_ids[:, None, None, :]
        hidden = self._lower(input_ids, token_type_ids, positions, seen=apart & kept[:, None, None, :])
        of_product = kept & (token_type_ids == 1)
        query, product = Part(hidden, kept & ~of_product), Part(hidden, of_product)
        if self.plan.meeting == "layers":
            hidden = torch.where(token_type_ids[:, :, None] == 1, self.expand(self.compress(hidden)), hidden)
            return SequenceClassifierOutput(logits=self._upper(hidden, kept))
        logits = self.join(self.for_query(query), self.for_product(product))
        return SequenceClassifierOutput(logits=logits[:, None])

    def query_part(self, batch: Mapping[str, Tensor]) -> Part:
        """The query's side: (n_queries, n_tokens, d), one vector a query where the meeting is "vectors"."""
        return self.for_query(self.alone(**batch))

    def product_part(self, batch: Mapping[str, Tensor]) -> Part:
        """The product's side, which is what is stored: (n_products, n_tokens, d), one vector where it is "vectors"."""
        return self.for_product(self.alone(**batch))

    def join(self, query: Part, product: Part) -> Tensor:
        """Scores (n_pairs,) of a query's side with as many products' sides; a single query meets all of them."""
        if self.plan.meeting != "layers":
            return best_matches(query, product)
        hidden = self.expand(product.states)
        n_pairs = hidden.shape[0]  # and not len(), which a traced graph would take for a constant
        joined = torch.cat([query.states.expand(n_pairs, -1, -1), hidden], dim=1)
        return self._upper(joined, torch.cat([query.mask.expand(n_pairs, -1), product.mask], dim=1))[:, 0]

    def _places(self, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        """The position of each token, and which are kept: each side's first ones, and the special token that ends it.

        Both (n_texts, n_tokens).
        """
        real, of_product = attention_mask.bool(), token_type_ids == 1
        positions, kept = torch.zeros_like(token_type_ids), torch.zeros_like(real)
        for side, room, first in ((~of_product, self.plan.n_query, 0), (of_product, self.plan.n_product, 1)):
            mine = real & side
            place = mine.long().cumsum(dim=1) - 1
            is_end = place == mine.long().sum(dim=1, keepdim=True) - 1
            positions = positions + mine.long() * (place.clamp(0, room - 1) + first * self.plan.n_query)
            kept = kept | (mine & ((place < room - 1) | is_end))
        return positions, kept

    def alone(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Part:
        positions, kept = self._places(attention_mask, token_type_ids)
        return Part(self._lower(input_ids, token_type_ids, positions, seen=kept[:, None, None, :]), kept)

    def _lower(self, input_ids: Tensor, token_type_ids: Tensor, positions: Tensor, *, seen: Tensor) -> Tensor:
        """(n_texts, n_tokens, d_model); `seen` says which token reads which, (n_texts, 1, n_tokens or 1, n_tokens)."""
        hidden = self.embeddings(input_ids=input_ids, token_type_ids=token_type_ids, position_ids=positions)
        mask = (1.0 - seen.to(hidden.dtype)) * MASKED
        for layer in self.lower:
            hidden = layer(hidden, attention_mask=mask)[0]
        return hidden

    def _upper(self, hidden: Tensor, kept: Tensor) -> Tensor:
        """Logits (n_pairs, 1); the last layer is computed for the first token alone, which is all that the head reads.

        Its four lines are those of `utils.rank.first_token`.
        """
        mask = (1.0 - kept[:, None, None, :].to(hidden.dtype)) * MASKED
        *before, last = self.upper
        for layer in before:
            hidden = layer(hidden, attention_mask=mask)[0]
        first = hidden[:, :1]
        attended = last.attention.self(first, attention_mask=mask, encoder_hidden_states=hidden)[0]
        attended = last.attention.output(attended, first)
        return self.head(last.output(last.intermediate(attended), attended))

    def for_product(self, part: Part) -> Part:
        if self.plan.meeting == "layers":
            return Part(self.compress(part.states), part.mask)
        states, mask = _mean(part) if self.plan.meeting == "vectors" else part
        return Part(nn.functional.normalize(self.compress(states), dim=-1), mask)

    def for_query(self, part: Part) -> Part:
        """As of a product, but times the token's weight, which is above 0 and so may stand before the maximum."""
        if self.plan.meeting == "layers":
            return part
        states, mask = self.for_product(part)
        weight = self.scale if self.plan.meeting == "vectors" else nn.functional.softplus(self.weigh(part.states))
        return Part(states * weight, mask)


def split(student: PreTrainedModel, plan: Split) -> SplitModel:
    """A copy of the student, to be computed in parts. It has to be trained: its layers have never seen texts apart.

    Raises:
        ValueError: no BERT classifier of one score, fewer layers or positions than the plan needs.
    """
    config = student.config
    if not first_token.fits(student) or config.num_labels != 1:
        raise ValueError(f"a {config.model_type} of {config.num_labels} labels; give a BERT classifier with one score")
    most = config.num_hidden_layers - (plan.meeting == "layers")
    if plan.n_apart > most:
        raise ValueError(f"n_apart is {plan.n_apart}; for '{plan.meeting}' give a number from 0 to {most}")
    if plan.n_query + plan.n_product > config.max_position_embeddings:
        raise ValueError(
            f"{plan.n_query} and {plan.n_product} tokens; the student knows {config.max_position_embeddings} positions"
        )
    model = SplitModel(copy.deepcopy(student), plan).eval()
    if plan.d_stored:
        start_projection(model)
    return model


@torch.no_grad()
def start_projection(model: SplitModel) -> None:
    """Let the projection begin, in place, with the directions in which the states of single tokens differ most.

    Its centre is their mean, so that different tokens start at about a right angle; without that all states of a BERT
    point the same way. Where layers join, the way back begins as its inverse. No text is needed.

    Raises:
        ValueError: more numbers than there are directions.
    """
    n_vocab, d_stored = model.config.vocab_size, model.plan.d_stored
    ids = torch.linspace(0, n_vocab - 1, min(n_vocab, TOKENS_LOOKED_AT)).long()[:, None]
    states, _ = model.alone(ids, torch.ones_like(ids), torch.ones_like(ids))
    centre, states = states[:, 0].mean(dim=0), states[:, 0]
    _, _, directions = torch.linalg.svd(states - centre, full_matrices=False)
    if d_stored > len(directions):
        raise ValueError(f"d_stored is {d_stored}; states differ in {len(directions)} directions, give as many at most")
    model.compress.weight.copy_(directions[:d_stored])
    model.compress.bias.copy_(-directions[:d_stored] @ centre)
    if isinstance(model.expand, nn.Linear):
        model.expand.weight.copy_(directions[:d_stored].T)
        model.expand.bias.copy_(centre)


def plain_fields(config: PretrainedConfig) -> dict:
    """What a configuration says, but for the name of its kind."""
    return {name: value for name, value in config.to_dict().items() if name != "model_type"}


def best_matches(query: Part, product: Part) -> Tensor:
    """Σ over the query's vectors of the largest product with one of the product's vectors: (n_pairs,).

    Of one vector each it is their product.
    """
    products = query.states @ product.states.transpose(1, 2)  # (n_pairs, n_query, n_product)
    best = products.masked_fill(~product.mask[:, None, :], MASKED).amax(dim=2)
    return (best * query.mask.to(best.dtype)).sum(dim=1)


def _mean(part: Part) -> Part:
    real = part.mask.to(part.states.dtype)[:, :, None]
    mean = (part.states * real).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True)
    return Part(mean, torch.ones_like(part.mask[:, :1]))
