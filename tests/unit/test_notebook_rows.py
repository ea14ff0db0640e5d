"""The rows that notebook 02 adds: the teacher in two engines with one quality, and a cost without one."""

import shutil
from types import SimpleNamespace

import pytest

from utils import settings
from utils.course import ledger_fields, notebook_rows
from utils.course.run import begin
from utils.measure import load, memory
from utils.measure.timing import Rate, Timing
from utils.rank import metrics, models
from utils.rank.evaluation import EndToEnd

TIMINGS = {"slow": Timing((20.0, 30.0)), "fast": Timing((2.0, 3.0))}
RATES = {"slow": Rate((100.0,), 8), "fast": Rate((900.0,), 64)}


@pytest.fixture(scope="module")
def run(small_folder, tmp_path_factory):
    """A run whose only stage is a teacher of two layers; its quality is made up."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(small_folder, folder / "teacher")
    return begin("02_price_the_ranker", profile="ci", dataset="synthetic", seed=0, out=str(folder))


@pytest.fixture
def priced(run, monkeypatch):
    """The teacher's rows, and what its memory was measured with, by engine."""
    whole = metrics.Quality({"q": 0.75}, {"q": 1.0}, {"q": ""}, {"q": 0.25})
    quality = ledger_fields.test_quality(whole, teacher=None, n_resamples=20, end_to_end=EndToEnd.absent("not run"))
    monkeypatch.setattr(run, "row_of", lambda stage, runtime: SimpleNamespace(quality=quality))
    asked = {}
    monkeypatch.setattr(
        memory, "peak_rss_bytes", lambda folder, variant, **how: asked.setdefault(variant.runtime, how) and 1_000
    )
    labels = {"slow": "pytorch", "fast": "onnxruntime"}
    rows = notebook_rows.add_priced_teacher(run, TIMINGS, RATES, runtime_of=labels, instance="", drift=1e-5)
    return {row.label: row for row in rows}, asked


def test_both_engines_have_the_measured_quality_and_each_its_own_time_and_work(priced, run):
    rows, _ = priced
    assert {label: row.identity.runtime for label, row in rows.items()} == {"slow": "pytorch", "fast": "onnxruntime"}
    assert {row.quality.ndcg10 for row in rows.values()} == {0.75}
    assert [row.speed.pairs_per_s for row in rows.values()] == [100.0, 900.0]
    assert rows["slow"].money.usd_per_million_queries == pytest.approx(9 * rows["fast"].money.usd_per_million_queries)
    assert (
        rows["fast"].work.macs_per_pair < rows["slow"].work.macs_per_pair
    )  # the export computes the first token alone
    assert "differ by 1e-05" in rows["slow"].quality.reason("ndcg10_end_to_end")


def test_memory_is_that_of_one_query_with_its_candidates_at_the_best_batch(priced, run):
    _, asked = priced
    query = load.workload(run.catalogue, n_queries=3)[0]
    assert {how["batch_size"] for how in asked.values()} == {8, 64}
    for how in asked.values():
        assert how["pairs"] == query and len(query) == settings.N_CANDIDATES
        assert how["max_tokens"] == run.profile.max_tokens


def test_a_cost_without_a_quality_says_why_it_has_none(run, small_folder):
    model, _ = models.load(small_folder)
    row = notebook_rows.add_cost_only(run, model, TIMINGS["slow"], RATES["slow"], macs=12, instance="")
    assert (row.stage, row.work.macs_per_pair, row.speed.pairs_per_s) == ("bert_base_cost", 12, 100.0)
    assert row.quality.ndcg10 is None and "random weights" in row.quality.reason("ndcg10")
    assert row.size.n_params == sum(weights.numel() for weights in model.parameters())
