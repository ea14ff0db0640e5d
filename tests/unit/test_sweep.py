"""The sweep over judged queries: what it trains, that a cell is made once, and what its table and sentences say."""

import dataclasses
import json

import pytest
from matplotlib import pyplot as plt
from recorded_runs import of_data

from authoring import results_page, sweep
from utils import settings
from utils.course import pipeline
from utils.course.records import recorded_sweep, show_recorded, sweep_tables
from utils.course.records.recorded_sweep import ARMS, BOTH, HEADROOM, LABELS, LONGER, SCORES, SECOND, TEACHER, Cell
from utils.data.shop import judging
from utils.rank.metrics import Quality


def cell(arm, *, n_judged=400, by_query=(0.5, 0.5), seed=0, code="c", curve=()):
    return Cell(
        dataset="synthetic",
        dataset_hash="h",
        profile="laptop",
        seed=seed,
        n_judged=n_judged,
        arm=arm,
        n_pairs=100,
        by_query=list(by_query),
        curve=list(curve),
        seconds=1,
        code=code,
        command="c",
        time_utc="t",
        machine={},
        versions={},
    )


def write(*cells):
    for one in cells:
        recorded_sweep.write(one)
    return recorded_sweep.read(dataset_hash="h")


def test_every_arm_is_trained_at_every_size_and_two_teachers_longer():
    cells = sweep.cells(sweep.SIZES)
    assert len(set(cells)) == len(cells) and sweep.SIZES[2] == judging.N_JUDGED_QUERIES
    assert {(n, arm) for n in sweep.SIZES for arm in ARMS} == set(cells[:-3])
    assert cells[-3:] == [(400, SECOND), (400, LONGER), (2_000, HEADROOM)]


@pytest.fixture
def started(tmp_path):
    """The run of the shop as it is, at the quick profile, in a folder of its own."""
    profile = dataclasses.replace(settings.profile("ci"), n_train_queries=2_000)
    shop = sweep.catalogue_of(judging.N_JUDGED_QUERIES, profile=profile)
    made = of_data("x", profile="ci")
    return dataclasses.replace(made, folder=tmp_path / "run", catalogue=shop, profile=profile, machine={"cores": 1})


def test_fewer_judged_queries_leave_their_texts_to_the_log_and_the_shop_as_it_is_keeps_its_folder(started):
    fewer = sweep.run_of(started, n_judged=100)
    assert len(set(fewer.catalogue.pairs["train"]["query_id"])) == 100
    assert fewer.catalogue.train_queries() == sweep.run_of(started, n_judged=200).catalogue.train_queries()
    assert fewer.folder.parent == started.folder and fewer.catalogue.hash != started.catalogue.hash
    assert sweep.run_of(started, n_judged=judging.N_JUDGED_QUERIES) is started
    longer = sweep.run_of(started, n_judged=judging.N_JUDGED_QUERIES, longer=2)
    assert longer.profile.n_train_pairs == 2 * started.profile.n_train_pairs
    assert longer.profile.n_passes == 2 * started.profile.n_passes and longer.folder != started.folder


@pytest.fixture
def stages_made(started, results, monkeypatch):
    """What the sweep makes, without any training; a stage's quality is the length of its name."""
    made = []
    monkeypatch.setattr(pipeline, "make_teacher", lambda run, echo: made.append((run.folder.name, "teacher")))
    monkeypatch.setattr(
        pipeline,
        "make",
        lambda run, recipe, until, echo: made.append((run.folder.name, pipeline.stage_name(until, recipe=recipe))),
    )
    monkeypatch.setattr(sweep, "judge", lambda run, stage: Quality.of_values([len(stage) / 100] * 2))
    monkeypatch.setattr(sweep, "code_hash", lambda run, arm: f"{run.profile.n_train_pairs} {arm}")
    return made


def study(started, sizes=(100, 400)):
    lines = []
    places = sweep.study(started, sizes=sizes, echo=lines.append)
    return places, [line.partition(": ")[2] for line in lines]


def test_a_cell_is_made_once_and_each_arm_is_its_own_stage(started, stages_made):
    places, said = study(started)
    assert set(said) == {"recorded"} and len(places) == 2 * len(ARMS) + 3
    own = {stage for folder, stage in stages_made if folder == "judged-100"}
    assert own == {"teacher", "labels_alone", "student", "student_scores_alone"}
    assert ("run", "student_second_start") in stages_made
    assert ("run", "teacher") not in stages_made, "the shop as it is has its teacher by a notebook"
    assert ("judged-400-longer-2", "teacher") in stages_made and ("judged-2000-longer-4", "teacher") in stages_made
    places[1].unlink()
    again, said = study(started)
    assert again == places and said.count("recorded") == 1
    made = {
        (one.n_judged, one.arm): one for one in recorded_sweep.read(dataset_hash=started.catalogue.hash, profile="ci")
    }
    assert made[100, BOTH].ndcg10 == pytest.approx(0.07) and made[100, SCORES].ndcg10 == pytest.approx(0.2)
    profile = started.profile
    assert made[100, LABELS].n_pairs == made[100, BOTH].n_pairs == profile.n_distil_pairs + profile.n_label_pairs


def test_a_teachers_curve_is_read_from_its_log_in_pairs(started):
    started.folder.mkdir()
    assert sweep.curve_of(started) == []
    log = [{"step": 10, "loss": 1.0}, {"step": 10, "eval_ndcg10": 0.51239}, {"step": 20, "eval_ndcg10": 0.6}]
    (started.folder / pipeline.TEACHER_LOG).write_text(json.dumps(log))
    assert sweep.curve_of(started) == [
        (10 * started.profile.batch_size, 0.5124),
        (20 * started.profile.batch_size, 0.6),
    ]


