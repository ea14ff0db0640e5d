"""Fine-tuning a cross-encoder on labelled pairs with `transformers.Trainer`.

The loss is binary cross-entropy against the label's target between 0 and 1; the best model on `valid` is kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

from utils.rank import metrics, ranker, runtimes
from utils.settings import Profile


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
    learning_rate: float = 1e-4,
) -> list[dict]:
    """Train `model` in place on at most `profile.n_train_pairs` pairs and keep its best state on `valid`.

    Args:
        train, valid: judged pairs, as in `Catalogue.pairs`; a random part of a long `train` is used.
        log_folder: TensorBoard's curves go there; Weights & Biases is used when WANDB_PROJECT is set.

    Returns:
        The trainer's log: steps with their loss, evaluations with `eval_ndcg10`.

    Source: Nogueira, Cho, "Passage Re-ranking with BERT", 2019, https://arxiv.org/abs/1901.04085
    """
    n_steps = max(1, profile.n_train_pairs // profile.batch_size)
    train = train.shuffle(seed=seed).select(range(min(len(train), profile.n_train_pairs)))
    log_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=log_folder) as checkpoints:
        trainer = _JudgedTrainer(
            model=model,
            args=_arguments(
                Path(checkpoints), log_folder, profile=profile, n_steps=n_steps, seed=seed, lr=learning_rate
            ),
            train_dataset=tokenized(train, tokenizer=tokenizer, max_tokens=profile.max_tokens),
            eval_dataset=first_queries(valid, n_queries=profile.n_stop_queries),
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_loss_func=pointwise_loss,
            callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
        )
        trainer.judge = partial(judged_ndcg10, tokenizer=tokenizer, max_tokens=profile.max_tokens, top_gain=top_gain)
        trainer.train()
    model.eval()
    return trainer.state.log_history


class _JudgedTrainer(Trainer):
    """A trainer whose evaluation is NDCG@10 on judged pairs.

    The stock evaluation would shuffle the pairs too when batches are grouped by length, so it cannot rank.
    """

    judge: Callable[..., float]

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval") -> dict[str, float]:
        found = {f"{metric_key_prefix}_ndcg10": self.judge(self.model, pairs=eval_dataset or self.eval_dataset)}
        self.log(found)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        self.model.train()
        return found


def judged_ndcg10(
    model: PreTrainedModel, *, pairs: Dataset, tokenizer: PreTrainedTokenizerBase, max_tokens: int, top_gain: int
) -> float:
    """NDCG@10 of a model in memory on judged pairs."""
    scorer = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=torch.get_num_threads(), max_tokens=max_tokens)
    scores = scorer.score(list(zip(pairs["query"], pairs["product"], strict=True)))
    return metrics.judged(pairs, scores, top_gain=top_gain).ndcg10


def pointwise_loss(outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
    """Binary cross-entropy of the logits (n_pairs, 1) against targets (n_pairs,) in [0, 1], the mean of the batch."""
    logits = outputs["logits"][:, 0]
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def tokenized(pairs: Dataset, *, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Dataset:
    """Pairs as input_ids, attention_mask, token_type_ids, their `length`, and `labels` (the targets)."""

    def encode(batch: dict) -> dict:
        pairs = list(zip(batch["query"], batch["product"], strict=True))
        encoded = ranker.encode(tokenizer, pairs, max_tokens=max_tokens)
        return encoded | {"labels": batch["target"], "length": [len(ids) for ids in encoded["input_ids"]]}

    return pairs.map(encode, batched=True, remove_columns=pairs.column_names)


def first_queries(pairs: Dataset, *, n_queries: int) -> Dataset:
    """The pairs of the first `n_queries` queries."""
    kept = set(list(dict.fromkeys(pairs["query_id"]))[:n_queries])
    return pairs.select(np.flatnonzero([query_id in kept for query_id in pairs["query_id"]]))


def _arguments(
    checkpoints: Path, log_folder: Path, *, profile: Profile, n_steps: int, seed: int, lr: float
) -> TrainingArguments:
    every = max(1, n_steps // profile.n_evaluations)
    return TrainingArguments(
        output_dir=str(checkpoints),
        logging_dir=str(log_folder),
        max_steps=every * profile.n_evaluations,
        per_device_train_batch_size=profile.batch_size,
        learning_rate=lr,
        warmup_ratio=0.1,
        lr_scheduler_type="linear",
        weight_decay=0.01,
        group_by_length=True,
        length_column_name="length",
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
        report_to=["tensorboard", *(["wandb"] if os.environ.get("WANDB_PROJECT") else [])],
        dataloader_num_workers=0,
        use_cpu=not torch.cuda.is_available(),
    )
