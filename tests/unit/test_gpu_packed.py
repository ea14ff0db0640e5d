"""A model over packed rows scores as over padded batches, on every device, and leaves no tensor behind."""

import copy

import numpy as np
import pytest
import torch
from gpu_devices import OneDevice, devices

from utils.rank import models, runtimes
from utils.speed.gpu import attention, device, device_ranker, engines, layouts, packing
from utils.speed.gpu.attention import Segments
from utils.speed.gpu.packed_model import PackedClassifier

PAIRS = [
    (query, "x " * n + "red shoe") for query in ("red shoe", "a long warm blue coat") for n in (0, 3, 1, 9, 3, 30, 0)
]
LENGTHS = [3, 3, 5, 1, 4]


@pytest.fixture(params=devices())
def where(request):
    return device.choose(request.param)


@pytest.fixture
def row(where):
    """Queries, keys and values (16, 2, 8) of a packed row of five pairs, and where these lie."""
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(sum(LENGTHS), 2, 8, generator=generator).to(where.torch) for _ in range(3)]
    cu_seqlens = packing.cumulative(torch.tensor(LENGTHS)).to(where.torch)
    return parts, Segments.of(cu_seqlens, lengths=LENGTHS)


def test_runs_are_neighbours_of_one_length(row):
    assert row[1].runs == ((2, 3), (1, 5), (1, 1), (1, 4)) and row[1].longest == 5


@pytest.mark.parametrize("kernel", [attention.attend, attention.by_runs, attention.by_nested])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")  # on a CPU, jagged attention takes a detour
def test_every_kernel_gathers_what_the_block_diagonal_mask_lets_through(row, kernel):
    parts, segments = row
    wanted = attention.by_mask(*parts, segments=segments)
    assert wanted.std() > 0.1
    assert torch.allclose(kernel(*parts, segments=segments), wanted, atol=1e-5)


@pytest.fixture(scope="module")
def opened(ranking_folder):
    return models.load(ranking_folder)


def build(opened, layout, **how):
    model, tokenizer = opened
    how = {"max_tokens": 32, "batch_size": 5, "device": device.choose("cpu")} | how
    return device_ranker.build(model, tokenizer=tokenizer, layout=layout, **how)


def every_layout(tokenizer):
    return {
        "padded": layouts.padded(tokenizer),
        "sorted": layouts.sorted_by_length(tokenizer),
        "bucketed": layouts.bucketed(tokenizer, n_rows=5),
        "packed": layouts.packed(),
        "packed, bounded": layouts.packed(longest=32),
    }


@pytest.mark.parametrize("name", ["padded", "sorted", "bucketed", "packed", "packed, bounded"])
def test_every_layout_scores_as_pytorch_does(opened, where, name):
    model, tokenizer = opened
    wanted = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=32).score(PAIRS)
    found = build(opened, every_layout(tokenizer)[name], device=where).score(PAIRS)
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_model_with_pruned_heads_is_packed_as_it_is(opened):
    model, tokenizer = opened
    pruned = copy.deepcopy(model)
    pruned.prune_heads({0: [1, 3]})
    wanted = runtimes.wrap_torch(pruned, tokenizer=tokenizer, threads=1, max_tokens=32).score(PAIRS)
    np.testing.assert_allclose(build((pruned, tokenizer), layouts.packed()).score(PAIRS), wanted, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 32])
def test_the_engine_scores_a_folder_as_pytorch_does(ranking_folder, where, batch_size):
    limits = {"threads": 1, "max_tokens": 32, "batch_size": batch_size}
    packed = runtimes.open_ranker(ranking_folder, runtime=engines.PACKED, device=where.kind, **limits)
    plain = runtimes.open_ranker(ranking_folder, runtime="pytorch", **limits)
    np.testing.assert_allclose(packed.score(PAIRS), plain.score(PAIRS), atol=1e-5)


def test_no_pairs_give_no_scores(opened):
    assert build(opened, layouts.packed()).score([]).shape == (0,)


def test_packed_batches_have_no_filler_and_sorted_ones_less_than_those_in_order(opened):
    encoded = build(opened, layouts.packed()).encode(PAIRS)
    counts = {name: layouts.token_counts(one, [encoded], batch_size=5) for name, one in every_layout(opened[1]).items()}
    found = {name: layouts.filler(of_batches) for name, of_batches in counts.items()}
    assert {sum(real for real, _ in of_batches) for of_batches in counts.values()} == {
        sum(map(len, encoded["input_ids"]))
    }
    assert found["packed"] == 0 < found["sorted"] < found["padded"]
    assert found["sorted"] <= found["bucketed"]


def test_buckets_have_few_shapes(opened):
    encoded = build(opened, layouts.packed()).encode(PAIRS)
    made = layouts.bucketed(opened[1], n_rows=5).batches(encoded, batch_size=5)
    shapes = {tuple(batch.tensors["input_ids"].shape) for _, batch in made}
    assert all(n_rows == 5 and width % 8 == 0 for n_rows, width in shapes)


@pytest.fixture
def on_meta(opened):
    """A layout's module and one of its batches on `meta`, where tensors have a shape, no values, and no hurry."""

    def place(name):
        layout = every_layout(opened[1])[name]
        _, batch = layout.batches(build(opened, layout).encode(PAIRS), batch_size=5)[-1]
        tensors = {name: one.to("meta") for name, one in batch.tensors.items()}
        return layout, layout.module(copy.deepcopy(opened[0]).to("meta")), layouts.Batch(tensors, batch.lengths)

    return place


@pytest.mark.parametrize("name", ["padded", "bucketed", "packed"])
def test_nothing_is_made_elsewhere_than_the_batch_is_and_no_value_is_waited_for(on_meta, name):
    layout, module, batch = on_meta(name)
    with OneDevice():
        found = layout.forward(module, batch)
    assert found.device.type == "meta" and found.shape == (len(batch.lengths), 1)


@pytest.mark.parametrize("name, left", [("packed", "position_ids"), ("packed", "cu_seqlens"), ("padded", "input_ids")])
def test_a_tensor_left_behind_is_caught(on_meta, name, left):
    layout, module, batch = on_meta(name)
    batch.tensors[left] = torch.ones_like(batch.tensors[left], device="cpu")
    with OneDevice(), pytest.raises(AssertionError, match="cpu, meta"):
        layout.forward(module, batch)


def test_a_model_that_is_no_bert_is_refused():
    from transformers import DistilBertConfig

    model = models.build_untrained(DistilBertConfig(num_labels=1, n_layers=1, dim=16, n_heads=2, hidden_dim=16), seed=0)
    with pytest.raises(ValueError, match="distilbert"):
        PackedClassifier(model)
