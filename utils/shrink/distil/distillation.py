"""Training a student on its teacher's scores, and then on labels.

The pairs come from `scored_pairs`, what is copied is in `distil_losses`, and where a student begins in `students`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.data.unjudged import NO_LABEL
from utils.rank import lists, training
from utils.rank.lists import Lists
from utils.rank.setting import Budget, Setting
from utils.rank.training import Task
from utils.shrink.distil.distil_losses import loss_named
from utils.shrink.distil.matching import Match, matched


def distil(
    student: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    scored: Dataset,
    setting: Setting,
    budget: Budget,
    loss: str = "logit_mse",
    label_weight: float = 0.0,
    match: Match | None = None,
) -> list[dict]:
    """Train `student` in place on lists of scored pairs; the best state by NDCG@10 on some queries of `valid` is kept.

    Args:
        tokenizer: the student's own, which may know fewer tokens than the teacher's.
        scored: as `scored_pairs.score` gives it.
        loss: a name in `distil_losses.LOSSES`.
        label_weight: α of the mixture α · labels + (1 − α) · scores; at 0 the labels in `scored` are not looked at, at
            1 the scores are not. Pairs without a label add nothing to the first part.
        match: what else to copy, of the teacher's inside; None: scores alone.

    Returns:
        The trainer's log, as that of `training.fine_tune`.

    Raises:
        ValueError: the loss is unknown, `scored` has no scores, or a weight that is no share.

    Source of the mixture: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015,
    https://arxiv.org/abs/1503.02531
    """
    if not 0 <= label_weight <= 1:
        raise ValueError(f"label_weight is {label_weight}; give a share from 0 to 1")
    loss_of_lists = partial(list_loss, score_loss=loss_named(loss), label_weight=label_weight)
    _check(scored)
    drawn = draw(scored, tokenizer=tokenizer, setting=setting, budget=budget)
    inside = matched(student, match=match, loss=loss_of_lists) if match else nullcontext(loss_of_lists)
    with inside as whole_loss:
        collated = partial(collate, tokenizer=tokenizer)
        task = Task(drawn, collate=collated, loss=whole_loss, reads_all_tokens=match is not None)
        return training.fit(student, task=task, tokenizer=tokenizer, setting=setting, budget=budget)


def draw(scored: Dataset, *, tokenizer: PreTrainedTokenizerBase, setting: Setting, budget: Budget) -> Lists:
    """The lists of a distillation: the same for every loss and every mixture of one seed and length."""
    rng, groups = random.Random(setting.seed), {}
    for row, group in enumerate(scored["group"][:]):
        groups.setdefault(group, []).append(row)
    if "gain" not in scored.column_names:
        scored = scored.add_column("gain", [NO_LABEL] * len(scored))
    keep = ("gain", "score")
    encoded = lists.encode(scored, tokenizer=tokenizer, max_tokens=setting.max_tokens, keep=keep)
    rows = lists.share_out(list(groups.values()), n_lists=budget.n_lists, rng=rng)
    rows = lists.by_length(rows, n_tokens=encoded["n_tokens"][:], lists_per_step=budget.lists_per_step, rng=rng)
    return Lists(encoded, rows=rows)


def collate(some: Sequence[Mapping[str, list]], *, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """As `lists.collate`, but `labels` (n_lists, list_size, 2) holds the teacher's scores and the gains."""
    batch = lists.collate(some, tokenizer=tokenizer, learned="score")
    return batch | {"labels": torch.stack([batch["labels"], lists.filled(some, "gain")], dim=-1)}


def finish_on_labels(
    student: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting, budget: Budget
) -> bool:
    """Fine-tune a distilled student in place on labelled pairs of the train split.

    The teacher's scores hold its mistakes as well, and labels are what a ranking is judged by. Where they do harm the
    student stays as it was (`training.improve`).

    Returns:
        Whether the labels changed the student.
    """
    _, is_changed = training.improve(student, tokenizer=tokenizer, setting=setting, budget=budget)
    return is_changed


def list_loss(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    num_items_in_batch=None,
    *,
    score_loss: Callable[[Tensor, Tensor], Tensor],
    label_weight: float = 0.0,
) -> Tensor:
    """α · labels + (1 − α) · scores on a batch of lists.

    Args:
        outputs: `logits` (n_pairs, 1), one list after the other.
        labels: (n_lists, list_size, 2), the teacher's scores and the gains, as `collate` makes them.
        score_loss: of two tensors (n_lists, list_size), as those of `distil_losses`.
        label_weight: α.
    """
    wanted, gains = labels.unbind(dim=-1)
    logits = outputs["logits"][:, 0].float()
    scores = torch.full_like(wanted, -torch.inf).masked_scatter(torch.isfinite(wanted), logits)
    loss = (1 - label_weight) * score_loss(scores, wanted) if label_weight < 1 else logits.new_zeros(())
    return loss + label_weight * training.loss_of_lists(scores, gains) if label_weight else loss


def _check(scored: Dataset) -> None:
    if "score" not in scored.column_names:
        raise ValueError("scored has no column 'score'; let the teacher score the pairs with scored_pairs.score")
    if not len(scored):
        raise ValueError("scored has no pairs; let the teacher score some with scored_pairs.score")
