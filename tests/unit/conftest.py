"""What the tests of running, publishing, reporting and of the commands share."""

from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from matplotlib.figure import Figure

from utils import settings
from utils.course import execution, publish
from utils.measure import ledger, plots


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of no notebooks yet, whose runs land in a temporary folder; `write` adds a notebook."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(settings, "NOTEBOOKS", folder)
    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path / "artifacts")
    monkeypatch.setattr(publish, "README", tmp_path / "README.md")
    publish.README.write_text(f"before {publish.BEGIN} old {publish.END} after")
    return SimpleNamespace(folder=folder, write=lambda name, nb: nbformat.write(nb, folder / f"{name}.ipynb"))


@pytest.fixture
def executed(monkeypatch):
    """Notebooks are 'executed' by copying them; holds (name, parameters passed) of each."""
    calls = []

    def copy(job):
        calls.append((job.source.stem, job.passed))
        job.partial.write_bytes(job.source.read_bytes())

    monkeypatch.setattr(execution, "_papermill", copy)
    return calls


@pytest.fixture
def rows(monkeypatch):
    """Two rows that the report reads instead of a ledger, one without a latency; pictures are empty figures."""
    machine = {"processor": "zen4", "cores": 2, "memory_bytes": 8 * 2**30, "gpu": None, "system": "Linux"}
    base = {"machine": machine, "versions": {"torch": "2.13.0"}}
    made = [
        SimpleNamespace(label="teacher <b>", why_null={}, **base),
        SimpleNamespace(label="random", why_null={"ndcg10": "random weights", "mrr10": "random weights"}, **base),
    ]
    monkeypatch.setattr(ledger, "current", lambda path: made)
    monkeypatch.setattr(
        ledger, "table", lambda rows: pd.DataFrame({"NDCG@10": ["0.812", "–"]}, index=["teacher", "random"])
    )
    for name in ("quality_against_latency", "size_and_work"):
        monkeypatch.setattr(plots, name, lambda rows, title: Figure(), raising=False)
    return made
