"""The server on this machine answers what it is asked, waits as long as is said, and sees exactly what was sent."""

import itertools

import pytest

from utils.edge import placement, round_trip

REQUESTS = [{"user": "f00d", "query": f"red sofa {number}", "history": ["é"]} for number in range(5)]


def lengths(asked):
    return {"length": len(asked["query"])}


def test_it_answers_each_request_with_the_answer_to_that_request():
    with round_trip.serve(lengths, delay_ms=0) as server, round_trip.connected(server) as ask:
        assert [ask(one)["length"] for one in REQUESTS] == [len(one["query"]) for one in REQUESTS]
        assert ask({"query": "x" * 30_000}) == {"length": 30_000}


def test_it_saw_the_fields_and_bytes_that_a_placement_says_leave_the_device():
    with round_trip.serve(lengths, delay_ms=0) as server, round_trip.connected(server) as ask:
        ask(placement.request(placement.SERVER, query="red sofa", history=["é"], user="f00d"))
    (found,) = server.received
    sent = placement.sent(placement.SERVER, "red sofa", ["é"], user="f00d")
    assert (found.fields, found.n_bytes) == (sent.fields, sent.n_bytes)
    assert 50 < found.n_header_bytes < 1_000


def test_every_answer_waits_for_the_stated_delay():
    waited = []
    with round_trip.serve(lengths, delay_ms=35.0, wait=waited.append) as server, round_trip.connected(server) as ask:
        [ask(one) for one in REQUESTS]
    assert waited == [0.035] * 5 and server.delay_ms == 35.0
    with pytest.raises(ValueError, match="delay_ms is -1"), round_trip.serve(lengths, delay_ms=-1):
        pass


def test_times_are_of_each_request_after_some_that_do_not_count():
    ticks = itertools.count(step=0.25)
    with round_trip.serve(lengths, delay_ms=0) as server:
        timing = round_trip.measure(server, REQUESTS, clock=lambda: next(ticks), n_untimed=2)
        assert len(server.received) == 7
        assert timing.samples_ms == (250.0,) * 5
        with pytest.raises(ValueError, match="no requests"):
            round_trip.measure(server, [])


def test_a_bad_request_is_refused_in_words_and_the_next_one_is_answered():
    with round_trip.serve(lengths, delay_ms=0) as server, round_trip.connected(server) as ask:
        with pytest.raises(RuntimeError, match="the server refused the request: KeyError: 'query'"):
            ask({"user": "f00d"})
        assert ask(REQUESTS[0]) == {"length": 10}


def test_it_listens_on_this_machine_alone_and_no_longer_than_its_block():
    with round_trip.serve(lengths, delay_ms=0) as server:
        assert round_trip.ADDRESS == "127.0.0.1" and server.port > 0
    with round_trip.connected(server) as ask, pytest.raises(OSError):
        ask(REQUESTS[0])
