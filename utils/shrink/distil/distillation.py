"""Training a student on its teacher's scores. The pairs come from `teaching`, what is copied is in `distil_losses`.

A list here is one query with some of its pairs, judged or not. Lists of similar length are batched together, since
short texts in a batch with long ones are mostly padding.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from utils.rank import models, ranker, training
from utils.rank.training import LIST_SIZE
from utils.settings import Profile
from utils.shrink.distil.distil_losses import loss_named
from utils.shrink.distil.matching import Match, matched
from utils.shrink.prune import pruning

LEARNING_RATE = 5e-4
WHICH_LAYERS = ("first", "spread")
JUDGED_TIMES = 4  # as many queries of valid as early stopping looks at, times this, decide whether labels helped
SORTED_TOGETHER = 16  # batches whose lists are sorted by length with each other


def start_student(
    model: PreTrainedModel,
    *,
    layers: Sequence[int],
    n_heads: int | None = None,
    d_ff: int | None = None,
    batches: Iterable[Mapping[str, Tensor]] = (),
) -> PreTrainedModel:
    """A student that begins as some layers of a model, with its most important heads and neurons; a copy.

    Args:
        layers: those that stay, counted from 0.
        n_heads, d_ff: heads of a layer and width of its feed-forward part; None leaves them as they are.
        batches: lists of train pairs, as `training.collate` makes them, by which importance is measured, in the student
            as it is after each cut before.

    Source: Sun et al., "Patient Knowledge Distillation for BERT Model Compression", EMNLP 2019,
    https://arxiv.org/abs/1908.09355 (which starts the student from layers of the teacher)
    """
    there = model.config.num_hidden_layers
    if not layers or not set(layers) <= set(range(there)) or len(set(layers)) < len(layers):
        raise ValueError(f"layers {list(layers)} cannot be kept of {there}; name some from 0 to {there - 1}, each once")
    student = models.keep_layers(copy.deepcopy(model), layers=list(layers))
    batches = list(batches)
    if n_heads is not None:
        importance = pruning.head_importance(student, batches)
        pruning.cut_heads(student, n_heads=n_heads, importance=importance)
    if d_ff is not None:
        importance = pruning.neuron_importance(student, batches)
        pruning.cut_neurons(student, d_ff=d_ff, importance=importance)
    return student.eval()


def kept_layers(n_layers: int, *, n_kept: int, which: str = "first") -> list[int]:
    """Numbers of the layers, counted from 0, that stay when `n_kept` of `n_layers` do.

    Args:
        which: "first" drops the last ones; "spread" takes layers at equal distances, the first and the last among them
            (one alone: the first), so that what a fine-tune taught the last one stays.

    Raises:
        ValueError: there are not so many, or `which` is neither.

    Source: Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models", 2023,
    https://arxiv.org/abs/2004.03844 (which drops from the top, among other ways)
    """
    if not 1 <= n_kept <= n_layers:
        raise ValueError(f"{n_kept} of {n_layers} layers cannot be kept; give a number from 1 to {n_layers}")
    if which not in WHICH_LAYERS:
        raise ValueError(f"which is '{which}'; layers are kept by one of {', '.join(WHICH_LAYERS)}")
    if which == "first":
        return list(range(n_kept))
    return [round(place) for place in np.linspace(0, n_layers - 1, n_kept)]


def from_scratch(config: PretrainedConfig, *, seed: int) -> PreTrainedModel:
    """A student of that shape with random weights, for contrast; `config` is left as it is."""
    return models.build_untrained(copy.deepcopy(config), seed=seed)


def distil(
    student: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    taught: Dataset,
    valid: Dataset,
    profile: Profile,
    seed: int,
    log_folder: Path,
    top_gain: int,
    loss: str = "logit_mse",
    learning_rate: float = LEARNING_RATE,
    n_pairs: int | None = None,
    batch_size: int | None = None,
    match: Match | None = None,
) -> list[dict]:
    """Train `student` in place on about `n_pairs` pairs (None: `profile.n_distil_pairs`), all epochs together.

    The labels in `taught` are not looked at. The best state by NDCG@10 on the first queries of `valid` is kept.

    Args:
        tokenizer: the student's own, which may know fewer tokens than the teacher's.
        taught: as `teaching.teach` gives it.
        loss: a name in `distil_losses.LOSSES`.
        batch_size: pairs of a step; None: twice `profile.batch_size`, for a student is smaller than its teacher.
        match: what else to copy, of the teacher's inside; None: scores alone.

    Returns:
        The trainer's log, as that of `training.fine_tune`.

    Raises:
        ValueError: the loss is unknown, `taught` has no scores, or `batch_size` is smaller than a list.
    """
    loss_of_lists = partial(list_loss, score_loss=loss_named(loss))
    batch_size = batch_size or 2 * profile.batch_size
    _check(taught, batch_size=batch_size)
    steps = {"n_steps": max(1, (n_pairs or profile.n_distil_pairs) // batch_size)}
    steps |= {"lists_per_step": batch_size // LIST_SIZE, "seed": seed}
    encoded = _encoded(taught, tokenizer=tokenizer, max_tokens=profile.max_tokens)
    judge = partial(training.evaluate_ndcg10, tokenizer=tokenizer, max_tokens=profile.max_tokens, top_gain=top_gain)
    inside = matched(student, match=match, loss=loss_of_lists) if match else nullcontext(loss_of_lists)
    with inside as whole_loss:
        return training.fit(
            student,
            lists=draw_lists(encoded, **steps),
            collate=partial(collate, tokenizer=tokenizer),
            loss=whole_loss,
            valid=valid,
            judge=judge,
            profile=profile,
            **steps,
            log_folder=log_folder,
            learning_rate=learning_rate,
            trainer_class=_InOrder,
        )


def finish_on_labels(
    student: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    train: Dataset,
    valid: Dataset,
    profile: Profile,
    seed: int,
    log_folder: Path,
    top_gain: int,
    learning_rate: float = LEARNING_RATE,
    n_pairs: int | None = None,
) -> bool:
    """Fine-tune a distilled student in place on about `n_pairs` labelled pairs (None: `profile.n_label_pairs`).

    The teacher's scores hold its mistakes as well, and labels are what a ranking is judged by. Where labels are few or
    poor they can do harm, so the student stays as it was unless NDCG@10 on some queries of `valid` has risen.

    Args:
        train, valid: judged pairs, as in `Catalogue.pairs`. Batches are as large as those of `distil`.

    Returns:
        Whether the labels changed the student.
    """
    limits = {"tokenizer": tokenizer, "max_tokens": profile.max_tokens, "top_gain": top_gain}
    some = training.first_queries(valid, n_queries=JUDGED_TIMES * profile.n_stop_queries)
    judge = partial(training.evaluate_ndcg10, student, pairs=some, **limits)
    before, state = judge(), copy.deepcopy(student.state_dict())
    sizes = {"n_train_pairs": n_pairs or profile.n_label_pairs, "batch_size": 2 * profile.batch_size}
    training.fine_tune(
        student,
        tokenizer=tokenizer,
        train=train,
        valid=valid,
        profile=dataclasses.replace(profile, **sizes),
        seed=seed,
        log_folder=log_folder,
        top_gain=top_gain,
        learning_rate=learning_rate,
    )
    if judge() > before:
        return True
    student.load_state_dict(state)
    return False


def _check(taught: Dataset, *, batch_size: int) -> None:
    if "score" not in taught.column_names:
        raise ValueError("taught has no column 'score'; let the teacher score the pairs with teaching.teach")
    if not len(taught):
        raise ValueError("taught has no pairs; let the teacher score some with teaching.teach")
    if batch_size < LIST_SIZE:
        raise ValueError(f"batch_size is {batch_size}; a list alone has up to {LIST_SIZE} pairs")


class Lists(torch.utils.data.Dataset):
    """Lists in the order of training: entry i holds the columns of the pairs in `rows`[i]."""

    def __init__(self, pairs: Dataset, *, rows: Sequence[Sequence[int]]) -> None:
        self.columns = {name: pairs[name][:] for name in pairs.column_names}  # plain lists: looked up at every step
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, list]:
        return {name: [values[row] for row in self.rows[i]] for name, values in self.columns.items()}


class _InOrder(training.JudgedTrainer):
    """Lists come in the order they have, since neighbours were chosen to have one length."""

    def _get_train_sampler(self, train_dataset=None):
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)


def draw_lists(encoded: Dataset, *, n_steps: int, lists_per_step: int, seed: int) -> Lists:
    """Lists of at most LIST_SIZE pairs of one group, every pair once before one comes again, and then in other lists.

    Each `lists_per_step` of them are a batch of similar length; batches come in random order of length.

    Args:
        encoded: a row for every pair, with `group` and `n_tokens`.
    """
    rng, n_lists = random.Random(seed), n_steps * lists_per_step
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(encoded["group"][:]):
        groups.setdefault(group, []).append(row)
    drawn: list[list[int]] = []
    while len(drawn) < n_lists:
        lists = [one for rows in groups.values() for one in _split(rng.sample(rows, len(rows)))]
        drawn += rng.sample(lists, min(len(lists), n_lists - len(drawn)))
    n_tokens = encoded["n_tokens"][:]
    longest = [max(n_tokens[row] for row in rows) for rows in drawn]
    step, chunk = lists_per_step, SORTED_TOGETHER * lists_per_step
    ordered: list[list[int]] = []
    for start in range(0, len(drawn), chunk):
        here = sorted(range(start, min(start + chunk, len(drawn))), key=lambda i: longest[i])
        batches = [here[at : at + step] for at in range(0, len(here), step)]
        rng.shuffle(batches)
        ordered += [drawn[i] for batch in batches for i in batch]
    columns = [name for name in encoded.column_names if name not in ("group", "n_tokens")]
    return Lists(encoded.select_columns(columns), rows=ordered)


def collate(lists: Sequence[Mapping[str, list]], *, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """All pairs of some lists as one padded batch (n_pairs, n_tokens), and `labels` (n_lists, list_size).

    The labels are the teacher's scores, short lists filled with -inf.
    """
    columns = {name: [value for one in lists for value in one[name]] for name in lists[0] if name != "score"}
    scores = [torch.tensor(one["score"], dtype=torch.float32) for one in lists]
    filled = torch.nn.utils.rnn.pad_sequence(scores, batch_first=True, padding_value=-torch.inf)
    return dict(tokenizer.pad(columns, return_tensors="pt")) | {"labels": filled}


def list_loss(
    outputs: Mapping[str, Tensor],
    labels: Tensor,
    num_items_in_batch=None,
    *,
    score_loss: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """A loss of scores on a batch of lists: `logits` (n_pairs, 1) one list after the other, `labels` as `collate`'s."""
    logits = outputs["logits"][:, 0].float()
    scores = torch.full_like(labels, -torch.inf).masked_scatter(torch.isfinite(labels), logits)
    return score_loss(scores, labels)


def _split(rows: Sequence[int]) -> list[list[int]]:
    """Rows in as few parts of at most LIST_SIZE as there can be, of one size or one apart."""
    n_parts = -(-len(rows) // LIST_SIZE)
    return [[int(row) for row in part] for part in np.array_split(rows, n_parts)]


def _encoded(taught: Dataset, *, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Dataset:
    """The pairs as the student's tokens, in memory, with `group`, `score` and their number of tokens."""

    def encode(batch: dict) -> dict[str, list]:
        texts = list(zip(batch["query"], batch["product"], strict=True))
        columns = ranker.encode(tokenizer, texts, max_tokens=max_tokens)
        return columns | {"n_tokens": [len(ids) for ids in columns["input_ids"]]}

    dropped = [name for name in taught.column_names if name not in ("group", "score")]
    return taught.map(
        encode, batched=True, batch_size=4096, remove_columns=dropped, keep_in_memory=True, new_fingerprint="encoded"
    )
