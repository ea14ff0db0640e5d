"""Records of made-up runs, for the tests of what is recorded and of what shows it."""

from pathlib import Path
from types import SimpleNamespace

from made import row

from utils import settings
from utils.course.records import recorded
from utils.course.run import Run


def record(seed, **changes):
    changes = {"dataset": "synthetic", "profile": "laptop", "label": "teacher", "seed": seed} | changes
    return recorded.write([row(**changes)], command="course results", code="c")


def read(dataset_hash="x"):
    return recorded.read(dataset_hash=dataset_hash)


def of_data(dataset_hash, *, dataset="synthetic", profile="laptop", seed=0):
    """A run of a notebook on data of that hash, with no more than what is asked of it here."""
    return Run("01_one", settings.profile(profile), dataset, seed, Path(), SimpleNamespace(hash=dataset_hash), {})
