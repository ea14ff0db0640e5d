"""The final figures of a stage: what is measured beside the clock is each way's own."""

from pathlib import Path
from types import SimpleNamespace

from utils import settings
from utils.course import measure_stage
from utils.course.measure_stage import Way
from utils.measure.timing import Rate


def test_the_memory_of_each_way_is_that_of_its_own_folder_runtime_and_batch_size(monkeypatch):
    def field(folder, **how):
        return {"peak_rss_bytes": (folder.name, how["runtime"], how["batch_size"], how["threads"], how["pairs"])}

    monkeypatch.setattr(measure_stage.ledger_fields, "memory_field", field)
    run = SimpleNamespace(machine={"cores": 2}, profile=settings.profile("ci"), stage=Path)
    ways = {"a": Way("teacher", "pytorch"), "b": Way("student", "openvino"), "c": Way("student", "onnxruntime")}
    rates = {label: Rate((1.0,), batch_size) for label, batch_size in zip(ways, (16, 64, 16), strict=True)}
    pairs = [("q", "p")]
    assert measure_stage._memory(run, ways, pairs=pairs, rates=rates) == {
        "a": {"peak_rss_bytes": ("teacher", "pytorch", 16, 1, pairs)},
        "b": {"peak_rss_bytes": ("student", "openvino", 64, 1, pairs)},
        "c": {"peak_rss_bytes": ("student", "onnxruntime", 16, 1, pairs)},
    }
