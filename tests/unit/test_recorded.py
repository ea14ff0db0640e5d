"""Recorded results: what a run's file holds, of which data it is, how runs are drawn together and shown."""

import pytest
from made import row
from recorded_runs import of_data, read, record

from authoring import results_page
from utils import settings
from utils.course.records import recorded, recorded_kept, recorded_sweep, recorded_tables, show_recorded
from utils.course.run import TEACHER_SCORES
from utils.data import catalogue


def test_a_recorded_run_gives_back_its_rows(results):
    rows = [row(dataset="synthetic", profile="laptop", seed=3, label="a"), row(label="b", dataset="synthetic", seed=3)]
    rows = [each.changed(identity={"profile": "laptop"}) for each in rows]
    path = recorded.write(rows, command="course results", code="c")
    assert path == results / "synthetic-laptop-3.json"
    (run,) = read()
    assert run.ledger_rows() == rows and run.command == "course results"
    assert '"machine"' in path.read_text() and path.read_text().count("vector_instructions") == 1


def test_runs_are_drawn_together_by_means_of_quality_and_medians_of_time(results):
    for seed, (ndcg, rate) in enumerate([(0.8, 10), (0.9, 30), (0.7, 11)]):
        record(seed, ndcg10=ndcg, pairs_per_s=rate)
    table = recorded_tables.tabulate(read())
    assert table.loc["teacher", "seeds 0, 1, 2"] == "0.700 to 0.900" and table.loc["teacher", "NDCG@10"] == "0.800"
    assert table.loc["teacher", "pairs/s"] == "11"
    assert "to the teacher" not in table  # no run kept the quality of every query


def test_the_page_says_which_seeds_ran_on_which_machine(results):
    one, other = {"processor": "first", "cores": 2}, {"processor": "second", "cores": 2}
    record(0, machine=one), record(1, machine=one)
    assert "\nMeasured on this machine: processor first" in results_page.sections()
    record(2, machine=other)
    assert "this machine with seed 0 and 1: processor first" in results_page.sections()
    assert "this machine with seed 2: processor second" in results_page.sections()


def test_recorded_figures_are_those_of_the_very_data_and_never_of_others_of_their_name(results):
    record(0, dataset="shop", dataset_hash="one" * 4), record(0, dataset="shop", dataset_hash="two" * 4)
    assert len(list(results.iterdir())) == 2
    assert [run.dataset_hash for run in read("two" * 4)] == ["two" * 4] and read("three" * 4) == []
    shown = show_recorded.quality(of_data("one" * 4, dataset="de/shop"))
    assert list(shown.index) == ["teacher"]
    nothing = show_recorded.quality(of_data("three" * 4, dataset="de/shop"))
    assert "course results --dataset de/shop --profile laptop" in nothing.data
    assert "Nothing is recorded" in show_recorded.kept(of_data("three" * 4)).data


def test_a_folder_called_synthetic_is_shown_nothing_of_the_embedded_shop_and_its_record_replaces_none(results):
    record(0, dataset_hash="the embedded shop")
    own = settings.dataset_name("./synthetic")
    assert "Nothing is recorded" in show_recorded.quality(of_data("own data", dataset="./synthetic")).data
    record(0, dataset=own, dataset_hash="own data")
    assert len(read("the embedded shop")) == len(read("own data")) == 1


def test_the_quick_profile_shows_what_the_default_one_recorded_and_others_their_own(results):
    record(0), record(1, profile="gpu")
    shown = {name: show_recorded.quality(of_data("x", profile=name)) for name in ("ci", "laptop", "gpu")}
    assert "seeds 0" in shown["ci"] and "seeds 0" in shown["laptop"] and "seeds 1" in shown["gpu"]


def test_a_record_of_another_teacher_than_the_runs_is_said_to_be_one(results):
    record(0, ndcg10=0.8, stage="teacher")
    run = of_data("x", seed=0)
    assert "the one of this run" in show_recorded.origin(run, teacher=0.809)
    assert "this run's has 0.850" in show_recorded.origin(run, teacher=0.85)
    assert show_recorded.origin(of_data("x", seed=1), teacher=0.8) == ""
    assert show_recorded.origin(of_data("x", seed=0, profile="ci"), teacher=0.8) == ""


