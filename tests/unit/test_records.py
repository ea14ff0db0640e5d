"""Recorded results: what a run's file holds, how runs are drawn together, when a run is made again, README's tables."""

import fnmatch
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from made import RUN, notebook, replace_once, row

from authoring import records
from utils import disk, freshness, settings
from utils.course import fingerprint, runner
from utils.course.records import recorded, recorded_grid, recorded_tables, show_recorded
from utils.course.run import TEACHER_SCORES, Run
from utils.data import catalogue
from utils.measure import ledger
from utils.rank import metrics
from utils.shrink.recipe import Recipe


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "RESULTS", tmp_path / "results")
    return settings.RESULTS


def record(seed, **changes):
    changes = {"dataset": "synthetic", "profile": "laptop", "label": "teacher", "seed": seed} | changes
    return recorded.write([row(**changes)], command="course results", code="c")


def read(dataset_hash="x"):
    return recorded.read(dataset_hash=dataset_hash)


def of_data(dataset_hash, *, dataset="synthetic", profile="laptop"):
    """A run of a notebook on data of that hash, with no more than what is asked of it here."""
    return Run("01_one", settings.profile(profile), dataset, 0, Path(), SimpleNamespace(hash=dataset_hash), {})


def test_a_recorded_run_gives_back_its_rows(folder):
    rows = [row(dataset="synthetic", profile="laptop", seed=3, label="a"), row(label="b", dataset="synthetic", seed=3)]
    rows = [each.changed(identity={"profile": "laptop"}) for each in rows]
    path = recorded.write(rows, command="course results", code="c")
    assert path == folder / "synthetic-laptop-3.json"
    (run,) = read()
    assert run.ledger_rows() == rows and run.command == "course results"
    assert '"machine"' in path.read_text() and path.read_text().count("vector_instructions") == 1


def test_runs_are_drawn_together_by_means_of_quality_and_medians_of_time(folder):
    for seed, (ndcg, rate) in enumerate([(0.8, 10), (0.9, 30), (0.7, 11)]):
        record(seed, ndcg10=ndcg, pairs_per_s=rate)
    table = recorded_tables.tabulate(read())
    assert table.loc["teacher", "seeds 0, 1, 2"] == "0.700 to 0.900" and table.loc["teacher", "NDCG@10"] == "0.800"
    assert table.loc["teacher", "pairs/s"] == "11"
    assert "to the teacher" not in table  # no run kept the quality of every query


def test_the_page_says_which_seeds_ran_on_which_machine(folder):
    one, other = {"processor": "first", "cores": 2}, {"processor": "second", "cores": 2}
    record(0, machine=one), record(1, machine=one)
    assert "\nMeasured on this machine: processor first" in records.sections()
    record(2, machine=other)
    assert "this machine with seed 0 and 1: processor first" in records.sections()
    assert "this machine with seed 2: processor second" in records.sections()


def test_recorded_figures_are_those_of_the_very_data_and_never_of_others_of_their_name(folder):
    record(0, dataset="shop", dataset_hash="one" * 4), record(0, dataset="shop", dataset_hash="two" * 4)
    assert len(list(folder.iterdir())) == 2
    assert [run.dataset_hash for run in read("two" * 4)] == ["two" * 4] and read("three" * 4) == []
    shown = show_recorded.quality(of_data("one" * 4, dataset="de/shop"))
    assert list(shown.index) == ["teacher"]
    nothing = show_recorded.quality(of_data("three" * 4, dataset="de/shop"))
    assert "course results --dataset de/shop --profile laptop" in nothing.data
    assert "Nothing is recorded" in show_recorded.kept(of_data("three" * 4)).data


def test_a_folder_called_synthetic_is_shown_nothing_of_the_embedded_shop_and_its_record_replaces_none(folder):
    record(0, dataset_hash="the embedded shop")
    own = settings.dataset_name("./synthetic")
    assert "Nothing is recorded" in show_recorded.quality(of_data("own data", dataset="./synthetic")).data
    record(0, dataset=own, dataset_hash="own data")
    assert len(read("the embedded shop")) == len(read("own data")) == 1


