"""Peak memory is that of the process measured, whatever the size of the one that asks."""

import inspect
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from utils.measure import memory
from utils.measure.variant import Variant
from utils.rank import runtimes


def run_main(task, *, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(task)))
    memory.main()
    return [int(word) for word in capsys.readouterr().out.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands a parent's peak to its children")
def test_peak_of_a_child_is_its_own_and_leaves_out_its_parents_memory():
    peak = "import sys\nfrom pathlib import Path\n" + inspect.getsource(memory._peak)
    child = peak + "\nbefore = _peak()\nblock = bytearray(b'x') * 100_000_000\nprint(before, _peak())"
    parent = f"import subprocess, sys\nblock = bytearray(b'x') * 400_000_000\nchild = {child!r}\n"
    parent += "subprocess.run([sys.executable, '-c', child], check=True)"
    out = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout
    before, after = map(int, out.split())
    assert before < 100e6 and 90e6 < after - before < 150e6


def test_growth_is_the_difference_of_the_two_peaks_that_the_child_prints(monkeypatch):
    tasks = []
    monkeypatch.setattr(memory, "_run", lambda task: tasks.append(task) or [300, 700])
    variant = Variant("student", "openvino", "int8", threads=2)
    options = {"pairs": [("q", "p")], "max_tokens": 8, "batch_size": 4}
    assert memory.peak_rss_bytes(Path("run"), variant, **options) == 400
    asked = {"run_folder": "run", "variant": vars(variant), "engines": runtimes.MODULES}
    assert tasks == [asked | options]


@pytest.fixture
def seen(monkeypatch):
    """What the child did, in its order; each step that it does raises its peak by 10 bytes."""
    seen = []

    class FakeRanker:
        def __init__(self, folder, **options):
            seen.append((folder, options))

        def score(self, pairs):
            seen.append(pairs)

    monkeypatch.setattr(runtimes, "open_ranker", FakeRanker)
    monkeypatch.setattr(memory.importlib, "import_module", seen.append)
    monkeypatch.setattr(memory, "_peak", lambda: 10 * len(seen))
    return seen


@pytest.mark.parametrize(("runtime", "library"), [("pytorch", "torch"), ("onnxruntime", "onnxruntime")])
def test_child_imports_the_library_then_opens_and_scores_and_tells_both_peaks(
    runtime, library, seen, monkeypatch, capsys
):
    options = {"max_tokens": 8, "batch_size": 4}
    named = {"variant": vars(Variant("student", runtime)), "engines": runtimes.MODULES}
    task = {"run_folder": "run", "pairs": [["q", "p"]], **named, **options}
    engine = runtimes.named(runtime)
    monkeypatch.setattr(runtimes, "named", lambda name: engine)
    assert run_main(task, monkeypatch=monkeypatch, capsys=capsys) == [10, 30]
    opened = {"runtime": runtime, "threads": 1, "device": "cpu", **options}
    assert seen == [library, (Path("run/student"), opened), [("q", "p")]]


def test_failure_of_the_child_is_told_by_its_last_line(monkeypatch):
    failed = subprocess.CompletedProcess([], returncode=1, stdout="", stderr="noise\nKeyError: 'runtime'\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(RuntimeError, match="failed: KeyError: 'runtime'$"):
        memory._run({})


def test_memory_of_scoring_holds_at_least_the_weights(small_folder):
    weights = (small_folder / "model.safetensors").stat().st_size
    variant = Variant(small_folder.name, "onnxruntime")
    peak = memory.peak_rss_bytes(small_folder.parent, variant, pairs=[("red sofa", "a couch")] * 4, max_tokens=64)
    assert 0.5 * weights < peak < 20 * weights


def test_memory_of_a_folder_that_does_not_open_is_an_error_in_its_words(tmp_path):
    with pytest.raises(RuntimeError, match="is missing"):
        memory.peak_rss_bytes(tmp_path, Variant("none", "pytorch"), pairs=[], max_tokens=64)
