"""Softmax by blocks is softmax."""

import pytest
import torch
from gpu_devices import devices

from utils.speed.gpu.online_softmax import online_softmax


@pytest.fixture(params=devices())
def attention(request):
    """Scores (3, 10), some large and one masked, and values (10, 4)."""
    generator = torch.Generator().manual_seed(0)
    scores = 30 * torch.randn(3, 10, generator=generator)
    scores[1, :4] = -torch.inf
    return scores.to(request.param), torch.randn(10, 4, generator=generator).to(request.param)


@pytest.mark.parametrize("block", [1, 3, 10, 64])
def test_every_size_of_block_gives_what_softmax_gives(attention, block):
    scores, values = attention
    found = online_softmax(scores, values, block=block)
    assert torch.allclose(found, scores.softmax(dim=-1) @ values, atol=1e-5)


def test_scores_beyond_the_range_of_exp_do_no_harm():
    values = torch.eye(2)
    assert torch.allclose(
        online_softmax(torch.tensor([1000.0, 1001.0]), values, block=1), torch.tensor([0.2689, 0.7311]), atol=1e-4
    )


def test_a_later_larger_score_scales_down_what_was_summed_before():
    found = online_softmax(torch.log(torch.tensor([1.0, 3.0])), torch.tensor([[8.0], [0.0]]), block=1)
    assert found.item() == pytest.approx(2)


def test_a_row_that_is_masked_whole_gives_zeros(attention):
    _, values = attention
    scores = torch.full((1, 10), -torch.inf, device=values.device)
    assert online_softmax(scores, values, block=4).tolist() == [[0] * 4]


@pytest.mark.parametrize("n_scores, block", [(9, 4), (10, 0)])
def test_what_does_not_fit_is_refused(n_scores, block):
    with pytest.raises(ValueError, match="online_softmax"):
        online_softmax(torch.zeros(n_scores), torch.zeros(10, 4), block=block)
