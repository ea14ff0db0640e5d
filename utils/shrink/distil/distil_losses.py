"""What a student is asked to copy of its teacher: scores, margins, shares or order of a list, and what happens inside.

Losses of scores take two tensors (n_lists, list_size), the student's and the teacher's, in which short lists are filled
with -inf; filled places count for nothing. Losses of the inside take the states of two models on one batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 2.0


def logit_mse(student_scores: Tensor, teacher_scores: Tensor) -> Tensor:
    """Mean squared difference of the scores themselves: every score counts alone, its level too.

    Source: Ba, Caruana, "Do Deep Nets Really Need to be Deep?", NeurIPS 2014, https://arxiv.org/abs/1312.6184
    """
    real = torch.isfinite(teacher_scores)
    return functional.mse_loss(student_scores[real], teacher_scores[real])


def margin_mse(student_scores: Tensor, teacher_scores: Tensor) -> Tensor:
    """Mean squared difference of the margins: of s_i - s_j and t_i - t_j, over all pairs of products of one list.

    A constant added to all scores of a list changes nothing. The paper takes one good and one bad product for each
    query; here every two products of a list.

    Source: Hofstätter et al., "Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
    Distillation", 2020, https://arxiv.org/abs/2010.02666
    """
    two = _pairs(teacher_scores)
    return _mean(
        functional.mse_loss(_margins(student_scores)[two], _margins(teacher_scores)[two], reduction="sum"), two
    )


def rank_net(student_scores: Tensor, teacher_scores: Tensor) -> Tensor:
    """log(1 + exp(-(s_i - s_j))) for every pair that the teacher scores t_i > t_j: its order counts, no margin does.

    Source: Burges et al., "Learning to Rank using Gradient Descent", ICML 2005,
    https://doi.org/10.1145/1102351.1102363
    """
    ordered = _pairs(teacher_scores) & (_margins(teacher_scores) > 0)
    return _mean(functional.softplus(-_margins(student_scores)[ordered]).sum(), ordered)


def list_net(student_scores: Tensor, teacher_scores: Tensor) -> Tensor:
    """Cross-entropy of the two softmaxes over a list; the mean over lists.

    It is `kl_over_list` at temperature 1 plus the teacher's entropy, which no student changes: the gradient is one.

    Source: Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML 2007,
    https://doi.org/10.1145/1273496.1273513
    """
    log_shares = _log_shares(student_scores, teacher_scores)
    return -(torch.softmax(teacher_scores, dim=1) * log_shares).sum(dim=1).mean()


def kl_over_list(student_scores: Tensor, teacher_scores: Tensor, *, temperature: float = TEMPERATURE) -> Tensor:
    """Kullback-Leibler divergence of the student's softmax over a list from the teacher's; the mean over lists.

    Scores are divided by `temperature` first, so that products below the best count for more; the result is multiplied
    by its square, which keeps the size of the gradient.

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015,
    https://arxiv.org/abs/1503.02531
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it divides the scores and must be above 0")
    log_shares = _log_shares(student_scores / temperature, teacher_scores)
    wanted = torch.softmax(teacher_scores / temperature, dim=1)
    return temperature**2 * functional.kl_div(log_shares, wanted, reduction="batchmean")


def hidden_mse(student_hidden: Tensor, teacher_hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean squared difference of two layers' outputs on the real tokens.

    Args:
        student_hidden, teacher_hidden: (n_pairs, n_tokens, d_model).
        attention_mask: (n_pairs, n_tokens), 1 for a real token.

    Raises:
        ValueError: the two have different shapes.

    Source: Jiao et al., "TinyBERT", 2020, https://arxiv.org/abs/1909.10351 (there with a projection between widths)
    """
    if student_hidden.shape != teacher_hidden.shape:
        found = f"{tuple(student_hidden.shape)} and {tuple(teacher_hidden.shape)}"
        raise ValueError(
            f"hidden states of shapes {found} cannot be compared; use relation_kl, which needs no equal width"
        )
    real = attention_mask.bool()
    return functional.mse_loss(student_hidden[real], teacher_hidden[real])


def relation_kl(
    student_vectors: Tensor, teacher_vectors: Tensor, attention_mask: Tensor, *, n_relation_heads: int
) -> Tensor:
    """How differently two models relate the tokens of a pair to one another, whatever their widths.

    Vectors (the queries, keys or values of a layer) are cut into heads; each head's products of two tokens' vectors,
    divided by the root of their width, go through a softmax. The result is the divergence of the student's from the
    teacher's, the mean over real tokens and heads.

    Args:
        student_vectors, teacher_vectors: (n_pairs, n_tokens, d), d may differ.
        attention_mask: (n_pairs, n_tokens), 1 for a real token.

    Raises:
        ValueError: a width is not a multiple of `n_relation_heads`.

    Source: Wang et al., "MiniLM", NeurIPS 2020, https://arxiv.org/abs/2002.10957, and "MiniLMv2", 2021,
    https://arxiv.org/abs/2012.15828, which has relation heads
    """
    student = _relations(student_vectors, attention_mask, n_heads=n_relation_heads)
    teacher = _relations(teacher_vectors, attention_mask, n_heads=n_relation_heads)
    divergence = functional.kl_div(student, teacher, reduction="none", log_target=True)
    real = attention_mask.bool()
    inside = real[:, None, :, None] & real[:, None, None, :]
    return divergence.masked_fill(~inside, 0.0).sum() / (n_relation_heads * real.sum())


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "logit_mse": logit_mse,
    "margin_mse": margin_mse,
    "kl_over_list": kl_over_list,
    "rank_net": rank_net,
    "list_net": list_net,
}


def loss_named(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of scores called `name`; ValueError naming the known ones otherwise."""
    if name not in LOSSES:
        raise ValueError(f"loss '{name}' is not one of {', '.join(LOSSES)}")
    return LOSSES[name]


def _margins(scores: Tensor) -> Tensor:
    """(n_lists, list_size, list_size): score i less score j, 0 where one of them is filling."""
    finite = scores.masked_fill(~torch.isfinite(scores), 0.0)
    return finite[:, :, None] - finite[:, None, :]


def _pairs(scores: Tensor) -> Tensor:
    """(n_lists, list_size, list_size): true for two different real places, in both orders."""
    real = torch.isfinite(scores)
    itself = torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    return real[:, :, None] & real[:, None, :] & ~itself


def _mean(total: Tensor, counted: Tensor) -> Tensor:
    """0 where nothing is counted, as in lists of one product."""
    return total / counted.sum().clamp(min=1)


def _log_shares(student_scores: Tensor, teacher_scores: Tensor) -> Tensor:
    """The student's log softmax over the real places, 0 elsewhere, where the teacher's share is 0 as well."""
    real = torch.isfinite(teacher_scores)
    return torch.log_softmax(student_scores, dim=1).masked_fill(~real, 0.0)


def _relations(vectors: Tensor, attention_mask: Tensor, *, n_heads: int) -> Tensor:
    """(n_pairs, n_heads, n_tokens, n_tokens): log softmax over the real tokens."""
    n_pairs, n_tokens, width = vectors.shape
    if width % n_heads:
        raise ValueError(f"vectors of width {width} cannot be cut into {n_heads} relation heads; give a divisor of it")
    heads = vectors.reshape(n_pairs, n_tokens, n_heads, width // n_heads).transpose(1, 2)
    products = (heads @ heads.transpose(2, 3)).float() / (width // n_heads) ** 0.5
    lowest = torch.finfo(products.dtype).min
    return torch.log_softmax(products.masked_fill(~attention_mask.bool()[:, None, None, :], lowest), dim=-1)
