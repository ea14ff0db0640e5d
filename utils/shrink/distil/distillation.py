"""Training a student on its teacher's scores, and then on labels.

The pairs come from `scored_pairs`, their lists from `student_lists`, what is copied is in `distil_losses`, and where a
student begins in `students`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from utils.rank import training
from utils.rank.setting import Budget, Setting
from utils.rank.training import Task
from utils.shrink.distil import student_lists
from utils.shrink.distil.distil_losses import loss_named
from utils.shrink.distil.matching import Match, matched

JUDGED_TIMES = 4  # as many queries of valid as early stopping looks at, times this, decide whether labels helped


def distil(
    student: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    scored: Dataset,
    setting: Setting,
    budget: Budget,
    loss: str = "logit_mse",
    match: Match | None = None,
) -> list[dict]:
    """Train `student` in place on lists of scored pairs; the best state by NDCG@10 on some queries of `valid` is kept.

    The labels in `scored` are not looked at.

    Args:
        tokenizer: the student's own, which may know fewer tokens than the teacher's.
        scored: as `scored_pairs.score` gives it.
        loss: a name in `distil_losses.LOSSES`.
        match: what else to copy, of the teacher's inside; None: scores alone.

    Returns:
        The trainer's log, as that of `training.fine_tune`.

    Raises:
        ValueError: the loss is unknown, or `scored` has no scores.
    """
    loss_of_lists = partial(list_loss, score_loss=loss_named(loss))
    _check(scored)
    encoded = student_lists.encode(scored, tokenizer=tokenizer, max_tokens=setting.max_tokens)
    lists = student_lists.draw_lists(
        encoded, n_steps=budget.n_steps, lists_per_step=budget.lists_per_step, seed=setting.seed
    )
    inside = matched(student, match=match, loss=loss_of_lists) if match else nullcontext(loss_of_lists)
    with inside as whole_loss:
        collate = partial(student_lists.collate, tokenizer=tokenizer)
        task = Task(lists=lists, collate=collate, loss=whole_loss, in_order=True)
        return training.fit(student, task=task, tokenizer=tokenizer, setting=setting, budget=budget)


def finish_on_labels(
    student: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting, budget: Budget
) -> bool:
    """Fine-tune a distilled student in place on labelled pairs of the train split.

    The teacher's scores hold its mistakes as well, and labels are what a ranking is judged by. Where labels are few or
    poor they can do harm, so the student stays as it was unless NDCG@10 on some queries of `valid` has risen.

    Returns:
        Whether the labels changed the student.
    """
    some = training.first_queries(setting.valid, n_queries=JUDGED_TIMES * setting.profile.n_stop_queries)
    judge = partial(training.evaluate_ndcg10, student, pairs=some, tokenizer=tokenizer, setting=setting)
    before, state = judge(), copy.deepcopy(student.state_dict())
    training.fine_tune(student, tokenizer=tokenizer, setting=setting, budget=budget)
    if judge() > before:
        return True
    student.load_state_dict(state)
    return False


def list_loss(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    num_items_in_batch=None,
    *,
    score_loss: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """A loss of scores on a batch of lists: `logits` (n_pairs, 1) one list after the other, and `labels` (n_lists,
    list_size) as `student_lists.collate` makes them.
    """
    logits = outputs["logits"][:, 0].float()
    scores = torch.full_like(labels, -torch.inf).masked_scatter(torch.isfinite(labels), logits)
    return score_loss(scores, labels)


def _check(scored: Dataset) -> None:
    if "score" not in scored.column_names:
        raise ValueError("scored has no column 'score'; let the teacher score the pairs with scored_pairs.score")
    if not len(scored):
        raise ValueError("scored has no pairs; let the teacher score some with scored_pairs.score")
