"""Profiles, run folders, and the telemetry of dependencies, which is off."""

import subprocess
import sys

import pytest

from utils import settings


def test_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="ci, laptop, gpu"):
        settings.profile("desktop")


def test_run_folder_is_named_by_data_set_profile_and_seed():
    folder = settings.run_folder(dataset="some/where/My Shop", profile_name="ci", seed=3)
    assert folder == settings.ARTIFACTS / "my-shop-ci-3"


def test_run_folder_can_be_chosen(tmp_path):
    assert settings.run_folder(dataset="synthetic", profile_name="ci", seed=0, out=tmp_path) == tmp_path


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
