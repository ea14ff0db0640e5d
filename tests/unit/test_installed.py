"""A device takes a bundle into use whole or not at all: whatever is refused or killed, the old one goes on serving."""

import os
import subprocess
import sys

import bundles
import pytest

from utils.edge import installed, manifest
from utils.edge.installed import STEPS, Place
from utils.edge.manifest import Refused


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Bundles by version, and another one of version 2."""
    folder = tmp_path_factory.mktemp("made")
    found = {
        version: bundles.make(folder / f"b{version}", version=version, changed=[f"p00{version}"])
        for version in (1, 2, 3)
    }
    return found | {"other": bundles.make(folder / "other", version=2, changed=["p009"])}


@pytest.fixture
def place(made, tmp_path):
    """A place with version 2 in use."""
    place = Place(tmp_path / "device")
    place.install(made[2])
    return place


def is_serving(place, bundle):
    """Whether the place serves this bundle, whole."""
    manifest.verify(place.current())
    return bundles.contents(place.current()) == bundles.contents(bundle)


def test_an_installed_bundle_is_the_whole_bundle_and_a_newer_one_takes_its_place(made, tmp_path):
    place = Place(tmp_path / "device")
    assert place.version is None
    with pytest.raises(ValueError, match="device: no bundle is installed; install one with Place.install"):
        place.current()
    for version in (1, 2, 3):
        assert place.install(made[version]) == place.current()
        assert place.version == version and is_serving(place, made[version])
    kept = sorted(path.name for path in (tmp_path / "device" / "versions").iterdir())
    assert kept == ["2", "3"]  # the one before is kept for who still reads it


def test_a_reader_of_the_old_bundle_can_go_on_reading_it(place, made):
    old = place.current()
    place.install(made[3])
    assert bundles.contents(old) == bundles.contents(made[2])


def test_installing_the_same_bundle_again_changes_nothing(place, made):
    assert place.install(made[2]) == place.current() and is_serving(place, made[2])


@pytest.mark.parametrize("which", [1, "other"])
def test_an_older_bundle_and_another_one_of_the_same_version_are_refused(place, made, which):
    words = "older than the installed" if which == 1 else "another one than the installed"
    with pytest.raises(Refused, match=f"{words} one; fetch a newer one; version 2 goes on serving"):
        place.install(made[which])
    assert is_serving(place, made[2])


FAULTS = {
    "truncated": lambda b: (b / "states/states.npy").write_bytes((b / "states/states.npy").read_bytes()[:-9]),
    "tampered": lambda b: (b / "catalogue/facts.json").write_bytes(
        (b / "catalogue/facts.json").read_bytes().swapcase()
    ),
    "without a file": lambda b: (b / "model/config.json").unlink(),
    "without a manifest": lambda b: (b / "manifest.json").unlink(),
    "of another format": lambda b: bundles.rewrite_manifest(b, format="2"),
    "of another model than it says": lambda b: bundles.rewrite_manifest(b, model_hash="0" * 16),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_bundle_is_refused_and_the_old_one_goes_on_serving(place, made, tmp_path, fault):
    bad = bundles.make(tmp_path / "bad", version=3)
    FAULTS[fault](bad)
    before = bundles.contents(place.folder)
    with pytest.raises(Refused, match=r"bad: .*; version 2 goes on serving$"):
        place.install(bad)
    assert bundles.contents(place.folder) == before and is_serving(place, made[2])
    place.install(made[3])
    assert is_serving(place, made[3])


def test_on_an_empty_device_a_bad_bundle_leaves_nothing(made, tmp_path):
    bad = bundles.make(tmp_path / "bad", version=3)
    FAULTS["truncated"](bad)
    with pytest.raises(Refused, match="nothing is installed$"):
        Place(tmp_path / "device").install(bad)
    assert not bundles.contents(tmp_path / "device")


def test_a_bundle_that_changes_while_it_is_copied_is_refused(place, made, tmp_path):
    changing = bundles.make(tmp_path / "changing", version=3)

    def change(step):
        if step == "checked":
            FAULTS["tampered"](changing)

    with pytest.raises(Refused, match="sha256 differs.*version 2 goes on serving"):
        place.install(changing, after=change)
    assert is_serving(place, made[2])


class Killed(BaseException):
    pass


def killed_after(step):
    def stop(reached):
        if reached == step:
            raise Killed

    return stop


@pytest.mark.parametrize("step", STEPS)
def test_an_update_that_ends_at_any_step_leaves_one_whole_bundle_and_the_next_one_goes_through(place, made, step):
    with pytest.raises(Killed):
        place.install(made[3], after=killed_after(step))
    flipped = STEPS.index(step) >= STEPS.index("flipped")
    assert is_serving(place, made[3] if flipped else made[2])
    place.install(made[3])
    assert is_serving(place, made[3])


KILL = """
import os, sys
from pathlib import Path
from utils.edge.installed import Place
Place(Path(sys.argv[1])).install(Path(sys.argv[2]), after=lambda step: os._exit(9) if step == sys.argv[3] else None)
"""


@pytest.mark.parametrize("step", ["copied", "placed", "flipped"])
def test_a_process_that_is_killed_in_the_middle_leaves_one_whole_bundle_and_no_rubbish_after_the_next(
    place, made, step
):
    done = subprocess.run([sys.executable, "-c", KILL, place.folder, made[3], step], env=os.environ, timeout=120)
    assert done.returncode == 9
    assert is_serving(place, made[3] if step == "flipped" else made[2])
    place.install(made[3])
    assert is_serving(place, made[3])
    names = [path.name for path in place.folder.rglob("*")]
    assert not [name for name in names if name.startswith(".partial")]


def test_a_version_that_was_never_flipped_to_does_not_drive_out_the_one_in_use(place, made, tmp_path):
    with pytest.raises(Killed):
        place.install(made[3], after=killed_after("placed"))
    old, newer = place.current(), bundles.make(tmp_path / "b4", version=4)
    place.install(newer)
    assert is_serving(place, newer) and bundles.contents(old) == bundles.contents(made[2])


def test_two_updates_at_a_time_are_one_too_many(place, made):
    def install_another(step):
        if step == "checked":
            place.install(made[3])

    with pytest.raises(ValueError, match="another update is under way; try again after it"):
        place.install(made[3], after=install_another)
    assert is_serving(place, made[2])


def test_files_that_the_manifest_does_not_name_are_not_installed(place, made, tmp_path):
    bundle = bundles.make(tmp_path / "b4", version=4)
    (bundle / "model" / "extra.py").write_text("print('run me')")
    place.install(bundle)
    assert not list(place.current().rglob("extra.py"))


def test_a_pointer_that_is_damaged_means_that_nothing_is_installed_and_the_next_install_heals_it(place, made):
    (place.folder / installed.POINTER).write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="no bundle is installed"):
        place.current()
    place.install(made[3])
    assert is_serving(place, made[3])