def test_the_quick_profile_shows_what_the_default_one_recorded_and_others_their_own(folder):
    record(0), record(1, profile="gpu")
    shown = {name: show_recorded.quality(of_data("x", profile=name)) for name in ("ci", "laptop", "gpu")}
    assert "seeds 0" in shown["ci"] and "seeds 0" in shown["laptop"] and "seeds 1" in shown["gpu"]


def test_the_page_leaves_out_runs_of_data_that_have_changed_since(folder):
    record(0, dataset_hash="old", time_utc="2026-01-01T"), record(1, dataset_hash="new", time_utc="2026-01-02T")
    assert recorded.newest_hash("synthetic") == "new" and recorded.newest_hash("shoes") is None
    assert "seeds 1" in records.sections() and "seeds 0" not in records.sections()


def test_what_is_committed_of_the_embedded_shop_is_of_the_shop_as_it_is_now():
    now = catalogue.load("synthetic", profile=settings.profile("ci")).hash
    assert read(now) and recorded_grid.read(dataset_hash=now)
    assert all(recorded.path_of_record(run).exists() for run in read(now))


def test_a_row_is_of_one_size_of_model_and_says_its_seeds_where_they_are_not_all(folder):
    for seed, (n_params, ndcg10) in enumerate([(9, 0.9), (9, 0.8), (5, 0.4)]):
        record(seed, n_params=n_params, ndcg10=ndcg10, time_utc=f"2026-01-0{3 - seed}T")  # seed 0 is the newest
    table = recorded_tables.tabulate(read())
    assert table.loc["teacher", "seeds 0, 1, 2"] == "0.800 to 0.900 (seeds 0, 1)"
    assert table.loc["teacher", "NDCG@10"] == "0.850"
    record(0, n_params=7, ndcg10=0.5, time_utc="2026-01-04T")
    assert recorded_tables.tabulate(read()).loc["teacher", "seeds 0, 1, 2"] == "0.500 (seed 0)"


def test_a_data_set_is_shown_by_the_profile_in_its_record_and_not_by_its_name(folder):
    record(0, dataset="gaming-laptop-shop", profile="ci")
    assert records.sections() == ""
    record(0, dataset="gaming-laptop-shop")
    assert "**gaming-laptop-shop**" in records.sections()


def test_the_interval_of_a_difference_draws_queries_each_with_its_mean_over_the_seeds(folder):
    queries = [f"q{i}" for i in range(40)]
    teacher = dict.fromkeys(queries, 0.8)
    for seed, sign in enumerate((1, -1)):  # what a query gains with one seed it loses with the other, less 0.02
        own = {query: 0.79 + sign * (0.1 if i % 2 else -0.1) for i, query in enumerate(queries)}
        bm25 = {"stage": "bm25", "runtime": "bm25s", "precision": "fp32", "label": "BM25"}
        one = row(dataset="synthetic", profile="laptop", seed=seed, **bm25)
        recorded.write([one], command="c", code="c", ndcg10={"bm25-bm25s-fp32": own, TEACHER_SCORES: teacher})
    assert recorded_tables.tabulate(read()).loc["BM25", "to the teacher"] == "-0.010 [-0.010, -0.010]"
    assert recorded_tables.kept(read()).empty  # a baseline has no costs to keep


def test_a_file_that_is_no_recorded_run_is_named(folder):
    path = record(0)
    path.write_text(path.read_text().replace('"seed": 0', '"sead": 0'))
    with pytest.raises(ValueError, match=r"synthetic-laptop-0\.json: s.*delete it, then run: course results"):
        read()


def test_a_notebook_shows_the_rows_of_notebooks_and_not_those_that_recipes_end_in(folder):
    changes = {"dataset": "synthetic", "profile": "laptop", "seed": 0}
    rows = [row(label="teacher", stage="teacher", notebook="01_build_the_ranker", **changes)]
    rows.append(row(label="pruned", stage="pruned", notebook=recorded.STUDY, **changes))
    recorded.write(rows, command="c", code="c")
    assert list(recorded_tables.tabulate(read()).index) == ["teacher", "pruned"]
    assert list(show_recorded.quality(of_data("x")).index) == ["teacher"]


