"""What the notebooks ship is made by the recipe that they kept, and the tables of README.md are about that recipe."""

import shutil

import numpy as np
import onnx
import pytest
import torch
from made import CI
from onnx import numpy_helper

from utils import course
from utils.course import pipeline
from utils.course.records import recorded
from utils.rank import baselines, models
from utils.shrink import recipe as recipes
from utils.shrink.recipe import Recipe


def test_with_their_own_parameters_the_notebooks_decide_on_the_default_recipe(out):
    kept, default = recipes.kept(out), Recipe()
    assert kept.name == recipes.OF_NOTEBOOKS
    assert kept.revised(name=default.name) == default


@pytest.fixture(scope="module")
def again(out, tmp_path_factory):
    """The folder of a run that has the notebooks' teacher, and the stages that the pipeline made of their recipe.

    Equal to the bit, as long as both train on the same number of threads.
    """
    folder = tmp_path_factory.mktemp("again")
    for stage in ("teacher", baselines.TUNED):  # both score what the student copies
        shutil.copytree(out / stage, folder / stage)
    started = course.begin(recorded.STUDY, **CI, out=str(folder), needs=("teacher",))
    for stage in (*pipeline.CONTROLS, "quantized"):
        pipeline.make(started, recipes.kept(out), until=stage, echo=lambda line: None)
    return folder


@pytest.mark.parametrize("stage", pipeline.STAGES)
def test_the_pipeline_makes_the_weights_of_the_notebooks_stage(out, again, stage):
    (ours, tokenizer), (theirs, their_tokenizer) = (models.load(folder / stage) for folder in (again, out))
    assert tokenizer.get_vocab() == their_tokenizer.get_vocab()
    assert ours.config.pruned_heads == theirs.config.pruned_heads
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight), name


def test_the_pipeline_makes_the_int8_of_the_notebooks_stage_for_both_runtimes(out, again):
    ours, theirs = (onnx_weights(folder / "quantized" / "onnx" / "model.onnx") for folder in (again, out))
    assert ours.keys() == theirs.keys() and any(values.dtype == np.int8 for values in ours.values())
    for name, values in theirs.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)
    of_openvino = [folder / "quantized" / "openvino" / "openvino_model.bin" for folder in (again, out)]
    assert of_openvino[0].read_bytes() == of_openvino[1].read_bytes()


def onnx_weights(path):
    """Every constant of a graph that is written with it, by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
