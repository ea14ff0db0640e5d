"""LiteRT's runtime on a small file that was converted beforehand."""

import shutil
import sys

import numpy as np
import pytest
from edge_small import FOLDER, PAIRS, agrees, exact, open_small

from utils.edge.exports import in_litert


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_it_scores_as_pytorch_does_whatever_the_batch(batch_size):
    assert agrees(open_small("litert", batch_size=batch_size).score(PAIRS), within=1e-4)


def test_more_threads_give_the_same_scores():
    assert agrees(open_small("litert", threads=2).score(PAIRS), within=1e-4)


def test_padding_to_the_longer_entrance_changes_no_score():
    alone = np.concatenate([open_small("litert", batch_size=1).score([pair]) for pair in PAIRS[:5]])

    np.testing.assert_allclose(alone, exact()[:5], atol=1e-4)


def test_shapes_end_at_the_token_limit_and_have_three_lengths():
    shapes = in_litert.shapes_up_to(96)

    assert sorted({n_tokens for _, n_tokens in shapes}) == [32, 64, 96]
    assert {n_pairs for n_pairs, _ in shapes} == set(in_litert.N_PAIRS)
    assert max(n_tokens for _, n_tokens in in_litert.shapes_up_to(50)) == 50


def test_a_damaged_file_is_refused_with_its_name(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "broken")
    (folder / in_litert.MODEL).write_bytes(b"no model")

    with pytest.raises(ValueError, match=r"model\.tflite: cannot be read"):
        open_small("litert", folder=folder)


def test_more_tokens_than_its_longest_entrance_are_refused():
    from utils.rank import runtimes

    with pytest.raises(ValueError, match="takes 24 tokens, not 25"):
        runtimes.open_ranker(FOLDER, runtime="litert", threads=1, max_tokens=25)


def test_without_the_runtime_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)

    with pytest.raises(ValueError, match="pip install --no-deps -r requirements-edge.txt"):
        open_small("litert")


def test_a_folder_without_the_file_says_how_it_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="course export --to litert"):
        open_small("litert", folder=tmp_path)
