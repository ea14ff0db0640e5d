"""What labs 11 and 12 are judged by: a cache with a rule, a choice of shapes, and a device's storage."""

import numpy as np
import pytest

from utils.course.labs import bench_edge, flash
from utils.course.labs.bench_edge import Search

OLD, NEW = {"model": b"old!"}, {"model": b"new!", "titles": b"more"}


def test_a_cache_without_a_bound_answers_all_that_came_before():
    searches = bench_edge.draw_searches(n_searches=300, seed=3)
    again = 1 - len({one.key for one in searches}) / len(searches)
    found = bench_edge.hit_rate(bench_edge.least_recently_used, searches, max_bytes=10**9)
    assert found == pytest.approx(again) and 0 < again < 1


def test_a_rule_sees_sizes_uses_and_times_and_its_choice_goes():
    searches = [Search(0.0, "a", 5), Search(1.0, "b", 5), Search(2.0, "a", 5), Search(3.0, "c", 5), Search(4.0, "b", 5)]
    seen = []

    def rule(entries, now_s):
        seen.append((entries, now_s))
        return "a"

    assert bench_edge.hit_rate(rule, searches, max_bytes=10) == pytest.approx(2 / 5)
    assert seen == [({"a": bench_edge.Entry(5, 2, 0.0, 2.0), "b": bench_edge.Entry(5, 1, 1.0, 1.0)}, 3.0)]


def test_a_key_that_is_not_in_the_cache_is_refused():
    with pytest.raises(ValueError, match="'z' came"):
        bench_edge.hit_rate(lambda entries, now_s: "z", [Search(0, "a", 5), Search(1, "b", 5)], max_bytes=6)


def test_every_batch_takes_the_shortest_form_that_holds_its_longest_pair():
    n_tokens = np.repeat([[57, 18, 30, 22, 25]], 20, axis=0).T.reshape(1, 100)
    assert bench_edge.tokens_a_query([64, 21, 43], n_tokens) == 4_280
    assert bench_edge.tokens_a_query([25, 30, 64], n_tokens) == 3_380


@pytest.mark.parametrize(
    ("lengths", "words"), [([8, 16, 32, 64], "3 whole"), ([20.5, 64], "whole"), ([16, 32], "up to 64"), ([], "whole")]
)
def test_forms_that_cannot_be_made_are_refused(lengths, words):
    with pytest.raises(ValueError, match=words):
        bench_edge.tokens_a_query(lengths, bench_edge.draw_tokens(n_queries=2))


def test_a_write_that_is_cut_leaves_half_and_a_rename_that_is_cut_leaves_all():
    device = flash.Flash({"a": b"1234"}, fails_at=1)
    with pytest.raises(flash.PowerLoss):
        device.write("a", b"5678")
    assert device.switched_on().read("a") == b"56"
    device = flash.Flash({"a": b"1234"}, fails_at=1)
    with pytest.raises(flash.PowerLoss):
        device.rename("a", "b")
    assert device.switched_on().names() == ["a"]
    with pytest.raises(flash.PowerLoss):
        device.read("a")  # it is off, and stays so


def test_what_serves_is_told_in_words():
    def served(files):
        return flash.serving(flash.Flash(files), bundles={9: OLD, 10: NEW}, newest=10)

    whole = {"versions/10/model": b"new!", "versions/10/titles": b"more", "versions/9/model": b"old!"}
    assert served(whole | {"current": b"10"}) == flash.NEW_BUNDLE
    assert served(whole | {"current": b"9"}) == flash.OLD_BUNDLE
    assert served(whole | {"current": b"1"}) == "the pointer holds b'1'"
    assert served(whole) == "the pointer is missing"
    assert served({"versions/10/model": b"new!", "current": b"10"}) == "version 10 lacks a file"
    assert "not as it was made" in served(whole | {"versions/10/model": b"ne", "current": b"10"})


def test_power_fails_at_every_step_of_an_update():
    steps = []

    def install(device, version, files):
        device.write("x", b"12")
        steps.append("first")
        device.write("x", b"34")
        steps.append("second")

    found = flash.losses(install, installed=9, old=OLD, version=10, files=NEW)
    assert steps.count("first") == 4 and steps.count("second") == 3  # once in each try again, and with power
    assert found["with power all the time"] == flash.OLD_BUNDLE and found["after a loss of power"] == "a whole bundle"
