"""A packed run comes out as it went in, or not at all."""

import json
import shutil
import zipfile

import pytest

from utils import settings
from utils.course import cli, stages, warm

RUN = "synthetic-ci-0"


@pytest.fixture
def run(tmp_path):
    """A run's folder with a stage, a ledger, and what is not worth a place."""
    folder = tmp_path / "made" / RUN
    with stages.whole(folder / "teacher", notebook="01_build_the_ranker") as stage:
        (stage / "onnx").mkdir()
        (stage / "onnx" / "model.onnx").write_bytes(bytes(range(256)) * 20)
    (folder / "ledger.jsonl").write_text('{"stage": "teacher"}\n')
    for name in ("logs/curve", ".lock", "teacher/.partial-1-x"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    return folder


@pytest.fixture
def packed(run, tmp_path, monkeypatch):
    """The run in a file, on a machine that does not have it."""
    monkeypatch.setattr(settings, "ARTIFACTS", tmp_path / "artifacts")
    return warm.pack(run, run=RUN, target=tmp_path / "room.zip")


def test_a_run_comes_out_as_it_went_in_without_logs_and_hidden_files(run, packed):
    folder = warm.unpack(packed)
    assert folder == settings.ARTIFACTS / RUN and stages.problem(folder / "teacher") == ""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"ledger.jsonl", "teacher/stage.json", "teacher/onnx/model.onnx"}
    for name in found:
        assert (folder / name).read_bytes() == (run / name).read_bytes()


def test_the_command_names_the_next_one(packed, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["warm", "unpack", str(packed)])
    assert not stop.value.code and "next: course status --profile ci --seed 0\n" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["warm", "unpack", str(packed)])
    assert stop.value.code == 2 and "is there already" in capsys.readouterr().err


def refused(path, words):
    with pytest.raises(ValueError, match=words):
        warm.unpack(path)
    assert not settings.ARTIFACTS.exists() or not any(settings.ARTIFACTS.iterdir())


def test_a_flipped_byte_is_found_and_nothing_is_left(packed):
    content = bytearray(packed.read_bytes())
    content[content.index(bytes(range(256))) + 7] ^= 1
    packed.write_bytes(content)
    refused(packed, r"room\.zip: .*(damaged|cut short).*copy")


def test_a_file_that_was_cut_short_or_is_something_else_is_refused(packed, tmp_path):
    content = packed.read_bytes()
    packed.write_bytes(content[: len(content) // 2])
    refused(packed, "is no packed run, or cut short")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("holiday.txt", "sun")
    refused(tmp_path / "other.zip", "is no packed run")


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "C:\\outside", "a//../../b", ""])
def test_no_file_lands_outside_of_the_run_s_folder(packed, tmp_path, name):
    again = tmp_path / "bad.zip"
    listed = {"format": warm.FORMAT, "run": RUN, "files": {name: "0" * 64}}
    with zipfile.ZipFile(again, "w") as archive:
        archive.writestr(warm.LIST, json.dumps(listed))
        archive.writestr(name or "empty", "x")
    refused(again, "outside of the run's folder")


@pytest.mark.parametrize("run_name", ["..", "a/b", "/tmp/x", ""])
def test_a_run_s_name_is_one_folder(packed, tmp_path, run_name):
    again = tmp_path / "bad.zip"
    with zipfile.ZipFile(again, "w") as archive:
        archive.writestr(warm.LIST, json.dumps({"format": warm.FORMAT, "run": run_name, "files": {}}))
    refused(again, "outside of the run's folder")


def test_a_run_s_name_says_its_profile_and_seed(packed, tmp_path):
    again = tmp_path / "bad.zip"
    with zipfile.ZipFile(again, "w") as archive:
        archive.writestr(warm.LIST, json.dumps({"format": warm.FORMAT, "run": "holiday", "files": {}}))
    refused(again, "'holiday' is no name of a run")


def test_a_file_that_is_not_on_the_list_is_refused(packed):
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("more.txt", "x")
    refused(packed, r"more\.txt, which is not on its list")


def test_a_list_of_another_version_is_refused(packed, tmp_path):
    again = tmp_path / "new.zip"
    with zipfile.ZipFile(again, "w") as archive:
        archive.writestr(warm.LIST, json.dumps({"format": 99, "run": RUN, "files": {}}))
    refused(again, "format 99")


def test_a_run_that_is_there_stays(packed):
    folder = warm.unpack(packed)
    (folder / "ledger.jsonl").write_text("mine")
    with pytest.raises(ValueError, match="is there already"):
        warm.unpack(packed)
    assert (folder / "ledger.jsonl").read_text() == "mine"


def test_a_damaged_stage_or_none_is_not_packed(run, tmp_path):
    (run / "teacher" / "onnx" / "model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match="model.onnx is damaged.*course run"):
        warm.pack(run, run=RUN, target=tmp_path / "room.zip")
    shutil.rmtree(run / "teacher")
    with pytest.raises(ValueError, match="no stage to pack"):
        warm.pack(run, run=RUN, target=tmp_path / "room.zip")
    assert not (tmp_path / "room.zip").exists()
