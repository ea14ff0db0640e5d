"""The browser's line of the device matrix, of a tiny model."""

import dataclasses
import shutil

import pytest
from browsing import MAX_TOKENS

from authoring import browser_record
from utils import settings
from utils.course.run import Run
from utils.data import catalogue
from utils.edge.exports import device_matrix
from utils.rank import runtimes


@pytest.fixture(scope="module")
def run(tiny_folders, tmp_path_factory):
    sizes = {"n_latency_queries": 2, "max_tokens": MAX_TOKENS, "n_valid_queries": 10, "n_bootstrap": 50}
    profile = dataclasses.replace(settings.profile("ci"), **sizes)
    shop = catalogue.load("synthetic", profile=profile)
    made = Run("results", profile, "synthetic", 0, tmp_path_factory.mktemp("run"), shop, {"cores": 1})
    shutil.copytree(tiny_folders["Final model"], made.stage("student"))
    return made


def test_the_row_of_a_browser_has_its_times_and_orders_valid_as_pytorch_does(browser, run, monkeypatch):
    monkeypatch.setattr(browser_record, "_tab", lambda: in_tab(browser))
    reference = device_matrix.reference_scores(run.stage("student"), setting=run.setting)

    row = browser_record.measured(run, "student", reference=reference)

    assert 0.98 < row.rank_correlation <= 1
    assert row.parent_hash == runtimes.weights_hash(run.stage("student"), runtime="pytorch")
    assert row.n_bytes > 100_000 and len(row.model_hash) == 16
    twenty, hundred = (float(row.cells[f"ms of {n} candidates, p50 / p95"].split(" / ")[0]) for n in (20, 100))
    assert 0 < twenty < hundred
    assert float(row.cells["load ms"]) > 0


class in_tab:
    """A tab of a browser that is open already: two of Playwright's do not live in one thread."""

    def __init__(self, browser):
        self.page = browser.new_page()

    def __enter__(self):
        return self.page

    def __exit__(self, *_):
        self.page.close()


def test_without_a_browser_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)

    with pytest.raises(FileNotFoundError, match="apt-get install chromium"), browser_record._tab():
        pass
