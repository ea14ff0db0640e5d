"""Ranges of activations: what batches showed is counted, a rule cuts what it says, and a layer can have its own."""

import numpy as np
import pytest
import torch

from utils import settings
from utils.data import catalogue as catalogues
from utils.rank import models
from utils.shrink.quantize import calibration, fake_quant, ranges

LAYER = "bert.encoder.layer.1.attention.self.query"


@pytest.fixture(scope="module")
def made(small_folder):
    """A model with fake quantization, calibrated, and its batches."""
    model, tokenizer = models.load(small_folder)
    shop = catalogues.load("synthetic", profile=settings.profile("ci"))
    drawn = calibration.draw(shop, n_pairs=8, seed=0)
    batches = calibration.batches(drawn, catalogue=shop, tokenizer=tokenizer, max_tokens=64)
    return fake_quant.calibrate(fake_quant.insert(model), batches), batches


def test_what_a_layer_saw_is_what_a_hook_sees(made):
    model, batches = made
    values = []
    linear = fake_quant.layers(model)[LAYER]
    handle = linear.register_forward_pre_hook(lambda _, inputs: values.append(inputs[0].numpy().ravel()))
    with torch.inference_mode(), fake_quant.only(model, ()):
        for batch in batches:
            model(**{name: torch.from_numpy(found) for name, found in batch.items()})
    handle.remove()
    seen = ranges.watch(model, batches)[LAYER]
    np.testing.assert_allclose(seen.lows, [found.min() for found in values])
    np.testing.assert_allclose(seen.highs, [found.max() for found in values])
    whole = np.concatenate(values)
    assert seen.counts.sum() == len(whole) and seen.counts.shape == (ranges.N_BINS,)
    low, high = np.quantile(whole, [0.01, 0.99])
    bin_width = float(whole.max() - whole.min()) / ranges.N_BINS
    assert ranges.percentile(seen, 99) == (
        pytest.approx(low, abs=2 * bin_width),
        pytest.approx(high, abs=2 * bin_width),
    )
    beyond = float(((whole < low) | (whole > high)).mean())
    assert beyond > 0 and seen.share_beyond((low, high)) == pytest.approx(beyond, abs=0.003)
    assert seen.share_beyond(ranges.extremes(seen)) == 0


def test_watching_leaves_the_model_as_it_was_and_the_extremes_are_those_of_calibrate(made):
    model, batches = made
    active = [name for name, layer in fake_quant.layers(model).items() if layer.active]
    seen = ranges.watch(model, batches)
    assert [name for name, layer in fake_quant.layers(model).items() if layer.active] == active
    for name, found in seen.items():
        linear = fake_quant.layers(model)[name]
        assert ranges.extremes(found) == (float(linear.low), float(linear.high))


def seen_of(counts):
    return ranges.Seen(np.array([-1.0, -3.0]), np.array([2.0, 7.0]), np.array([3.0, 7.0]), np.array(counts))


def test_each_rule_cuts_what_it_says():
    seen = seen_of([1, 0, 98, 0, 1])
    assert ranges.extremes(seen) == ranges.percentile(seen, 100) == (-3.0, 7.0)
    assert ranges.mean_of_extremes(seen) == (-2.0, 4.5)
    assert ranges.percentile(seen, 98) == (1.0, 3.0)
    assert seen.share_beyond((1.0, 3.0)) == pytest.approx(0.02)
    assert seen.largest_feature == 1
    with pytest.raises(ValueError, match="not from 50 to 100"):
        ranges.percentile(seen, 0.999)


def test_a_feature_that_is_spared_is_as_if_it_alone_had_not_been_rounded(made):
    model, _ = made
    linear = fake_quant.layers(model)[LAYER]
    feature, before = 5, (float(linear.low), float(linear.high))
    x = torch.randn(3, linear.in_features, generator=torch.Generator().manual_seed(0))
    x[:, feature] = 40.0
    ranges.put(model, {LAYER: (-3.0, 3.0)})
    with torch.inference_mode():
        cut, whole = linear(x), torch.nn.functional.linear(x, linear.weight, linear.bias)
        with ranges.sparing(model, {LAYER: feature}):
            spared = linear(x)
            with fake_quant.only(model, ()):
                torch.testing.assert_close(linear(x), whole)
        torch.testing.assert_close(linear(x), cut)
    assert abs(spared - whole).max() < 0.25 * abs(cut - whole).max()  # what else lies beyond ±3 stays cut
    ranges.put(model, {LAYER: before})


def test_a_feature_is_followed_beside_the_score_of_its_pair(made):
    model, batches = made
    feature = ranges.watch(model, batches)[LAYER].largest_feature
    values, tokens, scores = ranges.follow(model, batches, layer=LAYER, feature=feature)
    with torch.inference_mode(), fake_quant.only(model, ()):
        tensors = {name: torch.from_numpy(found) for name, found in batches[2].items()}
        expected = model(**tensors).logits[0, 0]
    assert scores[2] == pytest.approx(float(expected), abs=1e-5) and len(scores) == len(values) == len(batches)
    assert abs(values).max() == pytest.approx(ranges.watch(model, batches)[LAYER].by_feature[feature])
    assert (tokens < [batch["input_ids"].shape[1] for batch in batches]).all()


def test_a_range_is_put_where_it_is_named_and_nowhere_else(made):
    model, batches = made
    before = {name: (float(one.low), float(one.high)) for name, one in ranges.linears(model).items()}
    ranges.put(model, {LAYER: (-0.5, 0.5)})
    after = {name: (float(one.low), float(one.high)) for name, one in ranges.linears(model).items()}
    assert after == before | {LAYER: (-0.5, 0.5)} and before[LAYER] != (-0.5, 0.5)
    with pytest.raises(ValueError, match="no layer 'bert.nothing'"):
        ranges.put(model, {"bert.nothing": (0.0, 1.0)})
    fake_quant.calibrate(model, batches)


def test_the_inputs_of_a_layer_are_those_that_its_range_was_taken_from(made):
    model, batches = made
    with fake_quant.only(model, ()):
        found = [ranges.inputs(model, batch, layer=LAYER) for batch in batches]
    seen = ranges.watch(model, batches)[LAYER]
    assert found[0].shape == (batches[0]["input_ids"].shape[1], len(seen.by_feature))
    np.testing.assert_allclose([values.max() for values in found], seen.highs, rtol=1e-6)
    with pytest.raises(ValueError, match="no Linear 'bert.encoder'"):
        ranges.inputs(model, batches[0], layer="bert.encoder")


def test_nothing_to_watch_is_refused(made, small_folder):
    model, batches = made
    plain, _ = models.load(small_folder)
    for one, some in ((plain, batches), (model, [])):
        with pytest.raises(ValueError, match="ranges.watch"):
            ranges.watch(one, some)
