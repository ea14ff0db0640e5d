"""Environments of converters: named remedies, and no half-made ones."""

import pytest

from utils import disk, settings
from utils.edge.exports import converters


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path)
    return tmp_path / "converters"


def test_a_missing_converter_is_named_with_the_command_that_makes_it(place):
    with pytest.raises(ValueError, match="course converter litert"):
        converters.require("litert")


def test_an_unknown_converter_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="'coreml' is not one of litert, executorch"):
        converters.require("coreml")


def test_an_environment_of_an_older_list_does_not_count(place):
    done = place / "litert" / converters.DONE
    done.parent.mkdir(parents=True)
    done.write_text(disk.sha256(converters.named("litert").list_file))
    assert converters.named("litert").is_installed

    done.write_text("of another list")
    assert not converters.named("litert").is_installed


@pytest.mark.parametrize("name", converters.CONVERTERS)
def test_every_list_pins_each_package_and_the_pytorch_of_the_course(name):
    lines = [line for line in converters.named(name).list_file.read_text().splitlines() if not line.startswith("#")]
    ours = (settings.ROOT / "requirements.txt").read_text()
    torch = next(line for line in lines if line.startswith("torch=="))

    assert all("==" in line for line in lines)
    assert f"\n{torch} " in ours  # or a program written here could not be read there


def test_what_a_converter_says_last_is_in_the_error(place, monkeypatch):
    import sys
    from pathlib import Path

    monkeypatch.setattr(converters, "require", lambda name: Path(sys.executable))
    with pytest.raises(
        ValueError, match="the converter to litert failed: .*No such file|the converter to litert failed"
    ):
        converters.convert("litert", "nowhere.pt2", "x.tflite", "fp32", "1x8")
