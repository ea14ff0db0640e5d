"""Every bad bundle is refused for what is wrong with it, and the one in use goes on serving."""

import bundles
import pytest

from utils.course import bad_bundles
from utils.edge import manifest
from utils.edge.installed import Place

SAID = {
    "cut short on the line": "must have",
    "one bit changed": "its sha256 differs",
    "an older version": "version 1 is older than the installed one",
    "a format from the future": "it is of format 'rank-for-less bundle 2'",
    "states of another model": "model",
    "the battery dies half-way": "cut off after 'copied'",
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tried")
    place, good = Place(folder / "device"), bundles.make(folder / "b8", version=8, changed=["p001"])
    place.install(bundles.make(folder / "b7", version=7))
    before = bundles.contents(good)
    found = bad_bundles.tried(place, good=good, work=folder / "bad")
    assert bundles.contents(good) == before, "the good bundle was touched"
    return place, good, found


def test_each_is_refused_for_its_own_reason_and_the_old_bundle_serves(tried):
    place, _, found = tried
    assert found.keys() == SAID.keys()
    for name, one in found.items():
        assert SAID[name] in one.said and one.serves == 7, (name, one)
    assert manifest.verify(place.current()).version == 7


def test_the_sums_of_a_mixed_pair_are_right_so_that_only_its_model_gives_it_away(tried):
    _, _, found = tried
    assert "sha256 differs" not in found["states of another model"].said


def test_the_table_says_what_the_device_did_without_what_follows_of_the_remedy(tried):
    table = bad_bundles.table(tried[2])
    assert table["serves then"].tolist() == ["version 7"] * len(SAID)
    assert not table["the device"].str.contains(";").any()


def test_the_good_bundle_is_taken_after_all_of_them(tried):
    place, good, _ = tried
    place.install(good)
    assert place.version == 8
