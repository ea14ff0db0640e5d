"""The break-even in traffic: two staircases of whole machines."""

from utils.measure import pricing
from utils.speed.gpu.break_even import Offer, break_even_queries_per_day, instances, usd_per_hour

FULL = 86_400 * pricing.UTILISATION / pricing.PEAK_FACTOR  # queries a day that fill a machine of one query a second
CPU = Offer("cpu", usd_per_hour=0.1, queries_per_s=1)
CARD = Offer("card", usd_per_hour=1.0, queries_per_s=50)


def test_a_full_machine_needs_a_second_one():
    assert [instances(traffic, offer=CPU) for traffic in (0, FULL - 1, FULL + 1)] == [1, 1, 2]


def test_the_card_pays_where_the_eleventh_small_machine_would_be_rented():
    found = break_even_queries_per_day(CPU, CARD)
    assert found == int(10 * FULL) + 1
    assert usd_per_hour(found, offer=CARD) < usd_per_hour(found, offer=CPU)
    assert usd_per_hour(found - 1, offer=CARD) >= usd_per_hour(found - 1, offer=CPU)


def test_no_lower_traffic_pays():
    odd = Offer("odd", usd_per_hour=0.37, queries_per_s=3.3)
    found = break_even_queries_per_day(CPU, odd)
    cheaper = (n for n in range(0, int(found), 97) if usd_per_hour(n, offer=odd) < usd_per_hour(n, offer=CPU))
    assert next(cheaper, None) is None


def test_a_card_that_is_dearer_a_query_never_pays_for_large_traffic():
    dear = Offer("dear", usd_per_hour=1.0, queries_per_s=9)
    assert break_even_queries_per_day(CPU, dear) is None


def test_beyond_what_anybody_has_nothing_pays():
    assert break_even_queries_per_day(CPU, CARD, at_most=5 * FULL) is None


def test_what_costs_less_an_hour_pays_from_the_first_query_on():
    assert break_even_queries_per_day(CARD, CPU) == 0