def test_the_table_says_at_each_size_what_scores_add_to_labels(results):
    good, poor = (0.8, 0.6, 0.7), (0.5, 0.4, 0.45)
    cells = write(cell(BOTH, by_query=good), cell(LABELS, by_query=poor), cell(TEACHER, by_query=good))
    line = sweep_tables.tabulate(cells).loc["400"]
    assert line["scores and labels"] == "0.700" and line["labels alone"] == "0.450"
    assert line["the teacher's scores alone"] == "–" and line["both less labels alone [95%]"].startswith("+0.250 [")


def test_the_crossover_is_said_where_scores_pay_where_labels_do_and_where_nothing_is_sure(results):
    good, poor, mixed = (0.8, 0.6, 0.7), (0.5, 0.4, 0.45), (0.9, 0.3, 0.8)
    cells = write(
        *(cell(arm, n_judged=100, by_query=values) for arm, values in ((BOTH, good), (LABELS, poor))),
        *(cell(arm, n_judged=200, by_query=values) for arm, values in ((BOTH, good), (LABELS, poor))),
        *(cell(arm, n_judged=400, by_query=values) for arm, values in ((BOTH, good), (LABELS, mixed))),
    )
    assert sweep_tables.crossover(cells) == "scores pay at 100 and 200 judged queries; no difference is sure at 400"
    cells = write(*(cell(arm, n_judged=800, by_query=values) for arm, values in ((BOTH, poor), (LABELS, good))))
    said = (
        "scores pay at 100 and 200 judged queries; labels alone are surely better at 800; no difference is sure at 400"
    )
    assert sweep_tables.crossover(cells) == said
    assert sweep_tables.crossover([]) == "" and sweep_tables.tabulate([]).empty


def test_the_plateau_and_the_headroom_are_differences_to_the_teacher_of_the_data_as_they_are(results):
    cells = write(
        cell(TEACHER, by_query=(0.8, 0.6)),
        cell(TEACHER, n_judged=2_000, by_query=(0.9, 0.9)),
        cell(LONGER, by_query=(0.81, 0.61), curve=[(10, 0.5), (20, 0.6)]),
        cell(HEADROOM, n_judged=2_000, by_query=(1.0, 0.8)),
    )
    assert sweep_tables.plateau(cells).mean == pytest.approx(0.01)
    assert sweep_tables.headroom(cells).mean == pytest.approx(0.2)
    assert sweep_tables.curve(cells) == [(10, 0.5), (20, 0.6)]
    assert sweep_tables.plateau([]) is None and sweep_tables.curve([]) == []


def test_seeds_are_drawn_together_query_by_query(results):
    cells = write(cell(TEACHER, by_query=(0.8, 0.6)), cell(TEACHER, by_query=(0.6, 0.8), seed=1))
    assert list(sweep_tables.of_arm(cells, TEACHER, n_judged=400).ndcg10_by_query.values()) == pytest.approx([0.7, 0.7])


def test_a_notebook_shows_the_sweep_of_its_very_data_or_the_command_that_records_it(results):
    write(cell(BOTH, by_query=(0.8, 0.7)), cell(LABELS, by_query=(0.4, 0.3)))
    assert (
        "scores pay at 400" in show_recorded.crossover(of_data("h")) and show_recorded.crossover(of_data("other")) == ""
    )
    assert list(show_recorded.sweep(of_data("h")).index) == ["400"]
    assert "course results --sweep" in show_recorded.sweep(of_data("other")).data
    assert "of the embedded shop alone" in show_recorded.sweep(of_data("h", dataset="mine")).data
    assert show_recorded.sweep_picture(of_data("other")) is None
    assert "is not recorded" in show_recorded.plateau(of_data("other"))
    assert show_recorded.second_start(of_data("other")) == ""
    write(cell(TEACHER, by_query=(0.6, 0.8)), cell(LONGER, by_query=(0.6, 0.9)))
    said = show_recorded.plateau(of_data("h"))
    assert "+0.050" in said and "a teacher of 0.700" in said
    write(cell(SECOND, by_query=(0.7, 0.7)))
    assert "paraphrase-MiniLM-L3 and not from the teacher's layers: -0.050 [" in show_recorded.second_start(
        of_data("h")
    )


def test_the_picture_has_a_line_for_each_way_to_learn_and_the_finding_as_its_title(results):
    for n_judged in (100, 400):
        write(*(cell(arm, n_judged=n_judged, by_query=(0.5 + i / 10,) * 2) for i, arm in enumerate(ARMS)))
    figure = show_recorded.sweep_picture(of_data("h"))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()][0] == "the teacher"
    assert axes.get_title(loc="left").startswith("Scores pay at 100 and 400") and len(axes.lines) == 4
    plt.close(figure)


def test_the_page_says_what_the_sweep_found(results):
    cells = write(
        cell(BOTH, by_query=(0.8, 0.7)),
        cell(LABELS, by_query=(0.4, 0.3)),
        cell(SECOND, by_query=(0.8, 0.8)),
        *map(cell, (TEACHER, LONGER, HEADROOM)),
    )
    said = results_page.of_sweep(cells)
    assert "scores pay at 400 judged queries." in said and "Twice the steps change the teacher by +0.000" in said
    assert "not from its teacher: +0.050 [" in said and results_page.of_sweep([]) == ""


def test_a_file_that_is_no_cell_is_named(results):
    path = recorded_sweep.write(cell(TEACHER))
    path.write_text(path.read_text().replace('"seed": 0', '"sead": 0'))
    with pytest.raises(ValueError, match=r"sweep/synthetic-laptop-0-400-teacher\.json: s.*delete it"):
        recorded_sweep.read(dataset_hash="h")
