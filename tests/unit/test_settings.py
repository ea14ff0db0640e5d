"""Profiles, names and places of data, seeds, and the telemetry of dependencies, which is off."""

import subprocess
import sys

import pytest

from utils import settings


def test_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="ci, laptop, gpu"):
        settings.profile("desktop")


def test_libraries_see_their_telemetry_switched_off():
    """In a fresh process: the hub's client, OpenVINO and NNCF each say themselves that they send nothing."""
    code = """
import utils
import huggingface_hub.constants
assert huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY
from openvino.tools.ovc import telemetry_utils
assert telemetry_utils.tm.__name__.endswith("telemetry_stub"), telemetry_utils.tm
from nncf.telemetry import wrapper
assert type(wrapper.telemetry).__name__ != "NNCFTelemetry", wrapper.telemetry
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_importing_the_training_says_nothing_on_standard_error():
    command = [sys.executable, "-c", "from utils.rank import baselines, training"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_fetched_set_is_named_and_any_other_data_set_is_a_path(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "DATA", tmp_path)
    (tmp_path / "wands").mkdir()
    assert settings.data_folder("wands") == tmp_path / "wands"
    assert [str(settings.data_folder(path)) for path in ("./wands", "some/shop")] == ["wands", "some/shop"]
    assert settings.dataset_name("wands") == settings.dataset_name(str(tmp_path / "wands")) == "wands"


def test_set_that_was_not_fetched_is_refused_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "DATA", tmp_path)
    with pytest.raises(ValueError, match="^esci is not here yet; fetch it with: course data fetch esci$"):
        settings.data_folder("esci")


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("some/where/My Shop", "my-shop"),
        ("магазин", "dataset"),
        ("synthetic", "synthetic"),
        ("./synthetic", "own-synthetic"),
        ("/data/Synthetic/", "own-synthetic"),
        ("x" * 300, "x" * 40),
        ("de/shop/.", "shop"),
        ("de/shop/..", "de"),
    ],
)
def test_a_data_set_is_named_by_its_folder_and_no_folder_bears_the_name_of_the_embedded_shop(dataset, name):
    assert settings.dataset_name(dataset) == name


def test_a_tilde_is_the_home_folder_in_every_path_and_an_unknown_user_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert settings.data_folder("~/shop") == settings.user_path("~/shop") == tmp_path / "shop"
    with pytest.raises(ValueError, match="~nobody-here/x: no home folder is known for this; write the whole path"):
        settings.user_path("~nobody-here/x")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_cannot_take_is_refused_with_those_it_can(seed):
    with pytest.raises(ValueError, match=f"seed {seed} is not a whole number from 0 to 4294967295"):
        settings.check_seed(seed)
    settings.check_seed(2**32 - 1)
