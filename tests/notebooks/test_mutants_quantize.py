"""A quantizer that leaves fp32 in one of its graphs, or in both, is refused by the gate of notebook 06."""

import shutil

import pytest

from authoring import gates
from utils.measure import cost, ledger
from utils.rank import runtimes

NOTEBOOK = "06_quantize"
GRAPHS = {"onnxruntime": "onnx", "openvino": "openvino"}


def faults_with(*left, out, tmp_path):
    """What the gate says when the quantized stage holds the student's own graph for these runtimes."""
    folder = shutil.copytree(out / "quantized", tmp_path / "quantized")
    for runtime in left:
        shutil.rmtree(folder / GRAPHS[runtime])
        shutil.copytree(out / "student" / GRAPHS[runtime], folder / GRAPHS[runtime])
    rows = [row for row in ledger.read(out / "ledger.jsonl") if row.identity.notebook == NOTEBOOK]
    return gates.problems(
        NOTEBOOK, gates.read()[NOTEBOOK], seconds=1, rows=[of_files(row, folder=folder) for row in rows]
    )


def of_files(row, *, folder):
    """The row with the bytes of the folder's files, where it is of the quantized stage."""
    if row.stage != "quantized":
        return row
    return row.changed(
        size={"disk_bytes": cost.disk_bytes(runtimes.shipped_files(folder, runtime=row.identity.runtime))}
    )


@pytest.mark.parametrize("left", [("onnxruntime",), ("openvino",), ("onnxruntime", "openvino")], ids="+".join)
def test_a_quantizer_that_leaves_fp32_is_refused(out, tmp_path, left):
    problems = faults_with(*left, out=out, tmp_path=tmp_path)
    assert len(problems) == len(left) and all("quantized: disk_bytes" in problem for problem in problems)


def test_the_notebooks_own_stage_passes(out, tmp_path):
    assert faults_with(out=out, tmp_path=tmp_path) == []
