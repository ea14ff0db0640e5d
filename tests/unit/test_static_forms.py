"""The mask's constant in static int8, on a tiny model whose every pair is padded."""

import numpy as np
import pytest
from edge_small import FOLDER, MAX_TOKENS, PAIRS, exact

from utils.edge.exports import static_forms
from utils.rank import models


@pytest.fixture(scope="module")
def drifts(tmp_path_factory):
    _, tokenizer = models.described(FOLDER)
    batches = static_forms.padded_batches(PAIRS, tokenizer=tokenizer, max_tokens=MAX_TOKENS)
    folder, found = tmp_path_factory.mktemp("static"), {}
    for constant in static_forms.MASKS:
        ranker = static_forms.static_int8(FOLDER, folder / "int8.onnx", constant=constant, batches=batches)
        found[constant] = float(np.abs(ranker.score(PAIRS) - exact()).mean())
    return found


def test_a_mask_that_is_just_small_enough_keeps_the_scores_that_a_huge_one_ruins(drifts):
    assert drifts[-30.0] < drifts[-10_000.0] / 2
    assert drifts[-30.0] < drifts[-3.4e38] / 2


def test_batches_of_a_fixed_shape_are_all_padded_to_it():
    _, tokenizer = models.described(FOLDER)
    batches = static_forms.padded_batches(PAIRS, tokenizer=tokenizer, max_tokens=MAX_TOKENS, batch_size=4)

    assert {batch["input_ids"].shape[1] for batch in batches} == {MAX_TOKENS}
    assert sum(len(batch["input_ids"]) for batch in batches) == len(PAIRS)
    assert (batches[0]["attention_mask"][0] == 0).any()
