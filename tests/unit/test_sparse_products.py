"""Sparse products give what the dense one gives, calls take turns, and the break-even lies between measured points."""

import numpy as np
import pytest
import torch

from utils.measure import timing
from utils.measure.timing import Ratio, Timing
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
    np.testing.assert_allclose(products.csr_product(single, hidden=hidden)().T, expected, atol=1e-5)
    np.testing.assert_allclose(products.onnx_product(single, hidden=hidden)(), expected, atol=1e-5)
    blocks = products.prune_blocks(weight, density=0.2, block=(4, 4))
    by_blocks = products.torch_bsr(blocks, hidden=hidden, block=4)
    if by_blocks is not None:  # no such product without MKL
        torch.testing.assert_close(by_blocks().T, products.dense_product(blocks, hidden=hidden)(), atol=1e-5, rtol=1e-5)


def test_csr_is_scipys_where_pytorch_has_no_mkl(monkeypatch):
    weight, hidden = weight_and_hidden()
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    found = products.csr_product(weight, hidden=hidden)()
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found.T, products.dense_product(weight, hidden=hidden)(), atol=1e-5)


def test_product_of_whole_numbers_is_the_dense_one_to_within_a_step_of_its_grids():
    weight, hidden = weight_and_hidden()
    (_, of_weight), (_, of_hidden) = products.to_levels(weight, largest=63), products.to_levels(hidden, largest=127)
    whole = products.int8_product(weight, hidden=hidden)()
    assert whole.dtype == np.int32 and whole.shape == (10, 32)
    exact = products.dense_product(weight, hidden=hidden)().numpy()
    np.testing.assert_allclose(of_weight * of_hidden * whole, exact, atol=0.3)
    assert np.abs(exact).max() > 5


def test_levels_are_whole_within_their_ends_and_a_matrix_of_zeros_has_some():
    matrix = torch.tensor([[-1.0, 0.26], [0.5, 1.0]])
    levels, scale = products.to_levels(matrix, largest=2)
    assert levels.tolist() == [[-2, 1], [1, 2]] and scale == 0.5
    assert not products.to_levels(torch.zeros(2, 2), largest=63)[0].any()


def test_every_way_is_timed_at_every_density_and_removed_rows_leave_a_narrower_result():
    weight, hidden = weight_and_hidden()
    found = products.times(weight, hidden=hidden, densities=(0.5, 0.25), blocks=(4,), repeats=2)
    assert list(found) == [0.5, 0.25]
    for by_name in found.values():
        assert {products.DENSE, products.DENSE_ONNX, products.INT8, products.CSR, products.ROWS} <= set(by_name)
        assert all(len(timing.samples_ms) == 2 for timing in by_name.values())
    narrow = products.ways(weight, hidden=hidden, density=0.25)[products.ROWS]()
    assert narrow.shape == (10, 8)


def test_times_as_fast_is_the_time_of_what_is_compared_with_over_the_own():
    taken = {products.DENSE: Timing((6.0, 6.0)), products.INT8: Timing((1.0, 1.0)), products.CSR: Timing((2.0, 2.0))}
    than_dense = products.times_as_fast({0.5: taken}, than=products.DENSE)
    assert {name: by_density[0.5].median for name, by_density in than_dense.items()} == {
        products.INT8: 6.0,
        products.CSR: 3.0,
    }
    assert products.times_as_fast({0.5: taken}, than=products.INT8)[products.CSR][0.5].median == 0.5


def test_all_matrices_of_a_model_are_multiplied_in_each_way(monkeypatch):
    weights = [torch.eye(4), torch.ones(2, 6)]
    made = []
    for maker in ("dense_product", "onnx_product", "int8_product", "csr_product"):

        def make(weight, hidden, maker=maker):
            return lambda: made.append((maker, weight.shape, hidden.shape))

        monkeypatch.setattr(products, maker, make)
    found = products.times_of_layers(weights, n_tokens=5, repeats=1)
    assert list(found) == [products.DENSE, products.DENSE_ONNX, products.INT8, products.CSR]
    for maker in ("dense_product", "onnx_product", "int8_product", "csr_product"):
        of_maker = [(weight, hidden) for name, weight, hidden in made if name == maker]
        assert of_maker == 2 * [((4, 4), (5, 4)), ((2, 6), (5, 6))]  # once untimed, once timed


def test_machine_without_sparse_units_has_no_gpu_products(monkeypatch):
    weight, hidden = weight_and_hidden(d_in=64)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert products.gpu_products(weight, hidden=hidden) == {}


def test_break_even_lies_between_the_densities_around_it():
    def at(speeds):
        return products.break_even_zeros({density: Ratio(fast, fast, fast) for density, fast in speeds.items()})

    assert at({0.1: 4.0, 0.2: 2.0, 0.4: 0.5, 0.8: 0.2}) == pytest.approx(1 - np.sqrt(0.2 * 0.4))
    assert at({0.1: 0.5, 0.5: 0.1}) == 1  # at none of them
    assert at({0.1: 5.0, 0.5: 1.5}) == 0  # at all


def test_the_cost_of_a_value_is_its_time_over_that_of_an_element_and_breaks_even_where_both_take_as_long():
    timed = {
        density: {products.CSR: Timing((80 * density,)), products.DENSE: Timing((10.0,))} for density in (0.5, 0.125)
    }
    costs = products.costs_of_a_value(timed, rivals=[products.DENSE])
    assert costs == {density: {products.DENSE: pytest.approx(8)} for density in (0.5, 0.125)}  # even at 1 - 1/8 zeros
    timed[0.125][products.CSR] = Timing((20.0,))
    costs = products.costs_of_a_value(timed, rivals=[products.DENSE])
    assert products.nearest(costs, zeros=0.85, rival=products.DENSE) == pytest.approx(16)


def test_where_it_pays_is_said_in_words_also_where_it_never_or_always_does():
    assert products.pays(0.81) == "above 81% zeros"
    assert products.pays(1.0) == "at no share that was timed" and products.pays(0.0) == "at every share that was timed"


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
