"""ExecuTorch's runtime on a small file that was converted beforehand."""

import shutil
import sys

import numpy as np
import pytest
from edge_small import FOLDER, PAIRS, agrees, open_small

from utils.edge.exports import in_executorch


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_it_scores_as_pytorch_does_whatever_the_batch(batch_size):
    assert agrees(open_small("executorch", batch_size=batch_size).score(PAIRS), within=1e-4)


def test_more_threads_give_the_same_scores():
    assert agrees(open_small("executorch", threads=2).score(PAIRS), within=1e-4)


def test_an_open_program_goes_on_after_another_took_a_different_number_of_threads():
    first = open_small("executorch", threads=1)
    before = first.score(PAIRS)

    second = open_small("executorch", threads=2)

    np.testing.assert_array_equal(second.score(PAIRS), before)
    np.testing.assert_array_equal(first.score(PAIRS), before)


def test_remarks_of_the_runtime_do_not_reach_the_reader(capfd):
    open_small("executorch").score(PAIRS)

    assert capfd.readouterr().err == ""


def test_a_damaged_file_is_refused_with_its_name(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "broken")
    (folder / in_executorch.PROGRAM).write_bytes(b"no model")

    with pytest.raises(ValueError, match=r"model\.pte: cannot be read"):
        open_small("executorch", folder=folder)


def test_more_tokens_than_its_longest_entrance_are_refused():
    from utils.rank import runtimes

    with pytest.raises(ValueError, match="takes pairs of 24 tokens, not 25"):
        runtimes.open_ranker(FOLDER, runtime="executorch", threads=1, max_tokens=25)


def test_without_the_runtime_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "executorch", None)

    with pytest.raises(ValueError, match="pip install --no-deps -r requirements-edge.txt"):
        open_small("executorch")


def test_a_folder_without_the_file_says_how_it_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="course export --to executorch"):
        open_small("executorch", folder=tmp_path)