@pytest.fixture
def runs(course, folder, monkeypatch):
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
        found = [row(stage=stage, notebook=recorded.STUDY, **started.run, **how) for stage, how in ROWS.items()]
        started.pending += found
        rates = {"teacher-pytorch-fp32-cpu-1": (100.0, 50.0, 80.0), "quantized-openvino-int8-cpu-1": (2000, 1100, 1600)}
        started.keep_rates(rates)
        return found

    monkeypatch.setattr(runner, "make_stages", lambda *, dataset, seed, only, **_: made.append((only, dataset, seed)))
    monkeypatch.setattr(records.course, "begin", begin)
    monkeypatch.setattr(records.pipeline, "apply", apply)
    monkeypatch.setattr(records.pipeline, "on_valid", lambda *_: {"teacher": 0.8, "quantized": 0.796})
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
        "runtime": "openvino",
        "precision": "int8",
        "device": "cpu",
        "pairs_per_s": 2000.0,
        "disk_bytes": 90,
        "macs_per_pair": 5,
    },
}


def quality(ndcg10):
    return metrics.Quality(ndcg10, {}, dict.fromkeys(ndcg10, ""))


def run_made(folder):
    """A run of nothing but its folder and a test split of two queries."""
    pairs = {"test": {"query_id": ["t1", "t2"]}}
    return Run("results", None, "synthetic", 0, folder, SimpleNamespace(pairs=pairs, hash="h"), {})


def study(seeds, datasets=("synthetic",)):
    said = []
    records.study(datasets=datasets, seeds=seeds, recipes=[Recipe()], profile="laptop", echo=said.append)
    return said


def test_a_study_makes_each_run_once_and_goes_on_where_it_stopped(runs, folder):
    study([0])
    assert study([0, 1]) == ["synthetic-laptop-0.json: unchanged", "synthetic-laptop-1.json: recorded"]
    one_seed = [("00", "synthetic"), ("01", "synthetic"), ("recipes", "synthetic")]
    assert runs == [(*step, seed) for seed in (0, 1) for step in one_seed] and len(list(folder.iterdir())) == 2


def test_changed_code_makes_a_run_again_and_a_damaged_file_too(runs, course, folder):
    study([0])
    course.write("01_one", notebook("a = 2"))
    study([0])
    (folder / "synthetic-laptop-0.json").write_text("{")
    study([0])
    assert [step for step, *_ in runs] == ["00", "01", "recipes"] * 3


def test_a_study_puts_a_table_of_every_data_set_between_the_marks(runs):
    before = records.README.read_text()
    study([0, 1])
    page = records.README.read_text()
    assert page.startswith("before ") and page.endswith(" after") and " old " in before and " old " not in page
    assert "**The embedded shop**, 7 test queries:" in page and "seeds 0, 1" in page and "2026-01-31" in page
    assert records.with_results(page) == page
    with pytest.raises(ValueError, match="the marks .* are missing"):
        records.with_results("no marks")


def test_what_is_kept_of_the_teacher_is_pooled_and_its_cost_is_divided_within_a_run(runs):
    study([0, 1])
    table = recorded_tables.kept(read("h"))
    (line,) = table.to_dict("records")
    assert line["seeds"] == "0, 1"
    assert line["NDCG@10 kept"].startswith("91.7% [")  # (0.7 + 0.4) / (0.8 + 0.4), each query with its own value
    assert line["pairs/s [quartiles]"] == "20.0 × [20.0, 21.5]"  # 20, 22 and 20, of each seed
    assert (line["bytes to ship"], line["MACs"], line["short of the target"]) == ("9.0%", "10.0%", "NDCG@10")
    page = records.README.read_text()
    assert "91.7%" in page
    assert "On `valid` `quantized` keeps 99.5% of the teacher's NDCG@10: the smallest that keeps 99% there is" in page


