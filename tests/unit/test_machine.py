"""The machine is described and judged by what it has; peaks are real rates and leave PyTorch as it was."""

import json
import socket
from types import SimpleNamespace

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from utils.measure import machine

POOR = {"vector_instructions": [], "memory_bytes": 4e9, "cxx_compiler": False, "gpu": None}
RICH = {"vector_instructions": ["amx_int8", "amx_bf16"], "memory_bytes": 8e9, "cxx_compiler": True, "gpu": "L4"}
MACHINE_NAMES = {"int8 arithmetic", "bf16 arithmetic", "GPU", "C++ compiler", "6 GB of memory"}


@pytest.mark.parametrize(("description", "expected"), [(POOR, False), (RICH, True)])
def test_capabilities_follow_the_description(description, expected, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = {item.name: item.ok for item in machine.can_do(description)}
    assert {name: found[name] for name in MACHINE_NAMES} == dict.fromkeys(MACHINE_NAMES, expected)


@pytest.mark.parametrize(("only", "expected"), [("gcc", False), ("g++", True), ("clang++", True)])
def test_a_compiler_counts_when_it_compiles_cxx(only, expected, monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: name if name == only else None)
    assert machine.describe()["cxx_compiler"] is expected


@pytest.mark.parametrize(("limit", "expected"), [("1000000\n", 1_000_000), ("max\n", None), (None, None)])
def test_memory_is_that_of_the_container_where_it_is_less(limit, expected, tmp_path):
    path = tmp_path / "memory.max"
    if limit:
        path.write_text(limit)
    assert machine._memory_bytes(path) == (expected or psutil.virtual_memory().total)


def test_hub_is_not_asked_when_offline_and_a_failure_is_only_a_no(monkeypatch):
    asked = []

    def refuse(*args, **kwargs):
        asked.append(kwargs["timeout"])
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not machine.hub_reachable() and asked == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert not machine.hub_reachable() and len(asked) == 1 and asked[0] <= 3


def test_vector_instructions_are_those_of_this_processor_and_not_of_its_family(monkeypatch):
    info = SimpleNamespace(features={"avx2", "avx512_vnni", "sse"})
    monkeypatch.setattr(machine.archspec.cpu.detect, "detected_info", lambda: info)
    assert machine.describe()["vector_instructions"] == ["avx2", "avx512_vnni"]


def test_description_is_json_and_holds_no_path_or_name_of_host():
    text = json.dumps(machine.describe())
    assert socket.gethostname() not in text and "/" not in text


def test_peaks_run_with_the_threads_asked_for_and_give_them_back(monkeypatch):
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(machine, "_rate", lambda task, *, work: seen.append(torch.get_num_threads()) or 1e4 * work)
    peaks = machine.peaks(threads=before + 1)
    assert set(seen) == {before + 1} and torch.get_num_threads() == before
    assert [peaks["fp32_gflops"], peaks["int8_gops"]] == pytest.approx([2e4 * 1024**3 / 1e9] * 2)


def test_the_peak_of_fp32_is_that_of_the_better_engine(monkeypatch):
    for in_pytorch, in_onnx in ((2.0, 3.0), (3.0, 2.0)):
        monkeypatch.setattr(machine, "_torch_gflops", lambda dtype, found=in_pytorch: found)
        monkeypatch.setattr(machine, "_onnx_gops", lambda *_, found=in_onnx, **__: found)
        peaks = machine.peaks(threads=1)
        assert (peaks["fp32_gflops"], peaks["fp32_in_pytorch_gflops"]) == (3.0, in_pytorch)


@given(intensity=st.floats(0, 1e4), peak=st.floats(1, 1e4), slope=st.floats(0.1, 1e3))
def test_roofline_never_passes_the_peak_nor_the_slope(intensity, peak, slope):
    bound = machine.roofline_gflops(intensity, peak_gflops=peak, gb_per_s=slope)
    assert bound in (peak, intensity * slope) and bound <= peak and bound <= intensity * slope


def test_roofline_is_a_slope_and_then_flat():
    assert machine.roofline_gflops(2.0, peak_gflops=100, gb_per_s=10) == 20
    assert machine.roofline_gflops(50.0, peak_gflops=100, gb_per_s=10) == 100


def test_description_names_the_machine_and_nobody():
    description = machine.describe()
    assert description["cores"] >= 1 and description["memory_bytes"] > 1e9
    json.dumps(description)
    assert not {"user", "host", "node"} & set(description)
