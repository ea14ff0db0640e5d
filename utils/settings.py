"""The sizes of a run, the names of data sets, and where everything lies. Nothing here imports a library.

Files that appear whole are written by `disk`, seeds and telemetry are set by `environment`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
RESULTS = DATA / "results"
NOTEBOOKS = ROOT / "notebooks"
ARTIFACTS = ROOT / "artifacts"

PUBLIC_SETS = ("wands", "esci")  # fetched by name into data/<name>
NAMED_SETS = ("synthetic", *PUBLIC_SETS)

N_CANDIDATES = 100  # products a ranker gets for one query, wherever nothing else is said


@dataclass(frozen=True)
class Profile:
    """Sizes of one run. A profile changes how much is done, never which code runs; None means no bound.

    Attributes:
        n_train_queries, n_valid_queries, n_test_queries: queries kept of each split.
        n_train_pairs: labelled pairs the teacher sees, all epochs together.
        batch_size: pairs in a training step.
        n_evaluations: how often a training run looks at `valid`, the end included.
        n_stop_queries: valid queries used for early stopping.
        n_end_to_end_queries: queries of the end-to-end evaluation.
        n_latency_queries: queries timed per way of running a model.
        n_bootstrap: resamples of a paired bootstrap interval.
        max_tokens: a pair is cut to this many tokens.
        n_recovery_pairs: labelled pairs of the short fine-tune after something was cut off.
        n_unlabelled_pairs: pairs without a label that the teacher scores for its students.
        n_distil_pairs: pairs a student sees, all epochs together.
        n_label_pairs: labelled pairs of the fine-tune that ends a distillation.
        n_calibration_pairs: train pairs on which the ranges of activations are measured.
    """

    name: str
    n_train_queries: int | None
    n_valid_queries: int | None
    n_test_queries: int | None
    n_train_pairs: int
    batch_size: int
    n_evaluations: int
    n_stop_queries: int
    n_end_to_end_queries: int
    n_latency_queries: int
    n_bootstrap: int
    max_tokens: int
    n_recovery_pairs: int
    n_unlabelled_pairs: int
    n_distil_pairs: int
    n_label_pairs: int
    n_calibration_pairs: int


PROFILES = {
    "ci": Profile(
        name="ci",
        n_train_queries=160,
        n_valid_queries=40,
        n_test_queries=100,
        n_train_pairs=1_600,
        batch_size=16,
        n_evaluations=1,
        n_stop_queries=12,
        n_end_to_end_queries=10,
        n_latency_queries=3,
        n_bootstrap=300,
        max_tokens=64,
        n_recovery_pairs=320,
        n_unlabelled_pairs=800,
        n_distil_pairs=3_200,
        n_label_pairs=1_280,
        n_calibration_pairs=64,
    ),
    "laptop": Profile(
        name="laptop",
        n_train_queries=2_000,
        n_valid_queries=500,
        n_test_queries=1_500,
        n_train_pairs=16_000,
        batch_size=32,
        n_evaluations=3,
        n_stop_queries=80,
        n_end_to_end_queries=100,
        n_latency_queries=12,
        n_bootstrap=2_000,
        max_tokens=96,
        n_recovery_pairs=6_400,
        n_unlabelled_pairs=30_000,
        n_distil_pairs=110_000,
        n_label_pairs=25_600,
        n_calibration_pairs=300,
    ),
    "gpu": Profile(
        name="gpu",
        n_train_queries=None,
        n_valid_queries=None,
        n_test_queries=None,
        n_train_pairs=400_000,
        batch_size=64,
        n_evaluations=8,
        n_stop_queries=400,
        n_end_to_end_queries=1_000,
        n_latency_queries=100,
        n_bootstrap=5_000,
        max_tokens=192,
        n_recovery_pairs=64_000,
        n_unlabelled_pairs=2_000_000,
        n_distil_pairs=6_000_000,
        n_label_pairs=256_000,
        n_calibration_pairs=1_000,
    ),
}


def profile(name: str) -> Profile:
    """The profile called `name`; ValueError naming the known ones otherwise."""
    if name not in PROFILES:
        raise ValueError(f"profile '{name}' is not one of {', '.join(PROFILES)}")
    return PROFILES[name]


def data_folder(dataset: str | Path) -> Path:
    """The folder that `dataset` means: data/<name> for a public set's name, or the path itself.

    A folder of one's own called 'wands' or 'esci' is named by a path: ./wands.

    Raises:
        ValueError: the public set has not been fetched.
    """
    if dataset not in PUBLIC_SETS:
        return Path(dataset).expanduser()
    if not (DATA / dataset).is_dir():
        raise ValueError(f"{dataset} is not here yet; fetch it with: course data fetch {dataset}")
    return DATA / dataset


def dataset_name(dataset: str) -> str:
    """A short name for paths: the name of an embedded set, or the last part of a folder's path."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(dataset).name.lower()).strip("-")
    return name or "dataset"


def run_folder(*, dataset: str, profile_name: str, seed: int, out: str | Path = "") -> Path:
    """Where a run keeps all it makes: `out`, or artifacts/<dataset>-<profile>-<seed>."""
    return Path(out).resolve() if str(out) else ARTIFACTS / f"{dataset_name(dataset)}-{profile_name}-{seed}"


def run_command(*, profile: str, dataset: str, seed: int, out: str = "") -> str:
    """The command line that makes this run."""
    words = ["course", "run", "--profile", profile, "--dataset", dataset, "--seed", str(seed)]
    return shlex.join(words + (["--out", out] if out else []))
