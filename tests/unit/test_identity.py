"""Whose run it is: the data's content decides, and a name only says it to a reader."""

import shutil

import pytest
from made import LABELS, write_shop

from utils import settings
from utils.data import identity


def folder_of(dataset, **changes):
    return identity.run_folder(**{"dataset": str(dataset), "profile_name": "ci", "seed": 3} | changes)


@pytest.fixture
def shop(tmp_path):
    """Makes a shop at a path below a temporary folder."""

    def make(path, **changes):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        write_shop(tmp_path / path, **changes)
        return tmp_path / path

    return make


def test_two_shops_of_one_name_have_runs_of_their_own(shop):
    one, other = shop("en/shop"), shop("de/shop", labels=LABELS.replace("q2,p1,1", "q2,p1,0"))
    names = [folder_of(one).name, folder_of(other).name]
    assert names[0] != names[1]
    for name in names:
        begin, digits, *rest = name.split("-")
        assert begin == "shop" and len(digits) == 8 and int(digits, 16) >= 0 and rest == ["ci", "3"]
    assert folder_of(one).parent == settings.ARTIFACTS


def test_the_same_content_is_the_same_run_wherever_it_lies_and_whatever_lies_beside_it(shop, tmp_path, monkeypatch):
    one = shop("en/shop")
    shutil.copytree(one, tmp_path / "moved" / "shop")
    (tmp_path / "moved" / "shop" / "notes.txt").write_text("not data")
    monkeypatch.chdir(one.parent)
    assert folder_of(one) == folder_of(tmp_path / "moved" / "shop") == folder_of("shop") == folder_of("./shop/")


def test_one_changed_value_is_another_run(shop):
    before = folder_of(shop("shop"))
    assert folder_of(shop("shop", labels=LABELS.replace("q2,p1,1", "q2,p1,0"))) != before


@pytest.mark.parametrize("name", ["synthetic", "wands", "wdc-shoes", "магазин", "My Shop"])
def test_a_folder_of_ones_own_never_shares_a_run_with_a_set_of_that_name_or_with_another_folder(
    shop, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(settings, "DATA", tmp_path / "data")
    shop("data/wands", labels=LABELS.replace("q1,p1,1", "q1,p1,2"))
    own, other = folder_of(shop(f"own/{name}")), folder_of(shop(f"other/{name}", labels=LABELS.replace("1\n", "3\n")))
    assert len({own, other, folder_of("synthetic"), folder_of("wands")}) == 4


def test_the_embedded_shop_needs_no_hash_and_a_fetched_set_has_one(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "DATA", tmp_path / "data")
    fetched = shop("data/wands")
    assert folder_of("synthetic") == settings.ARTIFACTS / "synthetic-ci-3"
    assert folder_of("wands") == folder_of(fetched) and folder_of("wands").name.startswith("wands-")


def test_a_folder_that_is_not_there_or_holds_no_data_is_refused_whatever_was_given_for_the_run(tmp_path):
    for out in ("", str(tmp_path)):
        with pytest.raises(ValueError, match="nowhere: no such folder; give 'synthetic' or a folder with queries.csv"):
            folder_of(tmp_path / "nowhere", out=out)
    with pytest.raises(ValueError, match="holds no queries.csv; give a folder with queries.csv, products.csv"):
        folder_of(tmp_path)


def test_the_place_of_a_run_can_be_chosen_and_a_tilde_in_it_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert folder_of("synthetic", out=tmp_path / "x") == tmp_path / "x" == folder_of("synthetic", out="~/x")
