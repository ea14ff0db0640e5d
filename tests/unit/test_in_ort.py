"""ONNX Runtime's own format."""

import pytest
from edge_small import FOLDER, open_small

from utils.edge.exports import in_ort


def test_a_folder_without_the_file_says_how_it_is_made():
    with pytest.raises(FileNotFoundError, match="exports.make"):
        open_small("ort")


def test_there_is_nothing_to_convert_without_a_graph(tmp_path):
    with pytest.raises(FileNotFoundError, match="export_onnx"):
        in_ort.export_ort(tmp_path)


def test_a_damaged_file_is_refused_with_its_name(tmp_path):
    import shutil

    folder = shutil.copytree(FOLDER, tmp_path / "broken")
    (folder / "ort").mkdir()
    (folder / in_ort.GRAPH).write_bytes(b"ORTM" + bytes(100))

    with pytest.raises(ValueError, match=r"model\.ort: cannot be read"):
        open_small("ort", folder=folder)
