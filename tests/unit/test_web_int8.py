"""Graphs for the browser: signed int8 per channel, or the fp32 graph as it is."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from utils.edge import web_int8
from utils.rank import models, runtimes
from utils.rank.runtimes import in_onnxruntime

PAIRS = [("red chair", "red wooden chair"), ("red chair", "blue table"), ("lamp", "desk lamp of brass"), ("", "x")]


def multiplied(path):
    """(type, columns, zero points) of each stored matrix that the graph multiplies."""
    graph = onnx.load(path).graph
    stored = {one.name: one for one in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "MatMulInteger" and node.input[1] in stored]
    found = [(stored[node.input[1]], stored[node.input[3]]) for node in nodes]
    return [(matrix.data_type, matrix.dims[1], list(zero.dims)) for matrix, zero in found]


@pytest.fixture(scope="module")
def graph(small_folder, tmp_path_factory):
    return web_int8.write(small_folder, tmp_path_factory.mktemp("web") / "model.onnx", precision="int8")


def test_weights_are_signed_and_have_a_scale_for_each_channel(graph):
    found = multiplied(graph)
    assert len(found) == 14  # six a layer, the pooler and the head
    assert all(kind == TensorProto.INT8 and zeros == [n_columns] for kind, n_columns, zeros in found)


def test_it_takes_a_third_of_the_fp32_graph_and_scores_nearly_the_same(graph, small_folder):
    assert graph.stat().st_size < 0.34 * (small_folder / in_onnxruntime.GRAPH).stat().st_size
    _, tokenizer = models.described(small_folder)
    found = runtimes.open_graph(graph, tokenizer=tokenizer, threads=1, max_tokens=64).score(PAIRS)
    expected = runtimes.open_ranker(small_folder, runtime="pytorch", threads=1, max_tokens=64).score(PAIRS)
    assert 0 < np.abs(found - expected).max() < 0.2


def test_in_fp32_the_graph_is_the_folders_own(small_folder, tmp_path):
    found = web_int8.write(small_folder, tmp_path / "model.onnx", precision="fp32")
    assert found.read_bytes() == (small_folder / in_onnxruntime.GRAPH).read_bytes()


def test_a_folder_with_a_quantized_graph_is_exported_from_its_weights_and_stays_as_it_is(small_folder, graph, tmp_path):
    folder = tmp_path / "quantized"
    shutil.copytree(small_folder, folder, ignore=shutil.ignore_patterns("openvino"))
    shutil.copyfile(graph, folder / in_onnxruntime.GRAPH)
    found = web_int8.write(folder, tmp_path / "fp32.onnx", precision="fp32")
    assert found.stat().st_size > 2 * graph.stat().st_size
    assert (folder / in_onnxruntime.GRAPH).read_bytes() == graph.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fp32.onnx", "quantized"]


def test_an_unknown_precision_and_what_is_no_model_folder_are_refused(small_folder, tmp_path):
    with pytest.raises(ValueError, match="'int4' is not one of int8, fp32"):
        web_int8.write(small_folder, tmp_path / "model.onnx", precision="int4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="not a model folder"):
        web_int8.write(tmp_path / "empty", tmp_path / "model.onnx", precision="int8")
