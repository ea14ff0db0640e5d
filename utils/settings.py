"""The sizes of a run, the names of data sets, and where everything lies. Nothing here imports a library.

Files that appear whole are written by `disk`, seeds and telemetry are set by `environment`; `data.identity` knows which
folder is a run's.
"""

from __future__ import annotations

import os
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
EMBEDDED = "synthetic"  # the embedded shop, which is made by code and the same everywhere
NAMED_SETS = (EMBEDDED, *PUBLIC_SETS)
MAX_NAME = 40  # characters of a data set's name in paths
MAX_SEED = 2**32 - 1  # the largest that NumPy takes

N_CANDIDATES = 100  # products a ranker gets for one query, wherever nothing else is said


@dataclass(frozen=True)
class Profile:
    """Sizes of one run. A profile changes how much is done, never which code runs; None means no bound.

    Attributes:
        n_train_queries, n_valid_queries, n_test_queries: queries kept of each split.
        n_warm_pairs: pairs without a label that the teacher first copies free scores of.
        n_train_pairs: labelled pairs the teacher sees, all epochs together.
        n_passes: how often it sees as many as there are, at most.
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
    n_warm_pairs: int
    n_train_pairs: int
    n_passes: int
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
        n_warm_pairs=640,
        n_train_pairs=1_600,
        n_passes=4,
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
        n_label_pairs=640,
        n_calibration_pairs=64,
    ),
    "laptop": Profile(
        name="laptop",
        n_train_queries=2_000,
        n_valid_queries=500,
        n_test_queries=1_500,
        n_warm_pairs=64_000,
        n_train_pairs=32_000,
        n_passes=4,
        batch_size=32,
        n_evaluations=4,
        n_stop_queries=120,
        n_end_to_end_queries=100,
        n_latency_queries=12,
        n_bootstrap=2_000,
        max_tokens=96,
        n_recovery_pairs=6_400,
        n_unlabelled_pairs=60_000,
        n_distil_pairs=110_000,
        n_label_pairs=12_800,
        n_calibration_pairs=300,
    ),
    "gpu": Profile(
        name="gpu",
        n_train_queries=None,
        n_valid_queries=None,
        n_test_queries=None,
        n_warm_pairs=400_000,
        n_train_pairs=400_000,
        n_passes=4,
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
        return user_path(dataset)
    if not (DATA / dataset).is_dir():
        raise ValueError(f"{dataset} is not here yet; fetch it with: course data fetch {dataset}")
    return DATA / dataset


def dataset_name(dataset: str) -> str:
    """A short name to read, of Latin letters and digits: that of an embedded or fetched set, or of the folder itself.

    Two folders may have one name, which `data.identity` tells apart; but none has that of the embedded shop.
    """
    if dataset in NAMED_SETS:
        return dataset
    last = os.path.basename(os.path.abspath(user_path(dataset)))
    name = re.sub(r"[^a-z0-9]+", "-", last.lower())[:MAX_NAME].strip("-")
    return f"own-{name}" if name == EMBEDDED else name or "dataset"


def user_path(text: str | Path) -> Path:
    """A path as somebody wrote it, with the home folder for a `~` that no shell has replaced, as in --out=~/x.

    Raises:
        ValueError: it begins with `~name`, and there is no such user.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text}: no home folder is known for this; write the whole path") from None


def check_seed(seed: int) -> None:
    """Raise ValueError where NumPy and PyTorch could not both be seeded with `seed`."""
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed {seed} is not a whole number from 0 to {MAX_SEED}; give another seed")


def run_command(*, profile: str, dataset: str, seed: int, out: str = "") -> str:
    """The command line that makes this run."""
    words = ["course", "run", "--profile", profile, "--dataset", dataset, "--seed", str(seed)]
    return shlex.join(words + (["--out", out] if out else []))
