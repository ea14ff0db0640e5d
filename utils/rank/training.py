"""Fine-tuning a cross-encoder with `transformers.Trainer` on lists: a query with some of its judged products.

The loss compares products of one query with each other, as a ranking does; the best model on `valid` is kept.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from utils import disk, environment
from utils.data.catalogue import rows_by_query, texts_of
from utils.rank import first_token, lists, metrics, mixed_precision, runtimes
from utils.rank.lists import Lists
from utils.rank.metrics import Quality
from utils.rank.setting import Budget, Setting

BETA2 = 0.98  # of Adam: with the usual 0.999 a single step could undo all that was learned, and the next one mend it


def fine_tune(
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    setting: Setting,
    budget: Budget,
    pairs: Dataset | None = None,
) -> list[dict]:
    """Train `model` in place on lists of judged pairs and keep its best state on `valid`.

    On a CUDA device where there is one; the model comes back to the CPU.

    Args:
        pairs: judged ones, as in `Catalogue.pairs`; None: all of the train split. Queries whose products are all alike
            teach nothing.

    Returns:
        The trainer's log: steps with their loss, evaluations with `eval_ndcg10`.

    A progress bar shows where it is: HTML in a notebook, text on standard error elsewhere.

    Source: Nogueira, Cho, "Passage Re-ranking with BERT", 2019, https://arxiv.org/abs/1901.04085
    """
    pairs = setting.train if pairs is None else pairs
    encoded, rng = lists.encode(pairs, tokenizer=tokenizer, max_tokens=setting.max_tokens), random.Random(setting.seed)
    groups = list(rows_by_query(pairs).values())
    drawn = lists.draw_judged(pairs["gain"][:], groups=groups, n_lists=budget.n_lists, rng=rng)
    drawn = lists.by_length(drawn, n_tokens=encoded["n_tokens"][:], lists_per_step=budget.lists_per_step, rng=rng)
    task = Task(Lists(encoded, rows=drawn), partial(lists.collate, tokenizer=tokenizer), listwise_loss)
    return fit(model, task=task, tokenizer=tokenizer, setting=setting, budget=budget)


def improve(
    model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting, budget: Budget
) -> tuple[list[dict], bool]:
    """`fine_tune` a model that can rank already, in place; it stays as it was unless NDCG@10 on valid has risen.

    Labels can be few, or poor, and then they do harm.

    Returns:
        The trainer's log, and whether the labels changed the model.
    """
    before, state = evaluate_on_valid(model, tokenizer=tokenizer, setting=setting), copy.deepcopy(model.state_dict())
    log = fine_tune(model, tokenizer=tokenizer, setting=setting, budget=budget)
    after = evaluate_on_valid(model, tokenizer=tokenizer, setting=setting)
    if after.ndcg10 > before.ndcg10:
        return log, True
    model.load_state_dict(state)
    return log, False


@dataclass(frozen=True)
class Task:
    """What is learned in a training.

    Attributes:
        lists: in the order of training; neighbours were chosen for one another.
        collate: makes a batch of some lists, with `labels` in it.
        loss: takes the model's outputs and `labels`.
        reads_all_tokens: whether it looks at what the last layer makes of every token, and not of the first alone.
    """

    lists: Lists
    collate: Callable[[Sequence[dict]], dict[str, torch.Tensor]]
    loss: Callable[..., torch.Tensor]
    reads_all_tokens: bool = False


def fit(
    model: PreTrainedModel, *, task: Task, tokenizer: PreTrainedTokenizerBase, setting: Setting, budget: Budget
) -> list[dict]:
    """Train `model` in place and keep its best state on the first queries of `valid`; returns the log.

    The loop of `fine_tune`, for whatever else learns from lists: AdamW, a learning rate that rises and falls. Weights &
    Biases is used when WANDB_PROJECT is set.
    """
    setting.log_folder.mkdir(parents=True, exist_ok=True)
    with (
        disk.scratch(setting.log_folder / "checkpoints") as checkpoints,
        dropout(model, budget.dropout),
        nullcontext() if task.reads_all_tokens else first_token.computed_alone(model),
    ):
        trainer = JudgedTrainer(
            model=model,
            args=_arguments(checkpoints, setting=setting, budget=budget),
            train_dataset=task.lists,
            eval_dataset=first_queries(setting.valid, n_queries=setting.profile.n_stop_queries),
            data_collator=task.collate,
            compute_loss_func=task.loss,
            callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
        )
        trainer.judge = partial(evaluate_ndcg10, tokenizer=tokenizer, setting=setting)
        trainer.train()
    model.to("cpu").eval()
    return trainer.state.log_history


class JudgedTrainer(Trainer):
    """A trainer whose evaluation is NDCG@10 on judged pairs, scored by the ranker that is used everywhere else.

    Steps have `mixed_precision`, evaluations have not.
    """

    judge: Callable[..., float]

    def compute_loss_context_manager(self) -> AbstractContextManager:
        return mixed_precision.autocast(self.args.device)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        found = {f"{metric_key_prefix}_ndcg10": self.judge(self.model, pairs=eval_dataset or self.eval_dataset)}
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        self.model.train()
        return found

    def _get_train_sampler(self, train_dataset=None):
        return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)


@contextmanager
def dropout(model: PreTrainedModel, share: float) -> Iterator[None]:
    """Within the block `model` drops that share of what its layers and its attention give, whenever it is in training.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014,
    https://jmlr.org/papers/v15/srivastava14a.html
    """
    names = {"p": torch.nn.Dropout, "dropout_prob": torch.nn.Module}  # the fused attention has a number, no module
    places = [
        (module, name)
        for module in model.modules()
        for name, kind in names.items()
        if isinstance(module, kind) and isinstance(getattr(module, name, None), float)
    ]
    before = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, share)
    try:
        yield
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)


def evaluate_ndcg10(
    model: PreTrainedModel, *, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, setting: Setting
) -> float:
    """NDCG@10 of a model in memory on judged pairs."""
    max_tokens, top_gain = setting.max_tokens, setting.top_gain
    return evaluate(model, pairs=pairs, tokenizer=tokenizer, max_tokens=max_tokens, top_gain=top_gain).ndcg10


def evaluate_on_valid(model: PreTrainedModel, *, tokenizer: PreTrainedTokenizerBase, setting: Setting) -> Quality:
    """Quality of a model in memory on all judged pairs of `valid`, the one sample by which choices are made."""
    max_tokens, top_gain = setting.max_tokens, setting.top_gain
    return evaluate(model, pairs=setting.valid, tokenizer=tokenizer, max_tokens=max_tokens, top_gain=top_gain)


def evaluate(
    model: PreTrainedModel, *, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, max_tokens: int, top_gain: int
) -> Quality:
    """Quality of a model in memory on judged pairs."""
    scorer = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=torch.get_num_threads(), max_tokens=max_tokens)
    with first_token.computed_alone(model):
        scores = scorer.score(texts_of(pairs))
    return metrics.evaluate(pairs, scores, top_gain=top_gain)


def curve(log: Sequence[Mapping[str, float]]) -> list[float]:
    """NDCG@10 on the first queries of `valid` whenever a training looked at them, from its log; empty without one."""
    return [entry["eval_ndcg10"] for entry in log if "eval_ndcg10" in entry]


def listwise_loss(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """`loss_of_lists` as a trainer calls it.

    Args:
        outputs: `logits` (n_pairs, 1) of all lists' pairs, one list after the other.
        labels: gains (n_lists, list_size), short lists filled with -1.
    """
    logits = outputs["logits"][:, 0].float()
    scores = logits.new_full(labels.shape, -torch.inf).masked_scatter(labels >= 0, logits)
    return loss_of_lists(scores, labels)


def weak_loss(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """Cross-entropy of the softmaxes of a list's scores and of those of another ranker; the mean over lists.

    Args:
        outputs: `logits` (n_pairs, 1) of all lists' pairs, one list after the other.
        labels: the other's scores (n_lists, list_size), short lists filled with -inf.
    """
    real, logits = torch.isfinite(labels), outputs["logits"][:, 0].float()
    scores = logits.new_full(labels.shape, -torch.inf).masked_scatter(real, logits)
    return _cross_entropy(scores, torch.softmax(labels, dim=1), real=real)


def loss_of_lists(scores: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    """Cross-entropy between the softmax of a list's scores and its gains, as shares; the mean over lists.

    The shares are of the gains less the lowest of the list. What all products of a list have says nothing of their
    order: of labels from 1.3 to 2 the plain gains would be nearly the same share each, and little would be learned.

    Args:
        scores, gains: (n_lists, list_size); a pair whose gain is below 0 has none and takes no part.

    Source: Cao et al., "Learning to rank: from pairwise approach to listwise approach" (ListNet), ICML 2007,
    https://doi.org/10.1145/1273496.1273513 (which takes the softmax of the gains)
    """
    real = gains >= 0
    lowest = gains.masked_fill(~real, torch.inf).min(dim=1, keepdim=True).values
    above = torch.where(real, gains - lowest, 0.0)
    shares = above / above.sum(dim=1, keepdim=True).clamp(min=1e-9)  # a list of equal gains teaches nothing
    return _cross_entropy(scores, shares, real=real)


def _cross_entropy(scores: torch.Tensor, shares: torch.Tensor, *, real: torch.Tensor) -> torch.Tensor:
    """Of the softmax of a list's real scores and the shares that are wanted; the mean over lists."""
    log_share = torch.log_softmax(scores.masked_fill(~real, torch.finfo(scores.dtype).min), dim=1)
    return -(shares * log_share.masked_fill(~real, 0.0)).sum(dim=1).mean()


