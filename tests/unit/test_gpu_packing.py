"""Packing: what is packed comes back, and no pair sees another's tokens."""

import pytest
import torch
from gpu_devices import devices

from utils.speed.gpu import packing

LENGTHS = [3, 1, 5, 4]


@pytest.fixture(params=devices())
def batch(request):
    """Values (4, 6, 2) on the device, and the mask of pairs with 3, 1, 5 and 4 real tokens."""
    mask = (torch.arange(6) < torch.tensor(LENGTHS)[:, None]).to(request.param)
    return torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(0)).to(request.param), mask


def test_a_packed_row_has_the_real_tokens_in_their_order_and_says_where_each_pair_begins(batch):
    values, mask = batch
    flat, cu_seqlens = packing.unpad(values, mask)
    assert cu_seqlens.tolist() == [0, 3, 4, 9, 13]
    assert torch.equal(flat[:3], values[0, :3]) and torch.equal(flat[9:], values[3, :4])


def test_what_was_packed_comes_back_with_zeros_as_fillers(batch):
    values, mask = batch
    back = packing.repack(*packing.unpad(values, mask), n_tokens=6)
    assert torch.equal(back, values * mask[..., None])


def test_fillers_on_the_left_are_left_out_too(batch):
    values, mask = batch
    flat, _ = packing.unpad(values.flip(1), mask.flip(1))
    assert torch.equal(flat[:3], values[0, :3].flip(0))


def test_ids_are_packed_as_hidden_states_are(batch):
    values, mask = batch
    ids = (values[..., 0] * 100).long()
    assert torch.equal(packing.unpad(ids, mask)[0], (packing.unpad(values, mask)[0][:, 0] * 100).long())


def test_tokens_see_their_own_pair_and_no_other(batch):
    _, mask = batch
    _, cu_seqlens = packing.unpad(mask, mask)
    seen = packing.block_diagonal(cu_seqlens)
    by_hand = torch.block_diag(*(torch.ones(n, n) for n in LENGTHS)).bool()
    assert torch.equal(seen.cpu(), by_hand)


def test_positions_start_again_in_every_pair(batch):
    _, mask = batch
    _, cu_seqlens = packing.unpad(mask, mask)
    assert packing.positions(cu_seqlens).tolist() == [0, 1, 2, 0, 0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_the_share_of_filler_is_what_is_not_real(batch):
    assert packing.filler_share(batch[1]) == pytest.approx(1 - 13 / 24)


def test_a_mask_of_another_batch_is_refused(batch):
    values, mask = batch
    with pytest.raises(ValueError, match="attention_mask of this very batch"):
        packing.unpad(values, mask[:, :5])


@pytest.mark.parametrize("n_tokens, n_lost", [(4, 0), (6, 1)])
def test_a_row_that_does_not_fit_is_refused(batch, n_tokens, n_lost):
    flat, cu_seqlens = packing.unpad(*batch)
    with pytest.raises(ValueError, match="repack"):
        packing.repack(flat[n_lost:], cu_seqlens, n_tokens)
