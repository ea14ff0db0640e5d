"""The batch function gives what one call on everything would, goes on where it was killed, and writes whole files."""

import numpy as np
import pytest

from utils.speed import batch

TEXTS = [f"product {number}" for number in range(10)]


class Lengths:
    """A function of texts that counts what it was asked for, and fails at one of them if told to."""

    def __init__(self, *, fails_at=None):
        self.asked, self.fails_at = [], fails_at

    def __call__(self, texts):
        if self.fails_at in texts:
            raise RuntimeError("killed")
        self.asked.extend(texts)
        return np.array([[len(text), hash(text) % 97] for text in texts], dtype=np.float32)


WHOLE = Lengths()(TEXTS)


@pytest.mark.parametrize("piece", [1, 3, 10, 99])
def test_pieces_of_any_size_give_what_one_call_gives(tmp_path, piece):
    np.testing.assert_array_equal(np.concatenate(list(batch.in_pieces(TEXTS, Lengths(), piece=piece))), WHOLE)
    found = batch.to_file(tmp_path / "states.npy", TEXTS, Lengths(), made_by="m", piece=piece)
    np.testing.assert_array_equal(found, WHOLE)
    assert isinstance(found, np.memmap) and [path.name for path in tmp_path.iterdir()] == ["states.npy"]


def test_no_call_gets_more_than_a_piece():
    sizes = []
    list(batch.in_pieces(TEXTS, lambda some: sizes.append(len(some)) or np.zeros(len(some)), piece=4))
    assert sizes == [4, 4, 2]


def test_pairs_go_in_and_scores_come_out(tmp_path):
    pairs = [("sofa", text) for text in TEXTS]
    score = batch.to_file(tmp_path / "scores.npy", pairs, lambda some: np.array([len(p) for _, p in some]), made_by="m")
    assert score.tolist() == [len(text) for text in TEXTS]


@pytest.fixture
def killed(tmp_path):
    """A run that was killed in its third piece of three texts."""
    with pytest.raises(RuntimeError, match="killed"):
        batch.to_file(tmp_path / "s.npy", TEXTS, Lengths(fails_at="product 7"), made_by="m", piece=3)
    assert not (tmp_path / "s.npy").exists()
    return tmp_path / "s.npy"


def test_a_killed_run_goes_on_with_the_pieces_that_are_there(killed):
    again = Lengths()
    np.testing.assert_array_equal(batch.to_file(killed, TEXTS, again, made_by="m", piece=3), WHOLE)
    assert again.asked == TEXTS[6:]


@pytest.mark.parametrize(
    "other", [{"made_by": "another model"}, {"piece": 4}, {"items": [*TEXTS[:9], "another text"]}], ids=str
)
def test_pieces_of_other_work_are_not_gone_on_with(killed, other):
    again, how = Lengths(), {"items": TEXTS, "made_by": "m", "piece": 3} | other
    found = batch.to_file(killed, how["items"], again, made_by=how["made_by"], piece=how["piece"])
    assert again.asked == how["items"]
    np.testing.assert_array_equal(found, Lengths()(how["items"]))


def test_a_damaged_piece_is_made_again(killed):
    first = min(killed.with_name("s.npy.pieces").glob("*.npy"))
    first.write_bytes(first.read_bytes()[:-5])
    again = Lengths()
    np.testing.assert_array_equal(batch.to_file(killed, TEXTS, again, made_by="m", piece=3), WHOLE)
    assert again.asked == TEXTS[:3] + TEXTS[6:]


def test_a_failed_run_leaves_the_older_file_as_it_was(killed):
    batch.to_file(killed, TEXTS, Lengths(), made_by="m", piece=3)
    with pytest.raises(RuntimeError):
        batch.to_file(killed, TEXTS, Lengths(fails_at="product 0"), made_by="n", piece=3)
    np.testing.assert_array_equal(np.load(killed), WHOLE)


def test_what_is_no_result_is_refused_with_its_place(tmp_path):
    with pytest.raises(ValueError, match=r"items 3 to 6: the function gave \(2,\), not a row an item"):
        list(batch.in_pieces(TEXTS, lambda some: np.zeros(3 if some[0] == TEXTS[0] else 2), piece=3))
    bad = {TEXTS[4]: np.nan}
    with pytest.raises(ValueError, match="item 4: the function gave a number that is not finite"):
        list(batch.in_pieces(TEXTS, lambda some: np.array([bad.get(text, 1.0) for text in some]), piece=3))
    with pytest.raises(ValueError, match="piece is 0"):
        list(batch.in_pieces(TEXTS, Lengths(), piece=0))
    with pytest.raises(ValueError, match="s.npy: no items"):
        batch.to_file(tmp_path / "s.npy", [], Lengths(), made_by="m")


def test_pieces_of_different_shapes_do_not_become_a_file(tmp_path):
    with pytest.raises(ValueError, match=r"pieces of \(3,\) and \(1,\) do not fit together"):
        batch.to_file(tmp_path / "s.npy", TEXTS, lambda some: np.zeros((len(some), len(some))), made_by="m", piece=3)
    assert not (tmp_path / "s.npy").exists()
