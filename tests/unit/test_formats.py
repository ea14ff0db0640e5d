"""The formats of a run: made where they can be, named with their remedy where not, and laid out in tables."""

import dataclasses

import numpy as np
import pytest
from edge_small import FOLDER, MAX_TOKENS, PAIRS

from utils import settings
from utils.course import formats, stages
from utils.course.run import Run
from utils.data import catalogue
from utils.edge import recorded_edge
from utils.edge.exports import converters, device_matrix, in_litert
from utils.edge.exports.device_matrix import Line
from utils.edge.exports.fidelity import Fidelity
from utils.edge.recorded_edge import Record, Row
from utils.measure.timing import Timing
from utils.measure.variant import Variant
from utils.rank import models
from utils.rank.metrics import Interval

MADE = ("onnx", "ort", "openvino")  # whatever is installed


def without_converters(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path / "none")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    profile = dataclasses.replace(
        settings.profile("ci"), n_latency_queries=1, max_tokens=MAX_TOKENS, n_valid_queries=10, n_bootstrap=50
    )
    shop = catalogue.load("synthetic", profile=profile)
    machine = {"cores": 1, "architecture": "x86_64"}
    made = Run("12_formats", profile, "synthetic", 0, tmp_path_factory.mktemp("run"), shop, machine)
    model, tokenizer = models.load(FOLDER)
    with stages.whole(made.stage("student"), notebook="04_distill") as partial:
        models.save(model, tokenizer=tokenizer, folder=partial, max_tokens=MAX_TOKENS)
    return made


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        without_converters(monkeypatch, tmp_path_factory.mktemp("artifacts"))
        said = []
        return formats.make(run, "student", echo=said.append), said


def line(precision, *, n_bytes=2e6, ms=4.0, ndcg10=0.0, correlation=1.0, difference=1e-6):
    kept = Fidelity(difference, correlation, 0.8, Interval(ndcg10, ndcg10 - 0.01, ndcg10 + 0.01))
    of = Timing((ms,) * 3)
    return Line(Variant("x", "onnxruntime", precision), int(n_bytes), of, of, {20: of, 100: of}, kept)


LINES = {
    "ONNX fp32": line("fp32", n_bytes=8e6, ms=9.0),
    "ONNX int8": line("int8", correlation=0.9987, difference=0.21, ndcg10=-0.001),
}


def test_what_needs_no_converter_is_made_in_both_precisions_and_the_rest_is_named_with_its_remedy(run, made):
    variants, said = made

    assert list(variants) == [formats.name_of(to, precision) for to in MADE for precision in ("fp32", "int8")]
    for variant in variants.values():
        assert stages.manifest(run.stage(variant.stage))["parent"] == "student"
        assert np.isfinite(variant.open(run.folder, max_tokens=MAX_TOKENS).score(PAIRS)).all()
    assert any("LiteRT is shown as it was recorded" in one and "course converter litert" in one for one in said)


def test_a_runtime_that_is_not_installed_is_named_with_its_remedy(monkeypatch):
    found = formats.importlib.util.find_spec
    monkeypatch.setattr(
        formats.importlib.util, "find_spec", lambda name: None if name == "ai_edge_litert" else found(name)
    )

    assert formats.missing()["litert"] == in_litert.REMEDY
    assert "onnx" not in formats.missing()


def test_a_format_whose_converter_is_there_is_not_missing(monkeypatch):
    monkeypatch.setattr(converters.Converter, "is_installed", property(lambda _: True))
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda _: "found")

    assert formats.missing() == {}


def test_exports_in_int8_get_ledger_rows_under_labels_of_their_own(made):
    variants, _ = made

    rows = formats.in_int8(variants)
    assert list(rows) == ["student, ONNX int8", "student, ORT int8", "student, OpenVINO int8"]
    assert {variant.precision for variant in rows.values()} == {"int8"}


def test_a_matrix_of_a_run_has_every_figure_of_every_export(run, made):
    variants, _ = made
    some = {name: variants[name] for name in ("ONNX fp32", "ONNX int8")}
    reference = device_matrix.reference_scores(run.stage("student"), setting=run.setting)

    lines = formats.measure(run, some, reference=reference)

    assert lines["ONNX fp32"].kept.largest_difference < 1e-4 < lines["ONNX int8"].kept.largest_difference
    assert all(one.peak_bytes > 1e5 and one.n_bytes > 1e4 for one in lines.values())


def test_tables_lay_fp32_beside_int8():
    costs, kept = formats.costs_table(LINES), formats.kept_table(LINES)

    assert costs.loc["ONNX", "MB to ship"] == "8.0 / 2.0"
    assert costs.loc["ONNX", "20 candidates ms, p95"] == "9.0 / 4.0"
    assert costs.loc["ONNX", "memory MB"] == "– / –"
    assert kept.loc["ONNX", "rank correlation, int8"] == "0.9987"
    assert kept.loc["ONNX", "largest difference, fp32"] == "1e-06"
    assert kept.loc["ONNX", "NDCG@10 less PyTorch, int8 [95%]"].startswith("-0.001")


def test_times_of_a_query_are_given_by_format_and_precision():
    times = formats.query_times(LINES, n_candidates=20)

    assert times["ONNX"]["fp32"].percentile(50) == 9.0 and times["ONNX"]["int8"].percentile(50) == 4.0


def test_the_gate_names_the_export_that_leaves_its_limits():
    formats.hold(LINES)
    bad = LINES | {"ORT int8": line("int8", correlation=0.7), "ORT fp32": line("fp32")}

    with pytest.raises(ValueError, match="ORT int8 in int8 leaves its tolerance: rank correlation is 0.7000"):
        formats.hold(bad)


def recorded(dataset):
    row = Row("LiteRT int8", "litert", "int8", "aa" * 8, "bb" * 8, 5, 0.9991, 0.877, LINES["ONNX int8"].as_row("x"))
    facts = {"machine": {"cpu": "x"}, "versions": {}, "dataset_hash": "c", "profile": "laptop", "seed": 0}
    return Record(
        **facts, dataset=dataset, git_revision="d", time_utc="now", command="course results --edge", rows=(row,)
    )


def test_the_record_of_the_embedded_shop_is_shown_with_the_hash_of_its_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "RESULTS", tmp_path)
    for dataset in ("esci", "synthetic"):
        recorded_edge.write(recorded(dataset))

    found = formats.record()
    table = formats.recorded_table(found)
    assert found.dataset == "synthetic"
    assert "bbbbbbbbbbbb" in table.index.name and table.index.tolist() == ["LiteRT int8"]
    assert table.iloc[0]["rank correlation"] == "0.9991" and table.iloc[0]["20 candidates ms, p50 / p95"] == "4.0 / 4.0"


def test_where_nothing_was_recorded_the_table_says_what_records_it(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "RESULTS", tmp_path)

    assert formats.record() is None
    assert "course results --edge" in formats.recorded_table(None).to_string()
