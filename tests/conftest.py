"""What tests of several modules share."""

from dataclasses import replace

import pytest

from utils import settings
from utils.data import catalogue
from utils.rank import models, runtimes, training


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


@pytest.fixture(scope="session")
def ranking_folder(small_folder, tmp_path_factory):
    """The small model after some steps of fine-tuning, without which its scores are all nearly the same."""
    shop = catalogue.load("synthetic", profile=settings.profile("ci"))
    model, tokenizer = models.load(small_folder)
    path = tmp_path_factory.mktemp("stages") / "ranking"
    training.fine_tune(
        model,
        tokenizer=tokenizer,
        train=shop.pairs["train"],
        valid=shop.pairs["valid"],
        profile=replace(settings.profile("ci"), n_train_pairs=960, n_stop_queries=2),
        seed=0,
        log_folder=tmp_path_factory.mktemp("logs"),
        top_gain=shop.top_gain,
        learning_rate=5e-4,
    )
    models.save(model, tokenizer=tokenizer, folder=path, max_tokens=64)
    runtimes.export_onnx(path)
    runtimes.export_openvino(path)
    return path
