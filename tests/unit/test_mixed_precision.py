"""A training step multiplies in bfloat16 where the processor can; weights, evaluations and int8 grids stay fp32."""

import dataclasses

import pytest
import torch

from utils import settings
from utils.data import catalogue
from utils.rank import mixed_precision, models, training
from utils.rank.setting import Budget, Setting

PROFILE = dataclasses.replace(settings.profile("ci"), n_train_queries=8, n_valid_queries=6, n_stop_queries=3)


@pytest.fixture
def kinds(small_folder, tmp_path, monkeypatch):
    """A function that trains for two steps where bfloat16 is of use, or is not; what a product was of, by mode."""
    shop = catalogue.load("synthetic", profile=PROFILE)
    model, tokenizer = models.load(small_folder)
    setting = Setting(shop, PROFILE, seed=0, log_folder=tmp_path)
    seen = {}

    def keep(module, args, output):
        seen.setdefault("training" if module.training else "evaluation", set()).add(output.dtype)

    model.base_model.encoder.layer[0].attention.self.query.register_forward_hook(keep)

    def train(*, of_use):
        monkeypatch.setattr(mixed_precision, "is_of_use", lambda: of_use)
        before = model.classifier.weight.detach().clone()
        log = training.fine_tune(model, tokenizer=tokenizer, setting=setting, budget=Budget(32, 16, 1, 1e-3))
        assert not torch.equal(before, model.classifier.weight)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert any("eval_ndcg10" in entry for entry in log)
        return seen

    return train


def test_steps_multiply_in_bfloat16_and_evaluations_in_fp32(kinds):
    assert kinds(of_use=True) == {"training": {torch.bfloat16}, "evaluation": {torch.float32}}


def test_a_processor_without_bfloat16_trains_in_fp32(kinds):
    assert kinds(of_use=False) == {"training": {torch.float32}, "evaluation": {torch.float32}}


def test_attention_takes_its_plain_formula_in_bfloat16_alone(monkeypatch):
    def is_fused():
        return torch.backends.cuda.flash_sdp_enabled()  # the switch of all devices

    for of_use in (True, False):
        monkeypatch.setattr(mixed_precision, "is_of_use", lambda of_use=of_use: of_use)
        with mixed_precision.autocast(torch.device("cpu")):
            assert is_fused() is not of_use and torch.is_autocast_enabled("cpu") is of_use
        assert is_fused() and not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(
    ("capabilities", "of_use"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True}, False),
        ({}, False),
    ],
)
def test_it_is_of_use_where_there_are_instructions_for_it(capabilities, of_use, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert mixed_precision.is_of_use.__wrapped__() is of_use
