"""One model folder in several formats."""

import numpy as np
import pytest
from edge_small import FOLDER, PAIRS, agrees, exact, open_small

from utils.edge.exports import making
from utils.edge.exports.making import FORMATS
from utils.rank import runtimes

HERE = ("onnx", "ort", "openvino")  # formats that need no converter


@pytest.mark.parametrize("to", HERE)
def test_an_export_in_fp32_scores_as_the_model_does(to, tmp_path):
    folder = making.make(FOLDER, tmp_path / to, to=to)

    assert agrees(open_small(FORMATS[to].runtime, folder=folder).score(PAIRS), within=1e-4)
    assert runtimes.named(FORMATS[to].runtime).precision(folder) == "fp32"


@pytest.mark.parametrize("to", HERE)
def test_an_export_in_int8_is_smaller_and_orders_pairs_much_as_the_model_does(to, tmp_path):
    wide = making.make(FOLDER, tmp_path / "fp32", to=to)
    narrow = making.make(FOLDER, tmp_path / "int8", to=to, precision="int8")
    weights = runtimes.named(FORMATS[to].runtime).weights[-1]

    assert runtimes.named(FORMATS[to].runtime).precision(narrow) == "int8"
    assert (narrow / weights).stat().st_size < (wide / weights).stat().st_size
    scores = open_small(FORMATS[to].runtime, folder=narrow).score(PAIRS)
    assert np.corrcoef(scores, exact())[0, 1] > 0.95
    assert not agrees(scores, within=1e-6)


@pytest.mark.parametrize("to", HERE)
def test_an_export_holds_what_is_shipped_and_nothing_else(to, tmp_path):
    folder = making.make(FOLDER, tmp_path / to, to=to)

    there = {path for path in folder.rglob("*") if path.is_file()}
    assert there == set(runtimes.shipped_files(folder, runtime=FORMATS[to].runtime))
    assert making.WEIGHTS not in {path.name for path in there}


def test_a_graph_that_is_in_int8_already_is_kept_as_it_is(tmp_path):
    source = tmp_path / "stage"
    source.mkdir()
    making.fill(FOLDER, source, to="onnx", precision="int8")

    again = making.make(source, tmp_path / "again", to="onnx", precision="int8")

    assert (again / "onnx" / "model.onnx").read_bytes() == (source / "onnx" / "model.onnx").read_bytes()


def test_fp32_of_a_stage_in_int8_is_made_from_its_weights(tmp_path):
    source = tmp_path / "stage"
    source.mkdir()
    making.fill(FOLDER, source, to="onnx", precision="int8")

    folder = making.make(source, tmp_path / "fp32", to="onnx")

    assert agrees(open_small("onnxruntime", folder=folder).score(PAIRS), within=1e-4)


@pytest.mark.parametrize(
    ("chosen", "words"), [({"to": "coreml"}, "coreml"), ({"to": "ort", "precision": "int4"}, "int4")]
)
def test_an_unknown_format_or_precision_is_named_with_those_there_are(chosen, words, tmp_path):
    with pytest.raises(ValueError, match=f"'{words}' is not one of"):
        making.make(FOLDER, tmp_path / "x", **chosen)
    assert not (tmp_path / "x").exists()


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing"):
        making.make(tmp_path, tmp_path / "x", to="onnx")
