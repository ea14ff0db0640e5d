"""The device matrix on a tiny model, and its records."""

import dataclasses

import pytest
from edge_small import FOLDER, MAX_TOKENS

from utils import settings
from utils.data import catalogue
from utils.edge import recorded_edge
from utils.edge.exports import device_matrix, making
from utils.measure import ledger
from utils.measure.variant import Variant
from utils.rank.setting import Setting

VARIANTS = {
    "PyTorch": Variant("small", "pytorch"),
    "ONNX int8": Variant("narrow", "onnxruntime", "int8"),
    "LiteRT": Variant("small", "litert"),
    "ExecuTorch": Variant("small", "executorch"),
}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "small").symlink_to(FOLDER)
    (folder / "narrow").mkdir()
    making.fill(FOLDER, folder / "narrow", to="onnx", precision="int8")
    return folder


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    profile = dataclasses.replace(settings.profile("ci"), n_latency_queries=1, max_tokens=MAX_TOKENS)
    return Setting(catalogue.load("synthetic", profile=profile), profile, 0, tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def lines(run_folder, setting):
    reference = device_matrix.reference_scores(FOLDER, setting=setting)
    sizes = {"run_folder": run_folder, "setting": setting, "reference": reference, "peaks": {"LiteRT": 7_000_000}}
    return device_matrix.measure(VARIANTS, **sizes)


def test_fp32_formats_score_valid_as_pytorch_does_and_int8_does_not_quite(lines):
    for name in ("PyTorch", "LiteRT", "ExecuTorch"):
        assert lines[name].kept.largest_difference < 1e-4
    assert lines["ONNX int8"].kept.largest_difference > 1e-4
    assert lines["ONNX int8"].kept.rank_correlation < lines["LiteRT"].kept.rank_correlation


def test_every_line_has_its_own_bytes_and_a_hundred_candidates_take_longer_than_twenty(lines):
    assert len({line.n_bytes for line in lines.values()}) == len(lines)
    for line in lines.values():
        assert line.queries[100].percentile(50) > line.queries[20].percentile(50)


def test_a_row_says_memory_where_it_was_measured(lines):
    assert lines["LiteRT"].as_row("LiteRT")["memory MB"] == "7"
    assert lines["PyTorch"].as_row("PyTorch")["memory MB"] == "–"


def test_a_variant_that_claims_another_precision_is_refused(run_folder, setting):
    with pytest.raises(ValueError, match="stored in fp32, not in int8"):
        device_matrix.measure(
            {"x": Variant("small", "litert", "int8")}, run_folder=run_folder, setting=setting, reference=None
        )


def test_a_record_is_read_as_it_was_written_and_a_damaged_one_is_named(lines, run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "RESULTS", tmp_path)
    rows = tuple(recorded_edge.row_of(name, line, run_folder=run_folder) for name, line in lines.items())
    facts = {"machine": {"cores": 2}, "versions": {"torch": "2"}, "dataset": "shop", "dataset_hash": "ab"}
    how = {
        "profile": "ci",
        "seed": 0,
        "git_revision": "c",
        "time_utc": ledger.now(),
        "command": "course results --edge",
    }
    record = recorded_edge.Record(**facts, **how, rows=rows)

    path = recorded_edge.write(record)
    assert recorded_edge.read() == [record]
    assert len({row.model_hash for row in rows}) == len(rows)
    assert len({row.parent_hash for row in rows}) == 1

    path.write_text("{")
    with pytest.raises(ValueError, match="shop-ci-0.json: cannot be read .* record it anew"):
        recorded_edge.read()
