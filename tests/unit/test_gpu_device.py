"""Devices, precisions and the range of their numbers, batches made ahead, watts, and training steps."""

import math
import threading

import numpy as np
import pytest
import torch
from gpu_devices import devices

from utils.rank import models, runtimes
from utils.speed.gpu import (
    compilers,
    device,
    device_ranker,
    layouts,
    masking,
    overlap,
    power,
    precision,
    training_steps,
)

PAIRS = [("red shoe", "x " * n + "red shoe") for n in (0, 3, 1, 9, 3, 30)]


@pytest.fixture(params=devices())
def where(request):
    return device.choose(request.param)


@pytest.fixture(scope="module")
def opened(ranking_folder):
    return models.load(ranking_folder)


def build(opened, where, **how):
    sizes = {"max_tokens": 32, "batch_size": 4} | how
    return device_ranker.build(opened[0], tokenizer=opened[1], layout=layouts.packed(), device=where, **sizes)


def test_what_is_sent_arrives_unchanged_on_the_device(where):
    sent = where.send({"a": torch.arange(5)})
    assert sent["a"].device.type == where.kind and sent["a"].tolist() == [0, 1, 2, 3, 4]


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose().kind == "cpu"
    with pytest.raises(ValueError, match="sees no card here; take 'cpu'"):
        device.choose("cuda")
    with pytest.raises(ValueError, match="'tpu' is not one of cpu, cuda"):
        device.choose("tpu")


@pytest.mark.parametrize("name, at_most", [("tf32", 1e-2), ("bf16", 0.1), ("fp16", 1e-2)])
def test_scores_of_a_shorter_precision_are_near_those_of_fp32(opened, where, name, at_most):
    exact = build(opened, where).score(PAIRS)
    near = build(opened, where, precision=name).score(PAIRS)
    assert abs(near - exact).max() < at_most
    assert name == "tf32" or abs(near - exact).max() > 0  # it did compute in that precision


def test_the_model_that_was_cast_stays_as_it_was(opened, where):
    build(opened, where, precision="bf16")
    assert next(opened[0].parameters()).dtype == torch.float32


def test_tf32_is_on_within_its_block_alone():
    before = torch.backends.cuda.matmul.fp32_precision
    with precision.products_in("tf32"):
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
        with precision.products_in("fp32"):
            assert torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == before


def test_an_unknown_precision_is_refused(opened, where):
    with pytest.raises(ValueError, match="'int4' is not one of fp32, tf32, bf16, fp16"):
        build(opened, where, precision="int4")


def test_a_score_that_is_no_number_is_refused_with_its_precision(opened, where):
    def spoil(module):
        module.head.weight.data.fill_(math.inf)
        return module

    with pytest.raises(ValueError, match="packed in fp16 on .*has left the range of fp16"):
        build(opened, where, precision="fp16", change=spoil).score(PAIRS)


def test_what_is_tokenized_ahead_scores_as_what_is_not(opened, where):
    ranker = build(opened, where)
    np.testing.assert_allclose(overlap.OverlappedRanker(ranker, piece=4).score(PAIRS), ranker.score(PAIRS), atol=1e-5)


def test_what_is_made_ahead_comes_in_its_order_and_no_more_of_it_than_may_wait():
    made = []
    taken = overlap.prefetch((made.append(n) or n for n in range(50)), ahead=2)
    assert next(taken) == 0
    assert len(made) <= 5  # one taken, two waiting, one in the hand of its maker, and one that it has just made
    assert list(taken) == list(range(1, 50))


def test_what_fails_ahead_fails_where_it_is_taken():
    def broken():
        yield 1
        raise OSError("no such token")

    taken = overlap.prefetch(broken(), ahead=2)
    assert next(taken) == 1
    with pytest.raises(OSError, match="no such token"):
        next(taken)


def test_a_taker_who_stops_early_leaves_no_thread_behind():
    before = threading.active_count()
    taken = overlap.prefetch(iter(range(1000)), ahead=2)
    next(taken)
    taken.close()
    assert threading.active_count() == before


