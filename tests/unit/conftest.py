"""What the tests of running, publishing, reporting, fetching and of the commands share."""

import shutil
from types import SimpleNamespace

import nbformat
import pytest
from made import row
from matplotlib.figure import Figure
from public_files import WANDS, esci_tables, write_list
from served import serve

from authoring import results_page
from utils import settings
from utils.course import execution
from utils.data.public import download
from utils.freshness import tree
from utils.measure import ledger, plots


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course of no notebooks yet, whose runs land in a temporary folder; `write` adds a notebook."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(settings, "NOTEBOOKS", folder)
    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path / "artifacts")
    for page, file in (("README", "README.md"), ("PAGE", "results.md"), ("PICTURE", "picture.svg")):
        monkeypatch.setattr(results_page, page, tmp_path / file)
    results_page.README.write_text(f"before {results_page.FIRST_BEGIN} old {results_page.FIRST_END} after")
    results_page.PAGE.write_text(f"before {results_page.BEGIN} old {results_page.END} after")
    return SimpleNamespace(folder=folder, write=lambda name, nb: nbformat.write(nb, folder / f"{name}.ipynb"))


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder of recorded results, with nothing in it yet."""
    monkeypatch.setattr(settings, "RESULTS", tmp_path / "results")
    return settings.RESULTS


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
def source(tmp_path, monkeypatch):
    """A copy of our packages, whose code counts in the place of the real ones."""
    for package in ("utils", "authoring"):
        shutil.copytree(settings.ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(tree, "SOURCE", tmp_path)
    return tmp_path


@pytest.fixture
def rows(monkeypatch):
    """Two rows that the report reads instead of a ledger, one without figures; pictures are empty figures."""
    machine = {
        "processor": "zen4",
        "cores": 2,
        "vector_instructions": ["avx2", "avx512_vnni"],
        "memory_bytes": 8 * 2**30,
        "gpu": None,
        "system": "Linux",
    }
    base = {"machine": machine, "versions": {"torch": "2.13.0"}}
    worthless = {"ndcg10": None, "mrr10": None, "why_null": dict.fromkeys(("ndcg10", "mrr10"), "random weights")}
    made = [row(label="teacher <b>", ndcg10=0.812, **base), row(label="random", **base, **worthless)]
    monkeypatch.setattr(ledger, "current", lambda path: made)
    monkeypatch.setattr(plots, "size_and_work", lambda rows, title: Figure())
    return made


@pytest.fixture
def site(monkeypatch):
    """A server on this machine with no proxy before it, and no pause between the tries of a download."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "PAUSE_S", 0)
    with serve() as served:
        yield served


@pytest.fixture
def data(tmp_path, monkeypatch, site):
    """A data folder whose list names the site's files of WANDS and ESCI."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setattr(settings, "DATA", folder)
    examples, products = esci_tables()
    for name, table in zip(("examples.parquet", "products.parquet"), (examples, products), strict=True):
        table.to_parquet(tmp_path / name, row_group_size=7)
    parquet = {name: (tmp_path / name).read_bytes() for name in ("examples.parquet", "products.parquet")}
    write_list(folder, {"wands": WANDS, "esci": parquet}, site=site)
    return folder
