"""What makes recorded results stale, and what new ones make stale."""

import fnmatch

import pytest
from made import RUN, notebook, replace_once, write_shop
from recorded_runs import record

from authoring import records
from utils import freshness, settings
from utils.course import fingerprint, runner
from utils.shrink.recipe import Recipe


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


def test_recorded_results_make_only_the_notebooks_fresh_that_show_them(results):
    reads, other = notebook(READING), notebook("from utils.course.records import recorded\nrecorded.STUDY")
    record(0)
    before = [fingerprint.recorded_hashes(nb, dataset="synthetic") for nb in (reads, other)]
    record(0, ndcg10=0.5)
    record(1, dataset="shoes")
    after = [fingerprint.recorded_hashes(nb, dataset="synthetic") for nb in (reads, other)]
    assert before[0].keys() == after[0].keys() == {"recorded synthetic-laptop-0.json"} and before[0] != after[0]
    assert before[1] == after[1] == {}


def test_the_code_of_a_run_changes_with_seed_and_data_but_not_with_where_the_data_lie(course, tmp_path):
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
    course, results, executed
):
    course.write("01_one", notebook(READING))
    said = []

    def run():
        runner.run(**RUN, out=str(results / "shows"), echo=said.append)
        runner.make_stages(**RUN, only="01", out=str(results / "stages"), echo=said.append)
        return [line == "01_one: unchanged" for line in said[-2:]]

    assert run() == [False, False] and run() == [True, True]
    record(0)
    assert run() == [False, True]