def test_a_record_without_the_turns_of_a_row_is_named_with_the_remedy(runs, folder):
    study([0])
    path = folder / "synthetic-laptop-0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rates": {}}))
    with pytest.raises(ValueError, match="synthetic-laptop-0.json: has no pairs a second of .*delete it, then run"):
        recorded_tables.kept(read("h"))


def test_what_one_stage_kept_is_shown_alone(runs):
    study([0, 1])
    whole = show_recorded.kept(of_data("h"))
    (label,) = whole.index
    assert show_recorded.kept(of_data("h"), stage=label).to_dict() == whole.to_dict()
    assert "course results --dataset synthetic" in show_recorded.kept(of_data("h"), stage="pruned").data


@pytest.mark.parametrize(("value", "text"), [(0.98974, "98.97%"), (0.9904, "99.0%"), (0.985, "98.5%")])
def test_rounding_hides_no_miss_of_the_target(value, text):
    assert recorded_tables._share(value, target=0.99) == text


def test_the_smallest_stage_that_keeps_enough_on_valid_is_found_and_test_has_no_say(folder):
    sizes = {"quantized": 50, "quantized_small": 20, "quantized_tiny": 10}
    for seed, tiny in ((0, 0.9), (1, 0.6)):
        rows = [
            row(dataset="synthetic", profile="laptop", seed=seed, stage=stage, label=stage, macs_per_pair=macs)
            for stage, macs in sizes.items()
        ]
        on_valid = {"teacher": 0.8, "quantized": 0.82, "quantized_small": 0.8, "quantized_tiny": tiny}
        recorded.write(rows, command="c", code="c", on_valid=on_valid)
    name, shares = recorded_tables.smallest_that_keeps(read())
    assert name == "quantized_small" and shares == pytest.approx(
        {"quantized": 1.025, "quantized_small": 1.0, "quantized_tiny": 0.9375}
    )
    assert recorded_tables.smallest_that_keeps([]) == (None, {})


def test_only_what_this_study_made_is_recorded_and_no_other_study_works_beside_it(runs, folder):
    study([0])
    (run,) = read("h")
    assert [each.stage for each in run.ledger_rows()] == ["bm25", "teacher", "quantized"]
    assert run.ndcg10.keys() == {TEACHER_SCORES, "quantized-openvino-int8"}
    (folder / "synthetic-laptop-0.json").unlink()
    lock = settings.ARTIFACTS / "results" / "synthetic-laptop-0" / ".study.lock"
    with disk.lock(lock, busy=""), pytest.raises(ValueError, match="another study is working there"):
        study([0])


def test_a_record_with_a_recipe_that_would_be_lost_is_not_replaced(runs, folder):
    both = {"datasets": ["synthetic"], "profile": "laptop", "echo": print}
    records.study(**both, seeds=[0], recipes=[Recipe(), Recipe(name="other")])
    before = (folder / "synthetic-laptop-0.json").read_bytes()
    with pytest.raises(ValueError, match=r"-0\.json: holds the recipe 'other'.*add --recipe other, or delete the file"):
        records.study(**both, seeds=[1, 0], recipes=[Recipe()])
    assert (folder / "synthetic-laptop-0.json").read_bytes() == before and len(list(folder.iterdir())) == 1


def test_the_recipes_of_a_record_are_its_field_and_not_words_of_its_command(runs, folder):
    study([0])
    path = folder / "synthetic-laptop-0.json"
    held = json.loads(path.read_text())
    assert held["recipes"] == ["default"]
    path.write_text(json.dumps(held | {"code": "older", "command": "course results --recipe other"}))
    assert study([0]) == ["synthetic-laptop-0.json: recorded"]


def test_another_recipe_is_another_run(course):
    for name in ("00_zero", "01_one"):
        course.write(name, notebook("a = 1"))
    one, two = (records.code_hash(**RUN, recipes=[Recipe(loss=loss)]) for loss in ("logit_mse", "margin_mse"))
    assert one != two


