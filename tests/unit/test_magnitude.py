"""The smallest weights of the encoder become zero, exactly so many, and stay zero through training."""

import pytest
import torch
from datasets import Dataset
from made import setting
from torch import nn
from torch.nn.utils import prune as torch_prune

from utils.rank import models, training
from utils.rank.setting import Budget
from utils.shrink.prune import magnitude


@pytest.fixture
def model(small_folder):
    return models.load(small_folder)[0]


@pytest.fixture
def toy():
    """Queries with a good and a bad product each."""
    texts = [
        (f"q{q}", f"p{p}", f"sofa {q}", f"a {state} sofa", p)
        for q in range(8)
        for p, state in enumerate(["new", "old"])
    ]
    names = ("query_id", "product_id", "query", "product", "gain")
    return Dataset.from_list([dict(zip(names, row, strict=True)) | {"kind": ""} for row in texts])


def matrices(model):
    return [linear.weight for linear in magnitude.linear_layers(model).values()]


def others(model):
    """Every weight that is not pruned, by name, as a copy."""
    pruned = {id(weight) for weight in matrices(model)}
    return {name: weight.clone() for name, weight in model.named_parameters() if id(weight) not in pruned}


def zeros(weight):
    return 1 - float(torch.count_nonzero(weight)) / weight.numel()


def test_the_matrices_are_those_of_attention_and_feed_forward(model):
    assert len(matrices(model)) == 2 * 6
    assert sum(weight.numel() for weight in matrices(model)) == 2 * (4 * 384 * 384 + 2 * 384 * 1536)


def test_pruning_by_layer_zeroes_that_share_of_every_matrix_and_nothing_else(model):
    before, kept = [weight.detach().clone() for weight in matrices(model)], others(model)
    magnitude.zero_smallest(model, sparsity=0.7, scope="layer")
    for old, new in zip(before, matrices(model), strict=True):
        assert zeros(new) == pytest.approx(0.7, abs=1e-5)
        assert old[new == 0].abs().max() <= old[new != 0].abs().min()
        assert (new[new != 0] == old[new != 0]).all()
    assert all((weight == kept[name]).all() for name, weight in others(model).items())


def test_pruning_globally_has_one_threshold_so_small_matrices_lose_more(model):
    weights = matrices(model)
    weights[0].data /= 10
    before = torch.cat([weight.detach().flatten() for weight in weights]).abs()
    magnitude.zero_smallest(model, sparsity=0.5, scope="global")
    after = torch.cat([weight.detach().flatten() for weight in weights])
    assert magnitude.sparsity_of(model) == pytest.approx(0.5, abs=1e-6)
    assert before[after == 0].max() <= before[after != 0].min()
    assert zeros(weights[0]) > 0.95 > 0.6 > zeros(weights[-1])


def test_the_zeros_are_those_of_pytorch_s_own_pruning(model, small_folder):
    other, _ = models.load(small_folder)
    targets = [(linear, "weight") for linear in magnitude.linear_layers(other).values()]
    torch_prune.global_unstructured(targets, pruning_method=torch_prune.L1Unstructured, amount=0.6)
    magnitude.zero_smallest(model, sparsity=0.6, scope="global")
    for ours, theirs in zip(matrices(model), magnitude.linear_layers(other).values(), strict=True):
        assert ((ours == 0) == (theirs.weight == 0)).float().mean() > 0.9999  # ties may be broken otherwise


def test_equal_weights_are_not_all_pruned_and_no_sparsity_prunes_nothing(model):
    before = [weight.detach().clone() for weight in matrices(model)]
    magnitude.zero_smallest(model, sparsity=0.0, scope="global")
    assert all((old == new).all() for old, new in zip(before, matrices(model), strict=True))
    for weight in matrices(model):
        nn.init.constant_(weight, 0.5)
    magnitude.zero_smallest(model, sparsity=0.25, scope="layer")
    assert magnitude.sparsity_of(model) == pytest.approx(0.25, abs=1e-5)


def test_schedule_rises_fast_then_slowly_to_its_end_and_stays_there():
    levels = [magnitude.cubic_sparsity(step, n_steps=4, final=0.8) for step in range(6)]
    assert levels == pytest.approx([0.0, 0.8 * (1 - 27 / 64), 0.8 * (1 - 8 / 64), 0.8 * (1 - 1 / 64), 0.8, 0.8])


