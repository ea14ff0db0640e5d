"""The bill of a card: calculated from a row's measured CPU, a data sheet and an assumed share of its peak."""

import pytest
from made import row

from utils.course import gpu_bill
from utils.measure import pricing

CARD = pricing.price("g5.xlarge")


def of_cpu(*, pairs_per_s, macs_per_pair):
    found = row(instance="c7i.large", cores=2, macs_per_pair=macs_per_pair)
    return found.model_copy(update={"money": found.money.model_copy(update={"pairs_per_s": pairs_per_s})})


def rivals(*, pairs_per_s=1_000, macs_per_pair=250_000_000, **how):
    one = of_cpu(pairs_per_s=pairs_per_s, macs_per_pair=macs_per_pair)
    return gpu_bill.rivals(one, card=CARD, **{"mfu": 0.5, "host_pairs_per_s": 1e9} | how)


def test_a_card_does_its_peak_times_the_share_over_the_work():
    # 70 TFLOPS * 0.5 / (2 * 0.25 GMACs) = 70,000 pairs a second
    assert rivals().card.queries_per_s == pytest.approx(700)
    assert rivals(mfu=0.25).card.queries_per_s == pytest.approx(350)


def test_a_card_whose_host_cannot_feed_it_does_what_the_host_does():
    assert rivals(host_pairs_per_s=5_000).card.queries_per_s == pytest.approx(CARD.vcpus * 50)


def test_the_cpu_is_the_one_that_was_measured():
    assert rivals(pairs_per_s=1_234).cpu.queries_per_s == pytest.approx(12.34)
    assert rivals().cpu.usd_per_hour == pricing.price("c7i.large").usd_per_hour


def test_a_large_model_pays_on_a_card_and_a_small_one_never():
    assert rivals(pairs_per_s=300).pays_from > 0
    small = rivals(pairs_per_s=20_000, host_pairs_per_s=10_000)
    assert small.pays_from is None
    assert "no traffic" in gpu_bill.tabulate({"small": small}).loc["small", "pays from"]


def test_an_instance_without_a_card_is_refused_with_those_that_have_one():
    assert gpu_bill.rented_card("g5.xlarge").accelerator == "NVIDIA A10G"
    with pytest.raises(ValueError, match="'c7i.large' has no card; take g5.xlarge"):
        gpu_bill.rented_card("c7i.large")


def test_a_prediction_stands_beside_what_was_calculated_or_beside_never():
    assert "predicted 0.50, calculated 1.25, too low by 0.75" in gpu_bill.compare(5e5, 1.25e6)
    assert "it pays at no traffic" in gpu_bill.compare(5e5, None)


def test_the_picture_has_both_machines_of_each_model_and_names_where_they_cross():
    figure = gpu_bill.draw(
        {"large": rivals(pairs_per_s=300), "small": rivals(pairs_per_s=20_000, host_pairs_per_s=1e4)}, title="x"
    )
    (axes,) = figure.axes
    assert [line.get_label().split(",")[0] for line in axes.lines] == ["large", "large", "small", "small"]
    assert len(axes.texts) == 1 and axes.texts[0].get_text().startswith("large: the card pays")
