"""What tests of several modules share."""

import pytest

from utils.rank import models, runtimes


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory):
    """A two-layer cut of the pretrained encoder with both formats of its weights."""
    model, tokenizer = models.build_cross_encoder(models.MINILM, seed=0)
    models.keep_layers(model, layers=[0, 3])
    path = tmp_path_factory.mktemp("stages") / "small"
    models.save(model, tokenizer=tokenizer, folder=path, max_tokens=64)
    runtimes.export_onnx(path)
    runtimes.export_openvino(path)
    return path
