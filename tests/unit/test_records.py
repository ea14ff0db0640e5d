"""The study behind the recorded results: each run once, what it records, README's tables."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from made import notebook, row
from recorded_runs import of_data, read

from authoring import records, results_page
from utils import disk, settings
from utils.course import runner
from utils.course.records import recorded, recorded_kept, show_recorded
from utils.course.run import TEACHER_SCORES, Run
from utils.measure import ledger
from utils.rank import metrics
from utils.shrink.recipe import Recipe


@pytest.fixture
def runs(course, results, monkeypatch):
    """A course whose notebooks do nothing, and recipes that only write one row; holds what was run."""
    made = []

    def begin(notebook, *, profile, dataset, seed, out, needs):
        found = run_made(tmp := Path(out))
        tmp.mkdir(parents=True, exist_ok=True)
        found.save_quality(TEACHER_SCORES, quality({"t1": 0.8, "t2": 0.4}))
        found.run = {"dataset": settings.dataset_name(dataset), "profile": profile, "seed": seed, "dataset_hash": "h"}
        found.run |= {"n_queries": 7, "time_utc": "2026-01-31T"}
        bm25 = row(stage="bm25", label="BM25", notebook="01_one", **found.run)
        old = row(stage="student_old", label="old", notebook=recorded.STUDY, **found.run | {"time_utc": "2025"})
        ledger.append(tmp / "ledger.jsonl", bm25, old)
        found.save_quality("student_old-x-x", quality({"t1": 0.1, "t2": 0.1}))  # of an earlier study
        made.append(("recipes", dataset, seed))
        return found

    def apply(started, *recipes, echo):
        started.save_quality("quantized-openvino-int8", quality({"t2": 0.4, "t1": 0.7}))
        started.save_quality("labels_alone-openvino-fp32", quality({"t2": 0.3, "t1": 0.7}))
        found = [row(stage=stage, notebook=recorded.STUDY, **started.run, **how) for stage, how in ROWS.items()]
        started.pending += found
        rates = {"teacher-pytorch-fp32-cpu-1": (100.0, 50.0, 80.0), "quantized-openvino-int8-cpu-1": (2000, 1100, 1600)}
        rates |= {"teacher_int8-openvino-int8-cpu-1": (250.0, 110.0, 200.0)}
        rates |= {"labels_alone-openvino-fp32-cpu-1": (500.0, 500.0, 500.0)}
        started.keep_rates(rates)
        return found

    monkeypatch.setattr(runner, "make_stages", lambda *, dataset, seed, only, **_: made.append((only, dataset, seed)))
    monkeypatch.setattr(records.course, "begin", begin)
    monkeypatch.setattr(records.pipeline, "apply", apply)
    monkeypatch.setattr(records.pipeline, "on_valid", lambda *_: ON_VALID)
    for name in ("00_zero", "01_one"):
        course.write(name, notebook("a = 1"))
    return made


ROWS = {
    "teacher": {
        "runtime": "pytorch",
        "precision": "fp32",
        "device": "cpu",
        "pairs_per_s": 100.0,
        "disk_bytes": 1000,
        "macs_per_pair": 50,
    },
    "quantized": {
        "label": "quantized, OpenVINO",
        "runtime": "openvino",
        "precision": "int8",
        "device": "cpu",
        "pairs_per_s": 2000.0,
        "disk_bytes": 90,
        "macs_per_pair": 5,
    },
}


ROWS |= {
    "teacher_int8": ROWS["quantized"] | {"label": "teacher in int8", "macs_per_pair": 50, "disk_bytes": 250},
    "labels_alone": ROWS["quantized"] | {"label": "labels_alone, OpenVINO", "precision": "fp32"},
}


def quality(ndcg10):
    return metrics.Quality(ndcg10, {}, dict.fromkeys(ndcg10, ""))


ON_VALID = {"teacher": quality({"v1": 0.8}), "quantized": quality({"v1": 0.796})}


def run_made(folder):
    """A run of nothing but its results and a test split of two queries."""
    pairs = {"test": {"query_id": ["t1", "t2"]}}
    return Run("results", None, "synthetic", 0, folder, SimpleNamespace(pairs=pairs, hash="h"), {})


def study(seeds, datasets=("synthetic",)):
    said = []
    records.study(datasets=datasets, seeds=seeds, recipes=[Recipe()], profile="laptop", echo=said.append)
    return said


def test_a_study_makes_each_run_once_and_goes_on_where_it_stopped(runs, results):
    study([0])
    assert study([0, 1]) == ["synthetic-laptop-0.json: unchanged", "synthetic-laptop-1.json: recorded"]
    one_seed = [("00", "synthetic"), ("01", "synthetic"), ("recipes", "synthetic")]
    assert runs == [(*step, seed) for seed in (0, 1) for step in one_seed] and len(list(results.iterdir())) == 2


def test_preparing_makes_the_stages_of_every_run_and_records_nothing(runs, results, monkeypatch):
    monkeypatch.setattr(records.pipeline, "make_all", lambda run, *recipes, echo: runs.append(("stages", *recipes)))
    records.prepare(datasets=["synthetic"], seeds=[0, 1], recipes=[Recipe()], profile="laptop")
    made = ["00", "01", "recipes", "stages"] * 2  # "recipes": a run has begun
    assert [step for step, *_ in runs] == made and runs[3] == ("stages", Recipe()) and not results.exists()
    assert study([0, 1])[0] == "synthetic-laptop-0.json: recorded"


def test_changed_code_makes_a_run_again_and_a_damaged_file_too(runs, course, results):
    study([0])
    course.write("01_one", notebook("a = 2"))
    study([0])
    (results / "synthetic-laptop-0.json").write_text("{")
    study([0])
    assert [step for step, *_ in runs] == ["00", "01", "recipes"] * 3


def test_a_study_puts_a_table_of_every_data_set_between_the_marks(runs):
    study([0, 1])
    readme, page = results_page.README.read_text(), results_page.PAGE.read_text()
    for text in (readme, page):
        assert text.startswith("before ") and text.endswith(" after") and " old " not in text
    assert "**The embedded shop**, 7 test queries:" in page and "seeds 0, 1" in page and "2026-01-31" in page
    assert results_page.with_headline(readme) == readme and results_page.with_tables(page) == page
    for put in (results_page.with_headline, results_page.with_tables):
        with pytest.raises(ValueError, match="the marks .* are missing"):
            put("no marks")


def test_what_is_kept_of_the_teacher_is_pooled_and_its_cost_is_divided_within_a_run(runs):
    study([0, 1])
    (line,) = [line for line in recorded_kept.kept(read("h")).to_dict("records") if line["MACs"] == "10.0%"][:1]
    assert line["seeds"] == "0, 1"
    assert line["NDCG@10 kept [95%]"].startswith("91.7% [")  # (0.7 + 0.4) / (0.8 + 0.4), each query with its own value
    assert line["less labels alone [95%]"].startswith("+0.050 [")  # 0 on one query, 0.1 on the other
    assert line["× teacher in PyTorch [95%]"] == "20.0 × [20.0, 22.0]"  # 20, 22 and 20, of each seed
    assert line["× teacher in int8 [95%]"] == "8.0 × [8.0, 10.0]"
    short = "NDCG@10, labels alone"  # 91.7%, and an interval over labels alone that holds 0
    assert (line["bytes to ship"], line["MACs"], line["short of the target"]) == ("9.0%", "10.0%", short)
    page = results_page.PAGE.read_text()
    assert "91.7%" in page
    first = " ".join(results_page.README.read_text().split())  # both references, and labels alone
    assert "keeps 91.7% [" in first and "which is +0.050 [" in first and "(Seeds of training: 0, 1;" in first
    assert "20.0 × [20.0, 22.0] the pairs a second of the teacher in fp32 PyTorch" in first
    assert "8.0 × [8.0, 10.0] those of the teacher in int8, with 9.0% of the bytes and 10.0% of the MACs" in first
    assert "On `valid` `quantized` keeps 99.5% [99.5%, 99.5%] of the teacher's NDCG@10: the smallest that" in page


def test_each_reference_is_a_line_too_and_is_held_against_no_labels(runs):
    study([0])
    table = recorded_kept.kept(read("h")).set_index("× teacher in PyTorch [95%]")
    assert "–" in set(table["less labels alone [95%]"]) and len(table) == 2  # labels alone, and the quantized student


def test_a_record_without_the_turns_of_a_row_is_named_with_the_remedy(runs, results):
    study([0])
    path = results / "synthetic-laptop-0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rates": {}}))
    with pytest.raises(ValueError, match="synthetic-laptop-0.json: has no pairs a second of .*delete it, then run"):
        recorded_kept.kept(read("h"))


def test_what_one_stage_kept_is_shown_alone(runs):
    study([0, 1])
    assert list(show_recorded.kept(of_data("h")).index) == ["quantized, OpenVINO", "labels_alone, OpenVINO"]
    assert list(show_recorded.kept(of_data("h"), stage="quantized").index) == ["quantized, OpenVINO"]
    assert "course results --dataset synthetic" in show_recorded.kept(of_data("h"), stage="pruned").data


def test_only_what_this_study_made_is_recorded_and_no_other_study_works_beside_it(runs, results):
    study([0])
    (run,) = read("h")
    assert [each.stage for each in run.ledger_rows()] == ["bm25", *ROWS]
    assert run.ndcg10.keys() == {TEACHER_SCORES, "quantized-openvino-int8", "labels_alone-openvino-fp32"}
    (results / "synthetic-laptop-0.json").unlink()
    lock = settings.ARTIFACTS / "results" / "synthetic-laptop-0" / ".study.lock"
    with disk.lock(lock, busy=""), pytest.raises(ValueError, match="another study is working there"):
        study([0])


def test_a_record_with_a_recipe_that_would_be_lost_is_not_replaced(runs, results):
    both = {"datasets": ["synthetic"], "profile": "laptop", "echo": print}
    records.study(**both, seeds=[0], recipes=[Recipe(), Recipe(name="other")])
    before = (results / "synthetic-laptop-0.json").read_bytes()
    with pytest.raises(ValueError, match=r"-0\.json: holds the recipe 'other'.*add --recipe other, or delete the file"):
        records.study(**both, seeds=[1, 0], recipes=[Recipe()])
    assert (results / "synthetic-laptop-0.json").read_bytes() == before and len(list(results.iterdir())) == 1


def test_the_recipes_of_a_record_are_its_field_and_not_words_of_its_command(runs, results):
    study([0])
    path = results / "synthetic-laptop-0.json"
    held = json.loads(path.read_text())
    assert held["recipes"] == ["default"]
    path.write_text(json.dumps(held | {"code": "older", "command": "course results --recipe other"}))
    assert study([0]) == ["synthetic-laptop-0.json: recorded"]
