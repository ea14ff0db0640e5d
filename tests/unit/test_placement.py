"""Where a query is answered decides when the answer is there, and what leaves the device: the requests say."""

import json

import numpy as np
import pytest

from utils.edge import placement
from utils.edge.placement import DEVICE, FETCHED, PLACEMENTS, SERVER, VECTOR

STATES = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
ASKED = {"user": "f00d", "states": STATES, "product_ids": ["p1", "p2"]}
QUERY, HISTORY = "red sofa", ["blue mug", "canapé"]


def test_from_the_break_even_round_trip_on_the_device_is_the_quicker_one():
    parts = {"server_ms": 20.0, "device_ms": 10.0, "slowdown": 5.0}
    even = placement.break_even_round_trip(**parts)
    assert even == 30.0
    on_device = placement.on_device_ms(here_ms=10.0, slowdown=5.0)
    assert placement.at_server_ms(round_trip_ms=even, server_ms=20.0) == on_device == 50.0
    assert placement.break_even_round_trip(server_ms=20.0, device_ms=10.0) == 0.0  # quicker without any network


def test_speedups_are_those_of_the_two_times_and_one_at_the_break_even():
    found = placement.speedups(round_trips_ms=[0, 30, 80], slowdowns=[1, 5], server_ms=20.0, device_ms=10.0)
    np.testing.assert_allclose(found, [[2, 5, 10], [0.4, 1, 2]])


@pytest.mark.parametrize("where", PLACEMENTS)
def test_the_bytes_and_fields_are_those_of_the_json_that_is_sent(where):
    asked = placement.request(where, query=QUERY, history=HISTORY, **ASKED)
    sent = placement.sent(where, QUERY, HISTORY, **ASKED)
    if where == DEVICE:
        assert asked is None and sent.n_bytes == 0 and sent.fields == () and sent.tells == "nothing"
    else:
        data = placement.body(asked)
        assert sent.n_bytes == len(data) and tuple(json.loads(data)) == sent.fields != ()
        assert json.loads(data) == asked


def test_only_the_server_is_told_the_words_and_the_device_tells_nothing():
    written = {
        where: json.dumps(placement.request(where, query=QUERY, history=HISTORY, **ASKED), ensure_ascii=False)
        for where in PLACEMENTS
    }
    assert [where for where in PLACEMENTS if "sofa" in written[where] or "canapé" in written[where]] == [SERVER]
    assert [where for where in PLACEMENTS if "f00d" in written[where]] == [SERVER]
    assert "p1" in written[FETCHED] and written[DEVICE] == "null"


def test_states_of_the_query_are_sent_with_all_their_numbers():
    found = placement.request(VECTOR, query=QUERY, history=HISTORY, **ASKED)
    np.testing.assert_allclose(found["states"], STATES, atol=1e-4)
    assert "words can be read off" in placement.sent(VECTOR, QUERY, HISTORY, **ASKED).tells


def test_a_longer_history_is_more_bytes_at_the_server_alone():
    def n_bytes(where, history):
        return placement.sent(where, QUERY, history, **ASKED).n_bytes

    more = [n_bytes(where, HISTORY * 9) - n_bytes(where, HISTORY) for where in PLACEMENTS]
    assert more[0] > 100 and more[1:] == [0, 0, 0]


def test_what_a_placement_lacks_is_said():
    with pytest.raises(ValueError, match="placement 'cloud' is not one of ranked at the server"):
        placement.sent("cloud", QUERY, HISTORY, user="u")
    for where in (VECTOR, FETCHED):
        with pytest.raises(ValueError, match=f"'{where}' needs states of the query, or ids"):
            placement.sent(where, QUERY, HISTORY, user="u")
