"""Fine-tuning a cross-encoder with `transformers.Trainer` on lists: a query with some of its judged products.

The loss compares products of one query with each other, as a ranking does; the best model on `valid` is kept.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
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
from utils.rank import metrics, ranker, runtimes
from utils.rank.metrics import Quality
from utils.rank.setting import LIST_SIZE, Budget, Setting


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
    task = Task(
        lists=draw_lists(pairs, n_lists=budget.n_steps * budget.lists_per_step, seed=setting.seed),
        collate=partial(collate, tokenizer=tokenizer, max_tokens=setting.max_tokens),
        loss=listwise_loss,
    )
    return fit(model, task=task, tokenizer=tokenizer, setting=setting, budget=budget)


@dataclass(frozen=True)
class Task:
    """What is learned in a training.

    Attributes:
        lists: one entry for each list.
        collate: makes a batch of some lists, with `labels` in it.
        loss: takes the model's outputs and `labels`.
        in_order: lists come as they stand, since neighbours were chosen for one another; else in random order.
    """

    lists: Dataset | torch.utils.data.Dataset
    collate: Callable[[Sequence[dict]], dict[str, torch.Tensor]]
    loss: Callable[..., torch.Tensor]
    in_order: bool = False


def fit(
    model: PreTrainedModel, *, task: Task, tokenizer: PreTrainedTokenizerBase, setting: Setting, budget: Budget
) -> list[dict]:
    """Train `model` in place and keep its best state on the first queries of `valid`; returns the log.

    The loop of `fine_tune`, for whatever else learns from lists: AdamW, a learning rate that rises and falls. Weights &
    Biases is used when WANDB_PROJECT is set.
    """
    setting.log_folder.mkdir(parents=True, exist_ok=True)
    with disk.scratch(setting.log_folder / "checkpoints") as checkpoints:
        trainer = JudgedTrainer(
            model=model,
            args=_arguments(checkpoints, setting=setting, budget=budget),
            train_dataset=task.lists,
            eval_dataset=first_queries(setting.valid, n_queries=setting.profile.n_stop_queries),
            data_collator=task.collate,
            compute_loss_func=task.loss,
            callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
        )
        trainer.in_order = task.in_order
        trainer.judge = partial(evaluate_ndcg10, tokenizer=tokenizer, setting=setting)
        trainer.train()
    model.to("cpu").eval()
    return trainer.state.log_history


class JudgedTrainer(Trainer):
    """A trainer whose evaluation is NDCG@10 on judged pairs, scored by the ranker that is used everywhere else."""

    judge: Callable[..., float]
    in_order = False

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        found = {f"{metric_key_prefix}_ndcg10": self.judge(self.model, pairs=eval_dataset or self.eval_dataset)}
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        self.model.train()
        return found

    def _get_train_sampler(self, train_dataset=None):
        if self.in_order:
            return torch.utils.data.SequentialSampler(train_dataset or self.train_dataset)
        return super()._get_train_sampler(train_dataset)


def evaluate_ndcg10(
    model: PreTrainedModel, *, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, setting: Setting
) -> float:
    """NDCG@10 of a model in memory on judged pairs."""
    max_tokens, top_gain = setting.max_tokens, setting.top_gain
    return evaluate(model, pairs=pairs, tokenizer=tokenizer, max_tokens=max_tokens, top_gain=top_gain).ndcg10


def evaluate(
    model: PreTrainedModel, *, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, max_tokens: int, top_gain: int
) -> Quality:
    """Quality of a model in memory on judged pairs."""
    scorer = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=torch.get_num_threads(), max_tokens=max_tokens)
    scores = scorer.score(texts_of(pairs))
    return metrics.evaluate(pairs, scores, top_gain=top_gain)


def listwise_loss(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """Cross-entropy between the softmax of a list's scores and its gains divided by their sum; the mean over lists.

    Args:
        outputs: `logits` (n_pairs, 1) of all lists' pairs, one list after the other.
        labels: gains (n_lists, list_size), short lists filled with -1.

    Source: Cao et al., "Learning to rank: from pairwise approach to listwise approach" (ListNet), ICML 2007,
    https://doi.org/10.1145/1273496.1273513
    """
    real = labels >= 0
    logits = outputs["logits"][:, 0].float()
    scores = logits.new_full(labels.shape, -torch.inf).masked_scatter(real, logits)
    gains = labels.clamp(min=0)
    wanted = gains / gains.sum(dim=1, keepdim=True)
    log_share = torch.log_softmax(scores, dim=1).masked_fill(~real, 0.0)
    return -(wanted * log_share).sum(dim=1).mean()


def draw_lists(pairs: Dataset, *, n_lists: int, seed: int) -> Dataset:
    """Lists of at most LIST_SIZE products of one query: one or two of the best label, the others at random.

    Queries come in random order and again when all were used, with other products.

    Raises:
        ValueError: no query has two different labels.
    """
    rng = random.Random(seed)
    gains, texts, queries = (pairs[name][:] for name in ("gain", "product", "query"))
    usable = [rows for rows in rows_by_query(pairs).values() if len({gains[row] for row in rows}) > 1]
    if not usable:
        raise ValueError("labels.csv: no train query has two different labels; judge good and bad products for some")
    drawn = []
    while len(drawn) < n_lists:
        for rows in rng.sample(usable, min(len(usable), n_lists - len(drawn))):
            top = max(gains[row] for row in rows)
            best = [row for row in rows if gains[row] == top]
            chosen = rng.sample(best, min(2, len(best)))
            rest = [row for row in rows if row not in chosen]
            chosen += rng.sample(rest, min(LIST_SIZE - len(chosen), len(rest)))
            products, list_gains = [texts[row] for row in chosen], [float(gains[row]) for row in chosen]
            drawn.append({"query": queries[rows[0]], "products": products, "gains": list_gains})
    return Dataset.from_list(drawn)


def collate(lists: Sequence[dict], *, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> dict[str, torch.Tensor]:
    """All pairs of some lists as one padded batch (n_pairs, n_tokens), and `labels` (n_lists, list_size)."""
    pairs = [(one["query"], product) for one in lists for product in one["products"]]
    batch = tokenizer.pad(ranker.encode(tokenizer, pairs, max_tokens=max_tokens), return_tensors="pt")
    gains = [torch.tensor(one["gains"]) for one in lists]
    return dict(batch) | {"labels": torch.nn.utils.rnn.pad_sequence(gains, batch_first=True, padding_value=-1.0)}


def first_queries(pairs: Dataset, *, n_queries: int) -> Dataset:
    """The pairs of the first `n_queries` queries that can be judged: whose products have different labels.

    Raises:
        ValueError: there is none.
    """
    query_ids, gains_of = pairs["query_id"][:], defaultdict(set)
    for query_id, gain in zip(query_ids, pairs["gain"][:], strict=True):
        gains_of[query_id].add(gain)
    kept = set([query_id for query_id, gains in gains_of.items() if len(gains) > 1][:n_queries])
    if not kept:
        raise ValueError("labels.csv: no query of this split has two different labels; judge good and bad products")
    return pairs.select(np.flatnonzero([query_id in kept for query_id in query_ids]))


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