@pytest.fixture
def batch(opened):
    layout = layouts.padded(opened[1])
    encoded = build(opened, device.choose("cpu")).encode(PAIRS)
    return layout.batches(encoded, batch_size=len(PAIRS))[0][1].tensors


def test_a_mask_that_every_precision_can_hold_leaves_scores_as_they_are(opened, batch):
    model, tokenizer = opened
    wanted = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=32).score(PAIRS)
    np.testing.assert_allclose(masking.scores(model, batch).numpy(), wanted, atol=1e-5)
    in_fp16 = masking.scores(precision.cast(model, "fp16"), batch).numpy()
    np.testing.assert_allclose(in_fp16, wanted, atol=1e-2)


def test_a_mask_beyond_the_range_of_fp16_spoils_every_score_and_none_in_bf16(opened, batch):
    in_fp16 = masking.scores(precision.cast(opened[0], "fp16"), batch, constant=-1e9)
    in_bf16 = masking.scores(precision.cast(opened[0], "bf16"), batch, constant=-1e9)
    assert in_fp16.isnan().all() and in_bf16.isfinite().all()


def test_softmax_by_its_formula_leaves_the_range_where_softmax_does_not():
    scores = torch.tensor([12.0, 11.0], dtype=torch.float16)
    assert masking.plain_softmax(scores).isnan().any() and scores.softmax(0).isfinite().all()
    assert torch.allclose(masking.plain_softmax(scores.float()), scores.float().softmax(0))


def test_the_mean_of_what_was_read_while_the_block_ran():
    readings, ended = iter([100.0, 300.0, None]), threading.Event()

    def read():
        value = next(readings)
        if value is None:
            ended.set()
        return value

    with power.watched(read, every_s=0) as found:
        assert ended.wait(10)
    assert found.mean_watts == 200


def test_without_nvidia_smi_there_are_no_watts(monkeypatch):
    monkeypatch.setattr(power.shutil, "which", lambda name: None)
    with power.watched() as found:
        pass
    assert found.mean_watts is None


@pytest.mark.parametrize("said, watts", [("71.43\n", 71.43), ("[N/A]\n", None), ("", None)])
def test_what_nvidia_smi_says_is_read(monkeypatch, said, watts):
    monkeypatch.setattr(power.shutil, "which", lambda name: name)
    monkeypatch.setattr(power.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": said}))
    assert power.read_watts() == watts


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_training_steps_are_counted_and_lower_the_loss(opened, where, batch, name):
    ticks = iter([0.0, 4.0])
    how = {"device": where, "precision": name, "n_warm": 2, "n_timed": 8, "clock": lambda: next(ticks)}
    found = training_steps.measure(opened[0], batch, targets=torch.linspace(-1, 1, len(PAIRS)), **how)
    assert found.per_s == 2 and found.last_loss < found.first_loss


def test_training_in_fp16_is_refused(opened, where, batch):
    with pytest.raises(ValueError, match="train in bf16"):
        training_steps.measure(opened[0], batch, targets=torch.zeros(len(PAIRS)), device=where, precision="fp16")


def test_attention_by_its_formula_leaves_out_the_fused_kernels_within_the_module_alone():
    class Spy(torch.nn.Module):
        def forward(self, **batch):
            return torch.backends.cuda.flash_sdp_enabled(), batch

    before = torch.backends.cuda.flash_sdp_enabled()
    assert compilers.AttentionByFormula(Spy())(a=1) == (False, {"a": 1})
    assert torch.backends.cuda.flash_sdp_enabled() == before


@pytest.mark.parametrize("change", [compilers.int8, compilers.fp8])
def test_numbers_of_8_bits_without_torchao_say_what_to_install(monkeypatch, opened, change):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(compilers, "import_module", missing)
    with pytest.raises(ValueError, match="pip install torchao"):
        change(opened[0])