SHOWING = """
from utils.course import report, tables
from utils.course.records import show_recorded
from utils.measure import plots
tables.stack([plots.spread, show_recorded.quality, report.write])
"""


@pytest.mark.parametrize(
    ("file", "start", "same"),
    [
        ("measure/plots.py", "def spread(", True),
        ("measure/plots_style.py", "def finish(", True),
        ("course/tables.py", "def stack(", True),
        ("course/report.py", "def write(", True),
        ("course/records/show_recorded.py", "def quality(", True),
        ("course/records/recorded_tables.py", "def tabulate(", True),
        ("shrink/sparsify/sparsity.py", "def arrays(", True),
        ("shrink/distil/distillation.py", "def distil(", False),
        ("measure/timing.py", "def throughput(", False),
        ("course/run.py", "def begin(", False),
    ],
)
def test_what_only_shows_leaves_a_run_fresh_and_what_decides_its_figures_does_not(course, source, file, start, same):
    for name in ("00_zero", "01_one"):
        course.write(name, notebook(f"from utils import course\ncourse.begin()\n{SHOWING}"))
    before = records.code_hash(**RUN, recipes=[])
    replace_once(source / "utils" / file, start, f"@cache\n{start}")
    assert (records.code_hash(**RUN, recipes=[]) == before) is same


def test_every_module_that_only_shows_is_there_and_none_of_them_trains_or_judges():
    names = {
        ".".join(path.relative_to(settings.ROOT).with_suffix("").parts)
        for path in (settings.ROOT / "utils").rglob("*.py")
    }
    for pattern in records.ONLY_SHOW:
        assert fnmatch.filter(names, pattern), f"{pattern} names no module"
    decided = freshness.reached("from utils.course import pipeline\npipeline.apply", without=records.ONLY_SHOW)
    assert {
        "utils.rank.training:fine_tune",
        "utils.rank.metrics:evaluate",
        "utils.measure.timing:throughput",
    } <= decided


READING = "from utils.course.records import show_recorded\nshow_recorded.quality(DATASET)"


def test_recorded_results_make_only_the_notebooks_fresh_that_show_them(folder):
    reads, other = notebook(READING), notebook("from utils.course.records import recorded\nrecorded.STUDY")
    record(0)
    before = [fingerprint.recorded_hashes(nb, dataset="synthetic") for nb in (reads, other)]
    record(0, ndcg10=0.5)
    record(1, dataset="shoes")
    after = [fingerprint.recorded_hashes(nb, dataset="synthetic") for nb in (reads, other)]
    assert before[0].keys() == after[0].keys() == {"recorded synthetic-laptop-0.json"} and before[0] != after[0]
    assert before[1] == after[1] == {}


def test_the_code_of_a_run_changes_with_seed_and_data_but_not_with_where_the_data_lie(course, tmp_path):
    from made import write_shop

    for name in ("00_zero", "01_one"):
        course.write(name, notebook("a = 1"))
    write_shop(tmp_path / "one")
    (tmp_path / "two").mkdir()
    write_shop(tmp_path / "two" / "one")
    hashes = [
        records.code_hash(recipes=[], **RUN | change)
        for change in ({}, {"seed": 1}, {"dataset": str(tmp_path / "one")}, {"dataset": str(tmp_path / "two" / "one")})
    ]
    assert len(set(hashes)) == 3 and hashes[2] == hashes[3]


def test_new_records_rerun_the_notebooks_that_show_them_but_not_where_their_stages_alone_are_wanted(
    course, folder, executed
):
    course.write("01_one", notebook(READING))
    said = []

    def run():
        runner.run(**RUN, out=str(folder / "shows"), echo=said.append)
        runner.make_stages(**RUN, only="01", out=str(folder / "stages"), echo=said.append)
        return [line == "01_one: unchanged" for line in said[-2:]]

    assert run() == [False, False] and run() == [True, True]
    record(0)
    assert run() == [False, True]
