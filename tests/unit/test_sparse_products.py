"""Sparse products give what the dense one gives, calls take turns, and the break-even lies between measured points."""

import numpy as np
import pytest
import torch

from utils.measure import timing
from utils.measure.timing import Timing
from utils.rank import runtimes
from utils.shrink.sparsify import sparse_products as products


def weight_and_hidden(d_out=32, d_in=16, n_tokens=10):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(d_out, d_in, generator=generator), torch.randn(n_tokens, d_in, generator=generator)


@pytest.mark.parametrize("block", [(1, 1), (4, 4), (1, 16)])
def test_blocks_of_the_largest_norm_stay_whole(block):
    weight, _ = weight_and_hidden()
    pruned = products.prune_blocks(weight, density=0.25, block=block)
    grid = weight.reshape(32 // block[0], block[0], 16 // block[1], block[1])
    norms = grid.square().sum(dim=(1, 3)).flatten()
    kept = (pruned.reshape(grid.shape) != 0).all(dim=3).all(dim=1).flatten()
    assert int(kept.sum()) == len(norms) // 4 and norms[kept].min() > norms[~kept].max()
    assert torch.count_nonzero(pruned) == weight.numel() // 4
    assert torch.equal(pruned[pruned != 0], weight[pruned != 0])


def test_blocks_that_do_not_fit_are_refused():
    weight, _ = weight_and_hidden()
    with pytest.raises(ValueError, match="blocks of 5 × 4 in 32 × 16"):
        products.prune_blocks(weight, density=0.5, block=(5, 4))
    with pytest.raises(ValueError, match="density 0"):
        products.prune_blocks(weight, density=0, block=(4, 4))


def test_sparse_products_are_those_of_the_dense_pruned_matrix():
    weight, hidden = weight_and_hidden()
    single = products.prune_blocks(weight, density=0.2, block=(1, 1))
    expected = products.dense_product(single, hidden=hidden)()
    np.testing.assert_allclose(products.scipy_csr(single, hidden=hidden)().T, expected, atol=1e-5)
    blocks = products.prune_blocks(weight, density=0.2, block=(4, 4))
    by_blocks = products.torch_bsr(blocks, hidden=hidden, block=4)
    if by_blocks is not None:  # no such product without MKL
        torch.testing.assert_close(by_blocks().T, products.dense_product(blocks, hidden=hidden)(), atol=1e-5, rtol=1e-5)


def test_every_way_is_compared_at_every_density_and_removed_rows_leave_a_narrower_result():
    weight, hidden = weight_and_hidden()
    found = products.speed(weight, hidden=hidden, densities=(0.5, 0.25), blocks=(4,), repeats=2)
    assert {"CSR, SciPy", "whole rows removed, dense"} <= set(found)
    assert all(list(by_density) == [0.5, 0.25] for by_density in found.values())
    assert all(ratio.low <= ratio.median <= ratio.high for d in found.values() for ratio in d.values())
    narrow = products.ways(weight, hidden=hidden, density=0.25, blocks=())["whole rows removed, dense"]()
    assert narrow.shape == (10, 8)


def test_speed_is_the_dense_time_over_its_own(monkeypatch):
    weight, hidden = weight_and_hidden()
    taken = {
        "dense": Timing((6.0, 6.0)),
        "CSR, SciPy": Timing((2.0, 2.0)),
        "whole rows removed, dense": Timing((3.0,) * 2),
    }
    monkeypatch.setattr(timing, "interleave_calls", lambda calls, repeats: {name: taken[name] for name in calls})
    found = products.speed(weight, hidden=hidden, densities=(0.5,), blocks=())
    medians = {name: by_density[0.5].median for name, by_density in found.items()}
    assert medians == {"CSR, SciPy": 3.0, "whole rows removed, dense": 2.0}


def test_machine_without_sparse_units_has_no_gpu_products(monkeypatch):
    weight, hidden = weight_and_hidden(d_in=64)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert products.gpu_products(weight, hidden=hidden) == {}


def test_break_even_lies_between_the_densities_around_it():
    speeds = {0.1: 4.0, 0.2: 2.0, 0.4: 0.5, 0.8: 0.2}
    assert products.break_even_density(speeds) == pytest.approx(np.sqrt(0.2 * 0.4))
    assert products.break_even_density({0.1: 0.5, 0.5: 0.1}) is None
    assert products.break_even_density({0.1: 5.0, 0.5: 1.5}) is None


def test_calls_take_turns_and_the_first_one_rotates():
    order, ticks = [], iter(range(100))
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    timings = timing.interleave_calls(calls, repeats=3, clock=lambda: next(ticks))
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert {name: timing.samples_ms for name, timing in timings.items()} == dict.fromkeys("abc", (1000.0,) * 3)
    with pytest.raises(ValueError, match="at least one"):
        timing.interleave_calls(calls, repeats=0)


def test_threads_are_as_before_after_the_block_also_when_it_fails():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), runtimes.torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError
    assert torch.get_num_threads() == before
