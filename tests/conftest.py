"""What tests of several modules share."""

import dataclasses

import pytest
from skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401

from utils import settings
from utils.data import catalogue
from utils.rank import models, runtimes, training
from utils.rank.setting import Budget, Setting


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
    profile = dataclasses.replace(settings.profile("ci"), n_stop_queries=2)
    shop = catalogue.load("synthetic", profile=profile)
    model, tokenizer = models.load(small_folder)
    path = tmp_path_factory.mktemp("stages") / "ranking"
    setting = Setting(shop, profile, seed=0, log_folder=tmp_path_factory.mktemp("logs"))
    budget = Budget(n_pairs=3_200, batch_size=16, n_evaluations=1, learning_rate=5e-4)
    training.fine_tune(model, tokenizer=tokenizer, setting=setting, budget=budget)
    models.save(model, tokenizer=tokenizer, folder=path, max_tokens=64)
    runtimes.export_onnx(path)
    runtimes.export_openvino(path)
    return path