def test_the_page_leaves_out_runs_of_data_that_have_changed_since(results):
    record(0, dataset_hash="old", time_utc="2026-01-01T"), record(1, dataset_hash="new", time_utc="2026-01-02T")
    assert recorded.newest_hash("synthetic") == "new" and recorded.newest_hash("shoes") is None
    assert "seeds 1" in results_page.sections() and "seeds 0" not in results_page.sections()


def test_what_is_committed_of_the_embedded_shop_is_of_the_shop_as_it_is_now():
    now = catalogue.load("synthetic", profile=settings.profile("ci")).hash
    committed = {recorded.newest_hash("synthetic"), *(one.dataset_hash for one in sweep_cells())}
    assert committed <= {now, None}


def sweep_cells():
    """Every committed cell of the sweep, of whatever data."""
    paths = recorded_sweep.folder().glob("synthetic-*.json")
    return [recorded_sweep.Cell.model_validate_json(path.read_bytes()) for path in paths]


def test_a_row_is_of_one_size_of_model_and_says_its_seeds_where_they_are_not_all(results):
    for seed, (n_params, ndcg10) in enumerate([(9, 0.9), (9, 0.8), (5, 0.4)]):
        record(seed, n_params=n_params, ndcg10=ndcg10, time_utc=f"2026-01-0{3 - seed}T")  # seed 0 is the newest
    table = recorded_tables.tabulate(read())
    assert table.loc["teacher", "seeds 0, 1, 2"] == "0.800 to 0.900 (seeds 0, 1)"
    assert table.loc["teacher", "NDCG@10"] == "0.850"
    record(0, n_params=7, ndcg10=0.5, time_utc="2026-01-04T")
    assert recorded_tables.tabulate(read()).loc["teacher", "seeds 0, 1, 2"] == "0.500 (seed 0)"


def test_a_data_set_is_shown_by_the_profile_in_its_record_and_not_by_its_name(results):
    record(0, dataset="gaming-laptop-shop", profile="ci")
    assert results_page.sections() == ""
    record(0, dataset="gaming-laptop-shop")
    assert "**gaming-laptop-shop**" in results_page.sections()


def test_the_interval_of_a_difference_draws_queries_each_with_its_mean_over_the_seeds(results):
    queries = [f"q{i}" for i in range(40)]
    teacher = dict.fromkeys(queries, 0.8)
    for seed, sign in enumerate((1, -1)):  # what a query gains with one seed it loses with the other, less 0.02
        own = {query: 0.79 + sign * (0.1 if i % 2 else -0.1) for i, query in enumerate(queries)}
        bm25 = {"stage": "bm25", "runtime": "bm25s", "precision": "fp32", "label": "BM25"}
        one = row(dataset="synthetic", profile="laptop", seed=seed, **bm25)
        recorded.write([one], command="c", code="c", ndcg10={"bm25-bm25s-fp32": own, TEACHER_SCORES: teacher})
    assert recorded_tables.tabulate(read()).loc["BM25", "to the teacher"] == "-0.010 [-0.010, -0.010]"
    assert recorded_kept.kept(read()).empty  # a baseline has no costs to keep


def test_a_stage_that_took_another_engine_with_another_seed_is_one_line_with_each_seed_s_own_figures(results):
    for seed, (engine, own) in enumerate({"openvino": 0.70, "onnxruntime": 0.74}.items()):
        how = {"stage": "teacher_int8", "runtime": engine, "precision": "int8", "label": "in int8"}
        one = row(dataset="synthetic", profile="laptop", seed=seed, ndcg10=own, **how)
        ndcg10 = {f"teacher_int8-{engine}-int8": {"q": own}, TEACHER_SCORES: {"q": 0.8}}
        recorded.write([one], command="c", code="c", ndcg10=ndcg10)
    table = recorded_tables.tabulate(read())
    assert list(table.index) == ["in int8"] and list(table["seeds 0, 1"]) == ["0.700 to 0.740"]
    assert list(table["to the teacher"]) == ["-0.080 [-0.080, -0.080]"]


