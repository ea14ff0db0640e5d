"""Recorded results: what a run's file holds, how runs are drawn together, when a run is made again, README's tables."""

import pytest
from made import RUN, notebook, row

from utils import settings
from utils.course import fingerprint, runner, show
from utils.course.authoring import results
from utils.measure import ledger, recorded


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "RESULTS", tmp_path / "results")
    return settings.RESULTS


def record(seed, **changes):
    changes = {"dataset": "synthetic", "profile": "laptop", "label": "teacher", "seed": seed} | changes
    return recorded.write([row(**changes)], command="course results", code="c")


def test_a_recorded_run_gives_back_its_rows(folder):
    rows = [row(dataset="synthetic", profile="laptop", seed=3, label="a"), row(label="b", dataset="synthetic", seed=3)]
    rows = [each.model_copy(update={"profile": "laptop"}) for each in rows]
    path = recorded.write(rows, command="course results", code="c")
    assert path == folder / "synthetic-laptop-3.json"
    (run,) = recorded.read(dataset="synthetic")
    assert run.ledger_rows() == rows and run.command == "course results"
    assert '"machine"' in path.read_text() and path.read_text().count("vector_instructions") == 1


def test_runs_are_drawn_together_by_means_of_quality_medians_of_time_and_the_widest_interval(folder):
    for seed, (ndcg, low, high, rate) in enumerate([(0.8, -0.2, 0.0, 10), (0.9, -0.1, 0.1, 30), (0.7, -0.1, 0.0, 11)]):
        record(seed, ndcg10=ndcg, ndcg10_delta={"mean": ndcg - 0.8, "low": low, "high": high}, pairs_per_s=rate)
    (mean,) = recorded.mean_rows(recorded.read(dataset="synthetic"))
    assert mean.ndcg10 == pytest.approx(0.8) and mean.pairs_per_s == 11
    assert (mean.ndcg10_delta.low, mean.ndcg10_delta.high) == (-0.2, 0.1)
    assert mean.ndcg10_delta.mean == pytest.approx(0.0)
    table = recorded.table(dataset="synthetic")
    assert table.loc["teacher", "seeds 0, 1, 2"] == "0.700 to 0.900" and table.loc["teacher", "NDCG@10"] == "0.800"


def test_a_file_that_is_no_recorded_run_is_named(folder):
    path = record(0)
    path.write_text(path.read_text().replace('"seed": 0', '"sead": 0'))
    with pytest.raises(ValueError, match=r"synthetic-laptop-0\.json: s.*delete it, then run: course results"):
        recorded.read(dataset="synthetic")


def test_where_nothing_is_recorded_the_command_is_said_and_a_notebook_shows_it(folder):
    with pytest.raises(ValueError, match="record it with: course results --dataset shoes"):
        recorded.table(dataset="shoes")
    assert "course results --dataset shoes" in show.recorded_quality("shoes").data


@pytest.fixture
def runs(course, folder, monkeypatch):
    """A course whose runs only write one row; holds the seeds that were run."""
    made = []

    def run(*, profile, dataset, seed, echo):
        made.append(seed)
        out = settings.ARTIFACTS / f"{dataset}-{seed}"
        name = settings.dataset_name(dataset)
        ledger.append(
            out / "ledger.jsonl", row(dataset=name, profile=profile, seed=seed, n_queries=7, time_utc="2026-01-31T")
        )
        return out

    monkeypatch.setattr(runner, "run", run)
    course.write("01_one", notebook("a = 1"))
    return made


def study(seeds, datasets=("synthetic",)):
    said = []
    results.study(datasets=datasets, seeds=seeds, profile="laptop", echo=said.append)
    return said


def test_a_study_makes_each_run_once_and_goes_on_where_it_stopped(runs, folder):
    study([0])
    assert study([0, 1]) == ["synthetic-laptop-0.json: unchanged", "synthetic-laptop-1.json: recorded"]
    assert runs == [0, 1] and len(list(folder.iterdir())) == 2


def test_changed_code_makes_a_run_again_and_a_damaged_file_too(runs, course, folder):
    study([0])
    course.write("01_one", notebook("a = 2"))
    study([0])
    (folder / "synthetic-laptop-0.json").write_text("{")
    study([0])
    assert runs == [0, 0, 0]


def test_a_study_puts_a_table_of_every_data_set_between_the_marks(runs):
    before = results.README.read_text()
    study([0, 1])
    page = results.README.read_text()
    assert page.startswith("before ") and page.endswith(" after") and " old " in before and " old " not in page
    assert "**The embedded shop**, 7 test queries:" in page and "seeds 0, 1" in page and "2026-01-31" in page
    assert results.with_results(page) == page
    with pytest.raises(ValueError, match="the marks .* are missing"):
        results.with_results("no marks")


def test_recorded_results_make_only_the_notebooks_fresh_that_show_them(folder):
    reads, other = notebook("from utils.measure import recorded"), notebook("from utils.measure import cost")
    record(0)
    before = [fingerprint.recorded_hashes(nb, dataset="synthetic") for nb in (reads, other)]
    record(0, ndcg10=0.5)
    record(1, dataset="shoes")
    after = [fingerprint.recorded_hashes(nb, dataset="synthetic") for nb in (reads, other)]
    assert before[0].keys() == after[0].keys() == {"recorded synthetic-laptop-0.json"} and before[0] != after[0]
    assert before[1] == after[1] == {}


def test_the_code_of_a_run_changes_with_seed_and_data_but_not_with_where_the_data_lie(course, tmp_path):
    from made import write_shop

    course.write("01_one", notebook("a = 1"))
    write_shop(tmp_path / "one")
    (tmp_path / "two").mkdir()
    write_shop(tmp_path / "two" / "one")
    hashes = [
        results.code_hash(**RUN | change)
        for change in ({}, {"seed": 1}, {"dataset": str(tmp_path / "one")}, {"dataset": str(tmp_path / "two" / "one")})
    ]
    assert len(set(hashes)) == 3 and hashes[2] == hashes[3]