def step_of(model, optimizer):
    """One training step on made tokens."""
    model.train()
    ids = torch.randint(1000, 2000, (4, 8))
    loss = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_held_zeros_are_zero_in_every_pass_and_at_the_end_though_momentum_moves_them(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    step_of(model, optimizer)  # so that momentum is there before the mask
    magnitude.zero_smallest(model, sparsity=0.5, scope="layer")
    masks, before, seen = [w == 0 for w in matrices(model)], [w.detach().clone() for w in matrices(model)], []
    with magnitude.held(model):
        first = model.base_model.encoder.register_forward_pre_hook(lambda *_: seen.append(magnitude.sparsity_of(model)))
        for _ in range(3):
            step_of(model, optimizer)
        assert magnitude.sparsity_of(model) < 0.5  # the optimizer has just moved them
        first.remove()
    assert seen == pytest.approx([0.5] * 3, abs=1e-5)
    assert all((weight[mask] == 0).all() for weight, mask in zip(matrices(model), masks, strict=True))
    assert all((old != new).any() for old, new in zip(before, matrices(model), strict=True))
    step_of(model, optimizer)
    assert magnitude.sparsity_of(model) < 0.5  # the block is over, nothing is held any more


def test_gradual_pruning_follows_the_schedule_and_what_is_gone_stays_gone(model):
    optimizer, levels, gone = torch.optim.AdamW(model.parameters(), lr=1e-2), [], []
    with magnitude.gradual(model, sparsity=0.8, scope="layer", n_steps=4, every=2):
        note = model.base_model.encoder.register_forward_pre_hook(lambda *_: gone.append(matrices(model)[3] == 0))
        for _ in range(6):
            step_of(model, optimizer)
            levels.append(float(gone[-1].float().mean()))
        note.remove()
    half = magnitude.cubic_sparsity(2, n_steps=4, final=0.8)
    assert levels == pytest.approx([0.0, half, half, 0.8, 0.8, 0.8], abs=1e-4)
    assert all((later[earlier]).all() for earlier, later in zip(gone, gone[1:], strict=False))
    assert magnitude.sparsity_of(model) == pytest.approx(0.8, abs=1e-4)


def test_looking_at_the_model_does_not_advance_the_schedule_and_a_short_training_still_ends_at_the_goal(model):
    with magnitude.gradual(model, sparsity=0.6, scope="global", n_steps=2, every=1):
        model.eval()
        with torch.inference_mode():
            for _ in range(3):
                model(input_ids=torch.ones(1, 4, dtype=torch.long))
        assert magnitude.sparsity_of(model) < 0.01
    assert magnitude.sparsity_of(model) == pytest.approx(0.6, abs=1e-5)


def test_the_course_s_own_fine_tuning_keeps_the_zeros_and_learns(small_folder, tmp_path, toy):
    model, tokenizer = models.load(small_folder)
    magnitude.zero_smallest(model, sparsity=0.5, scope="global")
    before = [weight.detach().clone() for weight in matrices(model)]
    budget = Budget(n_pairs=64, batch_size=16, n_evaluations=2, learning_rate=2e-4)
    with magnitude.held(model):
        where = setting(toy, folder=tmp_path, max_tokens=16)
        training.fine_tune(model, tokenizer=tokenizer, setting=where, budget=budget)
    assert magnitude.sparsity_of(model) == pytest.approx(0.5, abs=1e-5)
    assert any((old != new).any() for old, new in zip(before, matrices(model), strict=True))


def test_unknown_scopes_and_impossible_shares_are_refused_and_touch_nothing(model):
    with pytest.raises(ValueError, match="global, layer"):
        magnitude.zero_smallest(model, sparsity=0.5, scope="row")
    with pytest.raises(ValueError, match=r"from 0 to below 1"):
        magnitude.zero_smallest(model, sparsity=50, scope="global")
    with (
        pytest.raises(ValueError, match="at least 1"),
        magnitude.gradual(model, sparsity=0.5, scope="layer", n_steps=0),
    ):
        pass
    assert magnitude.sparsity_of(model) < 0.01
