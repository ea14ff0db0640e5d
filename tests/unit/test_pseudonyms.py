"""A pseudonym is the same for one user and one key, says nothing without the key, and the key lies apart."""

import hashlib
import hmac
import os
from types import SimpleNamespace

import pytest

from utils import settings
from utils.data import catalogue
from utils.edge import pseudonyms

KEY = bytes(range(32))


def test_it_is_the_keyed_hash_of_the_user_id():
    expected = hmac.new(KEY, b"u001", hashlib.sha256).hexdigest()
    assert pseudonyms.of("u001", KEY) == expected[:32]
    assert pseudonyms.of("u001", KEY) == pseudonyms.of("u001", KEY)


def test_another_user_and_another_key_give_another_one():
    users = [f"u{number:03d}" for number in range(400)]
    found = {pseudonyms.of(user, KEY) for user in users}
    assert len(found) == 400 and not found & {pseudonyms.of(user, KEY[::-1]) for user in users}


def test_whoever_hashes_a_list_of_users_without_the_key_finds_nobody():
    users = [f"u{number:03d}" for number in range(400)]
    plain = {hashlib.sha256(user.encode()).hexdigest()[:32] for user in users}
    assert not plain & {pseudonyms.of(user, KEY) for user in users}


def test_a_key_is_made_once_of_random_bytes_for_its_owner_alone(tmp_path):
    run, path = tmp_path / "run", tmp_path / "keys" / "k"
    key = pseudonyms.load_key(path, apart_from=run)
    assert len(key) == 32 and pseudonyms.load_key(path, apart_from=run) == key
    assert pseudonyms.load_key(tmp_path / "other", apart_from=run) != key
    assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o600


def test_a_key_in_the_folder_that_is_handed_on_is_refused(tmp_path):
    for path in (tmp_path / "run" / "k", tmp_path / "run" / "deep" / ".." / "k"):
        with pytest.raises(ValueError, match="the key must not lie in .*run, which is handed on"):
            pseudonyms.load_key(path, apart_from=tmp_path / "run")
    assert not list(tmp_path.rglob("k"))


def test_a_key_that_others_may_read_and_one_that_is_cut_short_are_refused(tmp_path):
    path = tmp_path / "k"
    pseudonyms.load_key(path, apart_from=tmp_path / "run")
    if os.name == "posix":
        path.chmod(0o644)
        with pytest.raises(ValueError, match="others may read this key; say: chmod 600"):
            pseudonyms.load_key(path, apart_from=tmp_path / "run")
        path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="holds 5 bytes and no key of 32"):
        pseudonyms.load_key(path, apart_from=tmp_path / "run")


def test_the_key_lies_in_no_runs_folder_when_nothing_else_is_said():
    path = pseudonyms.key_file()
    assert path.is_relative_to(settings.ARTIFACTS) and path.parent.name.startswith(".")


@pytest.fixture(scope="module")
def shop():
    return catalogue.load("synthetic", profile=settings.profile("ci"))


def test_events_have_pseudonyms_in_the_place_of_users_and_are_otherwise_the_same(shop):
    before, after = shop.events, pseudonyms.applied(shop, key=KEY).events
    assert before.column_names == after.column_names
    assert [pseudonyms.of(user, KEY) for user in before["user_id"]] == after["user_id"][:]
    same = [name for name in before.column_names if before[name][:] == after[name][:]]
    assert same == [name for name in before.column_names if name != "user_id"]
    assert shop.events["user_id"][0] == "u003"  # the catalogue itself is as it was


def test_a_shop_without_events_stays_as_it_is():
    empty = SimpleNamespace(events=None)
    assert pseudonyms.applied(empty, key=KEY) is empty
