"""Fine-tuning a cross-encoder with `transformers.Trainer` on lists: a query with some of its judged products.

The loss compares products of one query with each other, as a ranking does; the best model on `valid` is kept.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
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
from utils.rank import metrics, ranker, runtimes
from utils.rank.metrics import Quality
from utils.settings import Profile

LIST_SIZE = 8


def fine_tune(
    model: PreTrainedModel,
    *,
    tokenizer: PreTrainedTokenizerBase,
    train: Dataset,
    valid: Dataset,
    profile: Profile,
    seed: int,
    log_folder: Path,
    top_gain: int,
    learning_rate: float = 2e-4,
) -> list[dict]:
    """Train `model` in place on at most `profile.n_train_pairs` pairs and keep its best state on `valid`.

    On a CUDA device where there is one; the model comes back to the CPU.

    Args:
        train, valid: judged pairs, as in `Catalogue.pairs`; queries whose products are all alike teach nothing.
        log_folder: TensorBoard's curves go there; see `environment.trackers`.

    Returns:
        The trainer's log: steps with their loss, evaluations with `eval_ndcg10`.

    A progress bar shows where it is: HTML in a notebook, text on standard error elsewhere.

    Source: Nogueira, Cho, "Passage Re-ranking with BERT", 2019, https://arxiv.org/abs/1901.04085
    """
    lists_per_step = max(1, profile.batch_size // LIST_SIZE)
    n_steps = max(1, profile.n_train_pairs // profile.batch_size)
    return fit(
        model,
        lists=draw_lists(train, n_lists=n_steps * lists_per_step, seed=seed),
        collate=partial(collate, tokenizer=tokenizer, max_tokens=profile.max_tokens),
        loss=listwise_loss,
        valid=valid,
        judge=partial(evaluate_ndcg10, tokenizer=tokenizer, max_tokens=profile.max_tokens, top_gain=top_gain),
        profile=profile,
        n_steps=n_steps,
        lists_per_step=lists_per_step,
        seed=seed,
        log_folder=log_folder,
        learning_rate=learning_rate,
    )


class JudgedTrainer(Trainer):
    """A trainer whose evaluation is NDCG@10 on judged pairs, scored by the ranker that is used everywhere else."""

    judge: Callable[..., float]

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        found = {f"{metric_key_prefix}_ndcg10": self.judge(self.model, pairs=eval_dataset or self.eval_dataset)}
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        self.model.train()
        return found


def fit(
    model: PreTrainedModel,
    *,
    lists: Dataset | torch.utils.data.Dataset,
    collate: Callable[[Sequence[dict]], dict[str, torch.Tensor]],
    loss: Callable[..., torch.Tensor],
    valid: Dataset,
    judge: Callable[..., float],
    profile: Profile,
    n_steps: int,
    lists_per_step: int,
    seed: int,
    log_folder: Path,
    learning_rate: float,
    trainer_class: type[JudgedTrainer] = JudgedTrainer,
) -> list[dict]:
    """Train `model` in place on lists and keep its best state on the first queries of `valid`; returns the log.

    The loop of `fine_tune`, for whatever else learns from lists: AdamW, a learning rate that rises and falls.

    Args:
        collate: makes a batch of `lists_per_step` lists, with `labels` in it.
        loss: takes the model's outputs and `labels`.
        judge: takes the model and `pairs`, and gives their NDCG@10; see `evaluate_ndcg10`.
    """
    log_folder.mkdir(parents=True, exist_ok=True)
    every = max(1, n_steps // profile.n_evaluations)
    with disk.scratch(log_folder / "checkpoints") as checkpoints:
        steps = {"every": every, "max_steps": every * profile.n_evaluations, "lists": lists_per_step}
        trainer = trainer_class(
            model=model,
            args=_arguments(checkpoints, log_folder, **steps, seed=seed, lr=learning_rate),
            train_dataset=lists,
            eval_dataset=first_queries(valid, n_queries=profile.n_stop_queries),
            data_collator=collate,
            compute_loss_func=loss,
            callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
        )
        trainer.judge = judge
        trainer.train()
    model.to("cpu").eval()
    return trainer.state.log_history


def evaluate_ndcg10(model: PreTrainedModel, **how) -> float:
    """NDCG@10 of a model in memory on judged pairs; the arguments are those of `evaluate`."""
    return evaluate(model, **how).ndcg10


def evaluate(
    model: PreTrainedModel, *, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, max_tokens: int, top_gain: int
) -> Quality:
    """Quality of a model in memory on judged pairs."""
    scorer = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=torch.get_num_threads(), max_tokens=max_tokens)
    scores = scorer.score(list(zip(pairs["query"], pairs["product"], strict=True)))
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
    rows_of: dict[str, list[int]] = {}
    for row, query_id in enumerate(pairs["query_id"][:]):
        rows_of.setdefault(query_id, []).append(row)
    gains, texts, queries = (pairs[name][:] for name in ("gain", "product", "query"))
    usable = [rows for rows in rows_of.values() if len({gains[row] for row in rows}) > 1]
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


def _arguments(
    checkpoints: Path, log_folder: Path, *, lists: int, every: int, max_steps: int, seed: int, lr: float
) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(checkpoints),
        logging_dir=str(log_folder),
        max_steps=max_steps,
        per_device_train_batch_size=lists,
        remove_unused_columns=False,
        learning_rate=lr,
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
        seed=seed,
        data_seed=seed,
        label_names=["labels"],
        report_to=environment.trackers(),
        dataloader_num_workers=0,
        disable_tqdm=False,
        use_cpu=not torch.cuda.is_available(),
    )
