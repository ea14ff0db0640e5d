"""What data sheets say, and the share of it that a rate is worth."""

import pytest

from utils.measure import pricing
from utils.speed.gpu import cards


def test_a_card_is_known_by_the_name_that_pytorch_gives_it():
    assert cards.named("NVIDIA A100-SXM4-40GB").name == "NVIDIA A100"
    assert cards.named("NVIDIA L4").tflops["bf16"] == 121


def test_a_card_is_not_taken_for_another_whose_name_begins_alike():
    with pytest.raises(ValueError, match="no data sheet of 'NVIDIA L40S'; there are"):
        cards.named("NVIDIA L40S")


def test_every_card_that_can_be_rented_by_the_price_table_has_its_data_sheet():
    rented = [price.accelerator for price in pricing.load_prices().values() if price.accelerator != "none"]
    assert rented and all(cards.named(name).tflops["bf16"] > 0 for name in rented)


def test_half_the_peak_is_an_mfu_of_one_half():
    # 1 TFLOPS is 5 * 10^11 MACs a second: 500 pairs of 10^9 MACs; 250 of them are half
    assert cards.mfu(250, macs_per_pair=1e9, peak_tflops=1) == pytest.approx(0.5)
    assert cards.pairs_per_s_at(0.5, macs_per_pair=1e9, peak_tflops=1) == pytest.approx(250)


@pytest.mark.parametrize("share", [0, 1.01])
def test_an_mfu_that_no_card_can_have_is_refused(share):
    with pytest.raises(ValueError, match="is not above 0 and at most 1"):
        cards.pairs_per_s_at(share, macs_per_pair=1e9, peak_tflops=1)


def test_a_card_is_fed_by_its_host():
    assert cards.fed(50_000, host_pairs_per_s=10_000, cores=4) == 40_000
    assert cards.fed(30_000, host_pairs_per_s=10_000, cores=4) == 30_000