def first_queries(pairs: Dataset, *, n_queries: int) -> Dataset:
    """The pairs of the first `n_queries` queries that can be judged: whose products have different labels.

    Raises:
        ValueError: there is none.
    """
    kept = set(list(metrics.rows_to_rank(pairs))[:n_queries])
    if not kept:
        raise ValueError("labels.csv: no query of this split has two different labels; judge good and bad products")
    return pairs.select(np.flatnonzero([query_id in kept for query_id in pairs["query_id"][:]]))


def _arguments(checkpoints: Path, *, setting: Setting, budget: Budget) -> TrainingArguments:
    every = max(1, budget.n_steps // budget.n_evaluations)
    return TrainingArguments(
        output_dir=str(checkpoints),
        logging_dir=str(setting.log_folder),
        max_steps=every * budget.n_evaluations,
        per_device_train_batch_size=budget.lists_per_step,
        remove_unused_columns=False,
        learning_rate=budget.learning_rate,
        warmup_ratio=0.1,
        lr_scheduler_type="linear",
        optim="adamw_torch_fused",
        adam_beta2=BETA2,
        weight_decay=0.01,
        logging_steps=max(1, every // 5),
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="ndcg10",
        greater_is_better=True,
        seed=setting.seed,
        data_seed=setting.seed,
        label_names=["labels"],
        report_to=environment.trackers(),
        dataloader_num_workers=0,
        disable_tqdm=False,
        use_cpu=not torch.cuda.is_available(),
    )
