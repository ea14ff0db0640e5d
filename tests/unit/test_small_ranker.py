"""What a plan costs, and plans and questions that cannot be carried out."""

import pytest

from utils.course.labs import small_ranker
from utils.course.labs.small_ranker import Log, SmallRanker

LOG = Log(queries=["red chair", "lamp"], found=[[f"product {n}" for n in range(40)]] * 2)


def test_half_of_the_heads_and_neurons_is_half_of_the_macs_but_layers_say_more():
    half = {"layers": [0, 1, 2], "n_heads": 6, "d_ff": 768}
    assert small_ranker.macs_left(small_ranker.WHOLE) == 1
    assert small_ranker.macs_left(half) == pytest.approx(0.5)
    assert small_ranker.macs_left(half | {"layers": [0, 1, 2], "d_ff": 1_536}) > 0.5
    assert small_ranker.macs_left(small_ranker.WHOLE | {"layers": [1]}) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"layers": [0], "n_heads": 6}, "a plan has layers, n_heads, d_ff; yours has layers, n_heads"),
        ({"layers": [3], "n_heads": 6, "d_ff": 768}, r"layers are \[3\]; name some of \[0, 1, 2\]"),
        ({"layers": [], "n_heads": 6, "d_ff": 768}, "name some of"),
        ({"layers": [0], "n_heads": 0, "d_ff": 768}, "n_heads is 0; give a number from 1 to 12"),
        ({"layers": [0], "n_heads": 6, "d_ff": 2_000}, "d_ff is 2000; give a number from 1 to 1,536"),
    ],
)
def test_a_plan_that_cannot_be_cut_is_refused_in_words(plan, words, ranker):
    for work in (lambda: small_ranker.cut(ranker, plan), lambda: small_ranker.macs_left(plan)):
        with pytest.raises(ValueError, match=words):
            work()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "0 pairs came"),
        ([(0, 1), (0, 1)], "2 pairs came, 1 different"),
        ([(0, place % 40) for place in range(3_001)], "at most 3000"),
        ([(0, 1), (1, 1)], "every query has one product"),
        ([(0, 1), (0, 40)], r"\(0, 40\) is not in the log"),
        ([(2, 1), (2, 4)], r"\(2, 1\) is not in the log"),
        ([(0, -1), (0, 4)], r"\(0, -1\) is not in the log"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused_in_words(asked, words, ranker):
    with pytest.raises(ValueError, match=words):
        small_ranker.taught(ranker, LOG, asked)


@pytest.fixture(scope="module")
def ranker():
    """As `open_ranker` gives it, untrained and without lists."""
    from utils.rank import models

    model, tokenizer = models.build_cross_encoder(models.MINILM, seed=0)
    return SmallRanker(models.keep_layers(model, layers=small_ranker.LAYERS), tokenizer, setting=None, batches=[])