def test_a_file_that_is_no_recorded_run_is_named(results):
    path = record(0)
    path.write_text(path.read_text().replace('"seed": 0', '"sead": 0'))
    with pytest.raises(ValueError, match=r"synthetic-laptop-0\.json: s.*delete it, then run: course results"):
        read()


def test_a_notebook_shows_the_rows_of_notebooks_and_not_those_that_recipes_end_in(results):
    changes = {"dataset": "synthetic", "profile": "laptop", "seed": 0}
    rows = [row(label="teacher", stage="teacher", notebook="01_build_the_ranker", **changes)]
    rows.append(row(label="pruned", stage="pruned", notebook=recorded.STUDY, **changes))
    recorded.write(rows, command="c", code="c")
    assert list(recorded_tables.tabulate(read()).index) == ["teacher", "pruned"]
    assert list(show_recorded.quality(of_data("x")).index) == ["teacher"]


@pytest.mark.parametrize(("value", "text"), [(0.98974, "98.97%"), (0.9904, "99.0%"), (0.985, "98.5%")])
def test_rounding_hides_no_miss_of_the_target(value, text):
    assert recorded_kept._share(value, target=0.99) == text


def test_the_smallest_stage_that_keeps_enough_on_valid_is_found_and_test_has_no_say(results):
    sizes = {"quantized": 50, "quantized_small": 20, "quantized_tiny": 10}
    for seed, tiny in ((0, 0.9), (1, 0.6)):
        of_run = {"dataset": "synthetic", "profile": "laptop", "seed": seed, "notebook": recorded.STUDY}
        rows = [row(stage=stage, label=stage, macs_per_pair=macs, **of_run) for stage, macs in sizes.items()]
        on_valid = {"teacher": 0.8, "labels_alone": 1.0, "quantized": 0.82, "quantized_small": 0.8}
        on_valid |= {"quantized_tiny": tiny}
        by_query = {stage: {"v1": ndcg10, "v2": ndcg10} for stage, ndcg10 in on_valid.items()}
        recorded.write(rows, command="c", code="c", on_valid=by_query)
    name, shares = recorded_kept.smallest_that_keeps(read())
    assert name == "quantized_small"
    assert {stage: share.mean for stage, share in shares.items()} == pytest.approx(
        {"quantized": 1.025, "quantized_small": 1.0, "quantized_tiny": 0.9375}
    )
    assert recorded_kept.smallest_that_keeps([]) == (None, {})


@pytest.mark.parametrize(("bm25", "is_sure"), [(0.5, True), (0.7, False)])
def test_a_teacher_without_a_sure_lead_over_the_best_baseline_is_told_to_make_way_for_it(results, bm25, is_sure):
    queries = [f"q{i}" for i in range(30)]
    stages = {"bm25": "bm25s", "fused": "bm25s+pytorch"}
    teacher = {query: 0.7 + 0.1 * (-1) ** i for i, query in enumerate(queries)}
    of_run = {"dataset": "synthetic", "profile": "laptop", "seed": 0, "precision": "fp32"}
    rows = [row(stage=stage, runtime=runtime, label=stage, **of_run) for stage, runtime in stages.items()]
    ndcg10 = {"bm25-bm25s-fp32": dict.fromkeys(queries, bm25), "fused-bm25s+pytorch-fp32": dict.fromkeys(queries, 0.9)}
    on_valid = {"bm25": {"v": 0.6}, "fused": {"v": 0.4}}  # by valid BM25 is the best, whatever fusion does on test
    recorded.write(rows, command="c", code="c", ndcg10=ndcg10 | {TEACHER_SCORES: teacher}, on_valid=on_valid)
    found = recorded_kept.lead(read())
    assert (found.baseline, found.is_sure) == ("bm25", is_sure) and found.interval.mean == pytest.approx(0.7 - bm25)
    assert found.advice == ("" if is_sure else "ship the baseline: BM25")
    assert ("ship the baseline" in results_page.sections()) is not is_sure
    assert recorded_kept.lead([]) is None
