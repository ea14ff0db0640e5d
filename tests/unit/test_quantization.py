"""Grids hold what they should, rounding loses at most half a step, and calibration reads the train split alone."""

import numpy as np
import pytest

from utils import settings
from utils.data import catalogue as catalogues
from utils.rank import models
from utils.shrink.quantize import calibration, quantization

RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(6, 8)).astype(np.float32) * np.array([[1], [1], [0.01], [1], [20], [0]], dtype=np.float32)


@pytest.fixture(scope="module")
def shop():
    return catalogues.load("synthetic", profile=settings.profile("ci"))


def test_symmetric_grid_worked_by_hand():
    grid = quantization.symmetric(np.array([-2.54, 1.0, 0.0]))
    assert float(grid.scale) == pytest.approx(0.02) and int(grid.zero_point) == 0
    np.testing.assert_array_equal(quantization.quantize(np.array([-2.54, 1.0, 0.0, 9.0]), grid), [-127, 50, 0, 127])
    np.testing.assert_allclose(quantization.dequantize(np.array([-127, 50]), grid), [-2.54, 1.0], rtol=1e-6)


def test_asymmetric_grid_worked_by_hand():
    grid = quantization.asymmetric(np.array([-0.5, 2.05]))
    assert float(grid.scale) == pytest.approx(0.01) and int(grid.zero_point) == 50
    np.testing.assert_array_equal(quantization.quantize(np.array([-0.5, 0.0, 2.05, 9.0]), grid), [0, 50, 255, 255])


@pytest.mark.parametrize("make", [quantization.symmetric, quantization.asymmetric])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_value_within_the_grid_moves_by_half_a_step_at_most(make, axis, bits):
    grid = make(WEIGHT, bits=bits, axis=axis)
    assert grid.high - grid.low in (2**bits - 1, 2**bits - 2)
    assert (abs(quantization.round_trip(WEIGHT, grid) - WEIGHT) <= 0.51 * grid.scale + 1e-7).all()


@pytest.mark.parametrize("values", [np.array([3.0, 5.0]), np.array([-5.0, -3.0]), np.zeros(4)])
def test_zero_comes_back_as_zero(values):
    for make in (quantization.symmetric, quantization.asymmetric):
        assert quantization.round_trip(np.zeros(1), make(values))[0] == 0


def test_a_scale_for_each_channel_saves_the_small_channels():
    per_tensor, per_channel = (quantization.symmetric(WEIGHT, axis=axis) for axis in (None, 0))
    assert per_channel.scale.shape == (6, 1)
    assert quantization.relative_error(WEIGHT[2], per_tensor) > 0.5
    assert quantization.relative_error(WEIGHT, per_channel) < quantization.relative_error(WEIGHT, per_tensor) / 2


def test_more_bits_lose_less():
    errors = [quantization.relative_error(WEIGHT, quantization.symmetric(WEIGHT, bits=bits)) for bits in (4, 6, 8)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 0


def test_whole_number_product_is_that_of_the_rounded_matrices():
    x, weight = RNG.normal(size=(5, 8)).astype(np.float32) + 1, WEIGHT.T
    grids = {"a_grid": quantization.asymmetric(x), "b_grid": quantization.symmetric(weight, axis=1)}
    rounded = quantization.round_trip(x, grids["a_grid"]) @ quantization.round_trip(weight, grids["b_grid"])
    np.testing.assert_allclose(quantization.matmul(x, weight, **grids), rounded, atol=1e-4)
    assert abs(rounded - x @ weight).max() > 1e-3


def test_sixteen_bits_saturate_and_seven_bit_weights_do_not():
    unsigned = np.full(4, 255)
    assert quantization.dot_without_vnni(unsigned, np.full(4, 127)) == 2 * 32767 < 4 * 255 * 127
    assert quantization.dot_without_vnni(unsigned, np.full(4, -128)) == 2 * -32768
    assert quantization.dot_without_vnni(unsigned, np.full(4, 63)) == 4 * 255 * 63
    assert quantization.dot_without_vnni(np.array([1, 2]), np.array([3, -4])) == -5


@pytest.mark.parametrize("bad", [([256, 0], [1, 1]), ([1, 1], [-129, 0]), ([1], [1]), ([1, 1], [1, 1, 1])])
def test_what_does_not_fit_into_eight_bits_is_refused(bad):
    with pytest.raises(ValueError, match="dot_without_vnni"):
        quantization.dot_without_vnni(*map(np.array, bad))


@pytest.mark.parametrize("values", [np.array([]), np.array([1.0, np.inf]), np.array([np.nan])])
def test_a_grid_for_nothing_or_for_no_number_is_refused(values):
    with pytest.raises(ValueError, match="all of them finite"):
        quantization.symmetric(values)


def test_calibration_pairs_are_train_pairs_of_many_queries_and_depend_on_the_seed(shop):
    drawn = calibration.draw(shop, n_pairs=64, seed=0)
    train = shop.pairs["train"]
    assert set(drawn) <= set(zip(train["query"], train["product"], strict=True))
    assert len(drawn) == len(set(drawn)) == 64 and len({query for query, _ in drawn}) > 50
    assert drawn == calibration.draw(shop, n_pairs=64, seed=0) != calibration.draw(shop, n_pairs=64, seed=1)
    assert len(calibration.draw(shop, n_pairs=10**6, seed=0)) == len(train)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_calibration_on_held_out_texts_is_refused(shop, small_folder, split):
    rows = shop.pairs[split]
    held_out = list(zip(rows["query"], rows["product"], strict=True))[:3]
    drawn = calibration.draw(shop, n_pairs=3, seed=0)
    _, tokenizer = models.load(small_folder)
    with pytest.raises(ValueError, match="not of the train split"):
        calibration.batches(drawn + held_out, catalogue=shop, tokenizer=tokenizer, max_tokens=32)


def test_calibration_batches_hold_every_pair_once_and_pad_no_more_than_they_must(shop, small_folder):
    _, tokenizer = models.load(small_folder)
    drawn = calibration.draw(shop, n_pairs=10, seed=0)
    for batch_size in (1, 4):
        made = calibration.batches(drawn, catalogue=shop, tokenizer=tokenizer, max_tokens=64, batch_size=batch_size)
        assert [len(batch["input_ids"]) for batch in made] == ([1] * 10 if batch_size == 1 else [4, 4, 2])
        assert all(batch["attention_mask"].any(axis=0).all() and batch["input_ids"].dtype == np.int64 for batch in made)
        texts = tokenizer.batch_decode([ids for batch in made for ids in batch["input_ids"]], skip_special_tokens=True)
        assert len(set(texts)) == 10
    with pytest.raises(ValueError, match="no pairs"):
        calibration.batches([], catalogue=shop, tokenizer=tokenizer, max_tokens=64)
