"""Beginning and finishing a notebook: the seed, the upstream stages, the data, and the rows it writes to the ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import datasets
import transformers

from utils import settings
from utils.data import catalogue as catalogues
from utils.data.catalogue import Catalogue
from utils.measure import cost, ledger, machine, memory
from utils.measure.latency import Timing
from utils.measure.ledger import Delta, Row
from utils.rank import metrics, models
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair


@dataclass
class Lesson:
    """What a notebook works with. `folder` holds its stages and the ledger."""

    notebook: str
    profile: settings.Profile
    dataset: str
    seed: int
    folder: Path
    catalogue: Catalogue
    machine: dict
    written: list[Row] = field(default_factory=list)

    def stage(self, name: str) -> Path:
        """The folder of a stage, there or not."""
        return self.folder / name

    def rows(self) -> list[Row]:
        """The latest row of everything measured so far."""
        return ledger.latest(ledger.read(self.folder / "ledger.jsonl"))

    def pairs(self, split: str) -> list[Pair]:
        """The judged pairs of a split as (query, product) texts."""
        rows = self.catalogue.pairs[split]
        return list(zip(rows["query"], rows["product"], strict=True))

    def identity(self) -> dict:
        """The fields of a row that are the same for every row of this notebook."""
        return {
            "notebook": self.notebook,
            "dataset": self.catalogue.name,
            "dataset_hash": self.catalogue.hash,
            "profile": self.profile.name,
            "seed": self.seed,
            "git_revision": ledger.git_revision(),
            "time_utc": ledger.now(),
            "machine": self.machine,
            "versions": ledger.versions(),
        }

    def record(self, *, why_null: dict[str, str] | None = None, **fields) -> Row:
        """Append a row; a field not given is null, and `why_null` must give the reason for each."""
        given = self.identity() | fields
        empty = dict.fromkeys(set(Row.model_fields) - set(given) - {"why_null"})
        row = Row(**empty | given, why_null=why_null or {})
        ledger.append(self.folder / "ledger.jsonl", row)
        self.written.append(row)
        return row


def begin(
    notebook: str, *, profile: str, dataset: str, seed: int, out: str = "", needs: tuple[str, ...] = ()
) -> Lesson:
    """Seed everything, load the data, and find the stages this notebook starts from.

    Raises:
        FileNotFoundError: a stage in `needs` is missing; the message holds the command that makes it.
    """
    quiet()
    settings.seed_everything(seed)
    folder = settings.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out)
    for name in needs:
        if not (folder / name / "config.json").is_file():
            where = f"--profile {profile} --dataset {dataset} --seed {seed}" + (f" --out {out}" if out else "")
            raise FileNotFoundError(f"stage '{name}' is missing; make it with: course run {where}")
    folder.mkdir(parents=True, exist_ok=True)
    sizes = settings.profile(profile)
    return Lesson(notebook, sizes, dataset, seed, folder, catalogues.load(dataset, profile=sizes), machine.describe())


def quiet() -> None:
    """Hide progress bars and remarks of libraries that a reader cannot act on."""
    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def quality_fields(quality: Quality, *, split: str, teacher: Quality | None, n_resamples: int) -> dict:
    """The quality fields of a row; the difference to the teacher is zero for the teacher itself."""
    interval = metrics.paired_bootstrap(quality, teacher or quality, n_resamples=n_resamples)
    return {
        "split": split,
        "n_queries": quality.n_queries,
        "ndcg10": quality.ndcg10,
        "mrr10": quality.mrr10,
        "ndcg10_delta": Delta(mean=interval.mean, low=interval.low, high=interval.high),
    }


def size_fields(folder: Path, *, runtime: str, n_tokens: int) -> dict:
    """Parameters, MACs a pair of `n_tokens` tokens, bytes to ship and the identity of a model folder."""
    model, _ = models.load(folder)
    counts = cost.count_parameters(model)
    return vars(counts) | {
        "model_hash": models.weights_hash(folder),
        "macs_per_pair": cost.macs_per_pair(model, n_tokens=n_tokens),
        "disk_bytes": cost.disk_bytes(models.shipped_files(folder, runtime=runtime)),
    }


def speed_fields(timing: Timing, *, pairs_per_s: float, batch_size: int, n_candidates: int, threads: int) -> dict:
    """Latency, throughput and the dollars that follow from it on the default instance."""
    instance = cost.price()
    rate = cost.instance_queries_per_s(pairs_per_s, n_candidates=n_candidates, threads=threads, vcpus=instance.vcpus)
    return {
        "latency_ms": timing.as_row(),
        "pairs_per_s": pairs_per_s,
        "batch_size": batch_size,
        "n_candidates": n_candidates,
        "threads": threads,
        "instance": instance.instance,
        "usd_per_million_queries": cost.usd_per_million_queries(instance.usd_per_hour, queries_per_s=rate),
    }


def memory_field(lesson: Lesson, *, stage: str, runtime: str, threads: int) -> dict:
    """Peak memory of scoring 100 pairs of `valid` in a process of its own."""
    pairs = lesson.pairs("valid")[:100]
    found = memory.peak_rss_bytes(
        lesson.stage(stage), runtime=runtime, pairs=pairs, threads=threads, max_tokens=lesson.profile.max_tokens
    )
    return {"peak_rss_bytes": found}
