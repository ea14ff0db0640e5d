"""Who scores the pairs that a student learns from: the teacher alone, or teacher and tuned bi-encoder together.

Notebook 01 decides it on `valid` and writes it into the bi-encoder's stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import SentenceTransformer

from utils import settings
from utils.course import stages
from utils.course.run import Run
from utils.rank import baselines, bi_encoder, choosing, runtimes
from utils.rank.bi_encoder import AsRanker
from utils.rank.ensemble import Ensemble
from utils.rank.ranker import Ranker
from utils.rank.teaching import Taught

ALONE, TOGETHER = "the teacher alone", "the teacher and the tuned bi-encoder together"
FACT = "scores_by"  # the entry of the bi-encoder's manifest


@dataclass(frozen=True)
class Teachers:
    """Who gives the scores.

    Attributes:
        names: in words.
        weights: a hash of all their weights; scores are kept with it.
        open: gives the ranker.
    """

    names: str
    weights: str
    open: Callable[[], Ranker]


def keep(run: Run, taught: Taught, **facts: str) -> str:
    """Write the stages of the teacher and of the bi-encoder; who will score together, where that is better by
    more than a standard error.
    """
    looks = {ALONE: taught.alone, TOGETHER: taught.together}
    names = choosing.best(looks, n_resamples=run.profile.n_bootstrap)
    run.save_encoder(baselines.TUNED, taught.tuned.encoder, **{FACT: names} | facts)
    run.save_stage("teacher", taught.model, tokenizer=taught.tokenizer, **facts)
    return names


def of_run(run: Run) -> Teachers:
    """Those of a run, as `keep` left them; without a bi-encoder's stage the teacher alone."""
    teacher, encoder = run.stage("teacher"), run.stage(baselines.TUNED)
    weights = runtimes.weights_hash(teacher, runtime="pytorch")

    def open_teacher() -> Ranker:
        cores, max_tokens = run.machine["cores"], run.profile.max_tokens
        return runtimes.open_ranker(teacher, runtime="onnxruntime", threads=cores, max_tokens=max_tokens)

    def open_both() -> Ranker:
        return Ensemble([open_teacher(), AsRanker(tuned(run))])

    if not encoder.is_dir() or stages.manifest(encoder).get(FACT) != TOGETHER:
        return Teachers(ALONE, weights, open_teacher)
    both = hashlib.sha256(f"{weights} {_weights(encoder)}".encode()).hexdigest()
    return Teachers(TOGETHER, both, open_both)


def tuned(run: Run) -> SentenceTransformer:
    """The bi-encoder that learned from this run's labels.

    Raises:
        FileNotFoundError, ValueError: its stage is missing or damaged; the message holds the command that makes it.
    """
    at = {"profile": run.profile.name, "dataset": run.dataset, "seed": run.seed, "out": str(run.folder)}
    folder = stages.require(run.stage(baselines.TUNED), command=settings.run_command(**at))
    return bi_encoder.open_encoder(str(folder))


def _weights(folder: Path) -> str:
    return stages.manifest(folder)["files"]["model.safetensors"]
