"""Caches are compared on the same searches, an update ends with the very bundle, and the map shows both devices."""

import bundles
import matplotlib.pyplot as plt
import pytest

from utils.course import local_answers
from utils.edge import manifest
from utils.edge.installed import Place
from utils.speed.cache_replay import Search


def test_one_cache_for_all_knows_what_others_asked_and_an_own_one_does_not():
    found = [Search(float(number), f"u{number // 10}", f"query {number % 10}") for number in range(30)]
    replayed = local_answers.replay(found, n_devices=8)  # three users each ask the same ten queries
    assert replayed.shared[1_000_000] == pytest.approx(2 / 3) and replayed.most_possible == pytest.approx(2 / 3)
    assert set(replayed.own.values()) == {0.0} and replayed.shared.keys() == replayed.own.keys()
    assert replayed.shared[2_000] == 0 < replayed.shared[20_000]  # what comes round again was gone by then


def test_a_device_is_brought_to_the_very_bundle_by_fewer_bytes(tmp_path):
    place, new = Place(tmp_path / "device"), bundles.make(tmp_path / "b8", version=8, changed=["p001"])
    place.install(bundles.make(tmp_path / "b7", version=7))
    (tmp_path / "work").mkdir()
    cost = local_answers.bring(place, new, work=tmp_path / "work")
    assert place.version == 8 and manifest.digest(place.current()) == manifest.digest(new)
    assert 0 < cost.delta < cost.whole


def test_the_map_shows_both_devices_at_the_round_trip():
    figure = local_answers.draw_places(server_ms=20.0, device_ms=5.0, round_trip_ms=50.0, title="a finding")
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in figure.axes[0].lines]
    assert points == [(50.0, 1), (50.0, 4)]
    plt.close(figure)
