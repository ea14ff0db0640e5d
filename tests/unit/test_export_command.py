"""`course export` and `course converter`."""

import pytest
from edge_small import FOLDER, PAIRS, agrees, open_small

from utils.course import cli, exporting
from utils.edge.exports import converters


def test_the_command_writes_a_folder_that_scores_as_the_model_does(tmp_path, capsys):
    out = tmp_path / "phone"
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", "--model", str(FOLDER), "--to", "ort", "--out", str(out)])

    assert ended.value.code == 0
    assert "MB to ship" in capsys.readouterr().out
    assert agrees(open_small("ort", folder=out).score(PAIRS), within=1e-4)


def test_an_unknown_format_ends_with_status_2_and_the_known_ones(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", "--model", str(FOLDER), "--to", "coreml", "--out", str(tmp_path / "x")])

    assert ended.value.code == 2
    assert "'coreml' is not one of onnx, ort, openvino, litert, executorch, web" in capsys.readouterr().err


def test_the_model_folder_itself_is_never_written_over():
    with pytest.raises(ValueError, match="is the model folder itself"):
        exporting.export(FOLDER, to="onnx", out=FOLDER)


def test_a_folder_that_is_no_model_is_named_before_any_converter_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(converters, "install", lambda *_, **__: pytest.fail("made a converter for nothing"))

    with pytest.raises(FileNotFoundError, match="is not a model folder"):
        exporting.export(tmp_path, to="litert", out=tmp_path / "x")


def stops(name, *arguments):
    raise ValueError(f"{name} stops here")


def test_a_format_with_a_converter_has_it_made_first(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(converters, "install", lambda name, **_: made.append(name))
    monkeypatch.setattr(converters, "convert", stops)

    with pytest.raises(ValueError, match="executorch stops here"):
        exporting.export(FOLDER, to="executorch", out=tmp_path / "x")
    assert made == ["executorch"]
    assert not (tmp_path / "x").exists()
