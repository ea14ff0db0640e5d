"""The final figures of stages: an engine, a cascade and a variant on two threads are measured as any other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from utils import settings
from utils.course import measure_stage
from utils.course.run import TEACHER_SCORES, begin
from utils.measure import ledger, ledger_table
from utils.measure.variant import Variant
from utils.rank import metrics, runtimes

HERE = Path(__file__).parent
VARIANTS = {
    "student, two threads": Variant("student", "pytorch", threads=2),
    "student, toy": Variant("student", "toy"),
    "cascade": Variant("cascade", "toy_cascade"),
}


@pytest.fixture(scope="module")
def run(small_folder, ranking_folder, tmp_path_factory):
    """A run with a teacher, a student and a cascade of both, each of two layers; two engines more than the course's."""
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("run")
    patch.setenv("PYTHONPATH", f"{HERE}")  # where a fresh process finds the added engines
    known = {name: module for name, module in runtimes.MODULES.items() if module.startswith("utils.rank.")}
    patch.setattr(runtimes, "MODULES", known)  # another test may have registered the course's own cascade
    sizes = replace(settings.profile("ci"), n_test_queries=6, n_latency_queries=2, n_bootstrap=50)
    patch.setitem(settings.PROFILES, "ci", sizes)
    runtimes.register("toy", "toy_engine"), runtimes.register("toy_cascade", "toy_cascade")
    for stage, source in (("teacher", ranking_folder), ("student", small_folder)):
        shutil.copytree(source, folder / stage)
    runtimes.named("toy").export(folder / "student")
    (folder / "cascade").mkdir()
    of_cascade = [("student", "toy", 1.0), ("teacher", "onnxruntime", 0.2)]
    listed = [dict(zip(("stage", "runtime", "share"), one, strict=True)) for one in of_cascade]
    (folder / "cascade" / "cascade.json").write_text(json.dumps(listed))
    started = begin("07_made", profile="ci", dataset="synthetic", seed=0, out=str(folder))
    teacher = Variant("teacher", "onnxruntime").open(folder, max_tokens=64).score(started.pairs("test"))
    quality = metrics.evaluate(started.catalogue.pairs["test"], teacher, top_gain=started.catalogue.top_gain)
    started.save_quality(TEACHER_SCORES, quality)
    yield started
    patch.undo()


@pytest.fixture(scope="module")
def rows(run):
    found = measure_stage.measure(run, VARIANTS, in_flight=(2,))
    run.write_rows()
    return {row.label: row for row in found}


def test_every_variant_has_a_row_with_all_groups_in_the_ledger_and_a_line_in_the_table(run, rows):
    assert [row.label for row in run.rows()] == [measure_stage.TEACHER, *VARIANTS]
    assert ledger.read(run.folder / "ledger.jsonl") == list(rows.values())
    for label, variant in VARIANTS.items():
        row = rows[label]
        assert row.identity.variant == variant
        assert None not in (row.size.disk_bytes, row.speed.pairs_per_s, row.quality.ndcg10, row.work.macs_per_pair)
        assert row.size.peak_rss_bytes > 0 and row.money.usd_per_million_queries > 0
    table = ledger_table.tabulate(run.rows())
    assert list(table.index) == list(rows) and list(table["threads"]) == ["1", "2", "1", "1"]
    assert list(measure_stage.speedups(run, list(rows.values())).index) == list(rows)


def test_an_engine_of_one_file_is_named_and_versioned_in_its_row(rows):
    row = rows["student, toy"]
    assert row.identity.runtime == "toy" and row.identity.versions["numpy"]
    assert row.size.disk_bytes > 4 * row.size.n_params_embedding * 0.9  # its vectors, not the student's own files


def test_a_cascade_costs_what_its_two_models_do_for_the_pairs_that_each_scores(rows):
    cascade, first = rows["cascade"], rows["student, toy"]
    second = rows[measure_stage.TEACHER]
    assert cascade.size.n_params == first.size.n_params + second.size.n_params
    assert first.work.macs_per_pair < cascade.work.macs_per_pair < 1.2 * second.work.macs_per_pair
    assert cascade.size.disk_bytes > first.size.disk_bytes + 4 * second.size.n_params


def test_queries_in_flight_give_the_row_a_group_of_its_own(rows):
    for row in rows.values():
        load = row.groups()["load_2"].figures()
        assert load["in_flight"] == 2 and load["queries_per_s"] > 0 and load["latency_ms"]["n"] == 2


def test_quality_and_turns_are_kept_by_the_variants_keys(run, rows):
    assert set(run.rates()) == {row.identity.variant.key for row in rows.values()}
    for label, variant in VARIANTS.items():
        assert run.load_quality(variant.scores_key).ndcg10 == rows[label].quality.ndcg10


def test_a_precision_that_the_files_do_not_have_is_refused(run):
    with pytest.raises(ValueError, match="'student' in openvino: its weights are stored in fp32, not in int8"):
        measure_stage.measure(run, {"wrong": Variant("student", "openvino", "int8")})
    assert run.pending == []


def test_a_device_that_the_engine_cannot_use_is_refused(run):
    with pytest.raises(ValueError, match="runtime 'openvino': device 'cuda' is not one of cpu"):
        Variant("student", "openvino", device="cuda").open(run.folder, max_tokens=64)


def test_a_name_stands_for_one_engine(run):
    with pytest.raises(ValueError, match="'toy' is toy_engine already"):
        runtimes.register("toy", "another")
