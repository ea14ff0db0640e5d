"""Fake quantization rounds as int8 does, trains through the rounding, and exports to graphs that score as it does."""

from dataclasses import replace

import numpy as np
import openvino
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification

from utils import settings
from utils.data import catalogue as catalogues
from utils.rank import models, runtimes
from utils.rank.runtimes import in_onnxruntime, in_openvino
from utils.rank.setting import Budget, Setting
from utils.shrink.quantize import calibration, fake_quant, int8_openvino, qat, quantization, sensitivity

QUERY = "bert.encoder.layer.0.attention.self.query"
TABLE = "bert.embeddings.word_embeddings"


@pytest.fixture(scope="module")
def shop():
    return catalogues.load("synthetic", profile=settings.profile("ci"))


@pytest.fixture
def made(ranking_folder, shop):
    """A model with fake quantization, its tokenizer, batches, a function that scores, and the fp32 scores."""
    model, tokenizer = models.load(ranking_folder)
    drawn = calibration.draw(shop, n_pairs=16, seed=0)
    batches = calibration.batches(drawn, catalogue=shop, tokenizer=tokenizer, max_tokens=64)
    pairs = list(zip(shop.pairs["valid"]["query"], shop.pairs["valid"]["product"], strict=True))[:40]

    def score():
        return runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=64).score(pairs)

    exact = score()
    fake_quant.calibrate(fake_quant.insert(model, weight_bits=7), batches)  # exact on every processor
    return {"model": model, "tokenizer": tokenizer, "pairs": pairs, "score": score, "exact": exact, "batches": batches}


def scores_of(path, made):
    return runtimes.open_graph(path, tokenizer=made["tokenizer"], threads=1, max_tokens=64).score(made["pairs"])


def test_a_fake_quantized_linear_is_the_whole_number_product(made):
    layer = fake_quant.layers(made["model"])[QUERY]
    x = torch.randn(5, 384, generator=torch.Generator().manual_seed(0)) * float(layer.high) / 3
    weight_grid = quantization.symmetric(layer.weight.detach().numpy().T, bits=7, axis=1)
    grids = {"a_grid": layer.input_grid(), "b_grid": weight_grid}
    by_hand = quantization.matmul(x.numpy(), layer.weight.detach().numpy().T, **grids) + layer.bias.detach().numpy()
    with torch.inference_mode():
        np.testing.assert_allclose(layer(x).numpy(), by_hand, atol=1e-4)
        layer.active = False
        assert abs(layer(x).numpy() - by_hand).max() > 1e-3


def test_a_fake_quantized_linear_is_exact_in_a_training_of_mixed_precision_too(made):
    layer = fake_quant.layers(made["model"])[QUERY]
    x = torch.randn(5, 384, generator=torch.Generator().manual_seed(0)) * float(layer.high) / 3
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = layer(x)
    with torch.inference_mode():
        np.testing.assert_array_equal(inside.numpy(), layer(x).numpy())


def test_rounding_lets_gradients_through_within_the_range_and_none_beyond():
    x = torch.tensor([-3.0, -0.004, 0.006, 1.0, 9.0], requires_grad=True)
    rounded = fake_quant.Round.apply(x, torch.tensor(0.01), 100, 0, 255)
    np.testing.assert_allclose(rounded.detach().numpy(), [-1.0, 0.0, 0.01, 1.0, 1.55], atol=1e-6)
    (rounded * torch.arange(1.0, 6.0)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 2, 3, 4, 0])


def test_an_inactive_model_scores_as_before_and_an_active_one_nearly_so(made):
    active = made["score"]()
    with fake_quant.only(made["model"], ()):
        np.testing.assert_array_equal(made["score"](), made["exact"])
    np.testing.assert_array_equal(made["score"](), active)
    assert 0 < sensitivity.drift(active, reference=made["exact"]) < 0.6


def test_every_linear_of_the_encoder_and_the_table_round_and_the_score_itself_does_not(made):
    names = set(fake_quant.layers(made["model"]))
    assert len(names) == 2 * 6 + 1 + 1 and {QUERY, TABLE, "bert.pooler.dense"} <= names
    assert "classifier" not in names


def test_ranges_hold_every_input_of_the_calibration_batches(made):
    model, layer = made["model"], fake_quant.layers(made["model"])[QUERY]
    seen = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode(), fake_quant.only(model, ()):
        for batch in made["batches"]:
            model(**{name: torch.from_numpy(values) for name, values in batch.items()})
    handle.remove()
    assert float(layer.low) == min(float(x.min()) for x in seen)
    assert float(layer.high) == max(float(x.max()) for x in seen)


def test_a_single_layer_exports_to_the_scores_of_its_fake_quantization(made, ranking_folder, tmp_path):
    source = ranking_folder / "onnx" / "model.onnx"
    for name in (TABLE, QUERY, "bert.encoder.layer.1.intermediate.dense", "bert.pooler.dense"):
        with fake_quant.only(made["model"], [name]):
            fake = made["score"]()
            path = qat.export_onnx(made["model"], source=source, target=tmp_path / "m.onnx")
        ir = int8_openvino.save(openvino.Core().read_model(path), tmp_path / "m.xml")
        rounding = np.median(abs(fake - made["exact"]))
        for found in (scores_of(path, made), scores_of(ir, made)):  # a weight on a step's edge may fall to either side:
            assert np.median(abs(found - fake)) < rounding / 10  # that moves some scores, not most of them


def test_the_whole_model_exports_to_int8_that_scores_as_its_fake_quantization(made, ranking_folder, tmp_path):
    source, fake = ranking_folder / "onnx" / "model.onnx", made["score"]()
    path = qat.export_onnx(made["model"], source=source, target=tmp_path / "m.onnx")
    ir = int8_openvino.save(openvino.Core().read_model(path), tmp_path / "m.xml")
    lost = sensitivity.drift(fake, reference=made["exact"])
    for found in (scores_of(path, made), scores_of(ir, made)):
        assert sensitivity.drift(found, reference=fake) < lost / 2
    assert in_onnxruntime.quantized_share(path) > 0.97 and in_openvino.quantized_share(ir) > 0.97
    assert path.stat().st_size < 0.27 * source.stat().st_size
    counts = int8_openvino.multiplied_in(runtimes.compile_openvino(openvino.Core().read_model(ir), threads=1))
    assert counts["u8"] >= 13


def test_layers_that_do_not_round_stay_fp32_in_the_export(made, ranking_folder, tmp_path):
    source = ranking_folder / "onnx" / "model.onnx"
    with fake_quant.only(made["model"], [TABLE]):
        path = qat.export_onnx(made["model"], source=source, target=tmp_path / "m.onnx")
    assert 0.7 < in_onnxruntime.quantized_share(path) < 0.8


def test_pairs_are_rescored_by_whole_queries_with_the_rankers_own_scores(made):
    queries, products = map(list, zip(*made["pairs"], strict=True))
    groups = {query: number for number, query in enumerate(dict.fromkeys(queries))}
    of_teacher = {"query": queries, "product": products, "group": [groups[query] for query in queries]}
    scored = Dataset.from_dict(of_teacher | {"score": [99.0] * len(queries)})
    ranker = runtimes.wrap_torch(made["model"], tokenizer=made["tokenizer"], threads=1, max_tokens=64)
    some = qat.rescored(scored, ranker=ranker, n_pairs=len(queries) // 2)
    assert set(some["group"]) == {number for number in groups.values() if number % 2 == 0}
    own = ranker.score(list(zip(some["query"], some["product"], strict=True)))
    np.testing.assert_allclose(some["score"], own, atol=1e-5)


def test_training_through_the_rounding_learns_and_saves_as_a_plain_model(made, shop, ranking_folder, tmp_path):
    model = made["model"]
    wanted = np.linspace(-1, 1, len(made["pairs"]), dtype=np.float32)
    queries, products = map(list, zip(*made["pairs"], strict=True))
    groups = {query: number for number, query in enumerate(dict.fromkeys(queries))}
    scored = Dataset.from_dict(
        {"group": [groups[q] for q in queries], "query": queries, "product": products, "score": wanted}
    )
    before = np.mean((made["score"]() - wanted) ** 2)
    setting = Setting(shop, replace(settings.profile("ci"), n_stop_queries=2), seed=0, log_folder=tmp_path / "logs")
    budget = Budget(n_pairs=640, batch_size=32, n_evaluations=1, learning_rate=3e-4)

    def train():
        """By a loss which moves the scores themselves towards the wanted ones."""
        tokenizer, loss = made["tokenizer"], "logit_mse"
        return qat.train(model, tokenizer=tokenizer, scored=scored, setting=setting, budget=budget, loss=loss)

    train()
    trained = made["score"]()
    assert np.mean((trained - wanted) ** 2) < 0.8 * before
    folder = models.save(model, tokenizer=made["tokenizer"], folder=tmp_path / "folder", max_tokens=64)
    plain = AutoModelForSequenceClassification.from_pretrained(folder)
    assert {type(layer) for layer in plain.modules()}.isdisjoint({fake_quant.FakeQuantLinear})
    with fake_quant.only(model, ()):
        scores = runtimes.wrap_torch(plain, tokenizer=made["tokenizer"], threads=1, max_tokens=64).score(made["pairs"])
        np.testing.assert_allclose(scores, made["score"](), atol=1e-5)
    with pytest.raises(ValueError, match="export this model anew"):
        qat.export_onnx(model, source=ranking_folder / "onnx" / "model.onnx", target=tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="plain training"), fake_quant.only(model, ()):
        train()


def test_wrong_calls_are_refused(made, ranking_folder, tmp_path):
    with pytest.raises(ValueError, match="already"):
        fake_quant.insert(made["model"])
    with pytest.raises(ValueError, match="no layer 'bert.nothing'"):
        fake_quant.use(made["model"], ["bert.nothing"])
    with pytest.raises(ValueError, match="at least one batch"):
        fake_quant.calibrate(made["model"], [])
    plain, _ = models.load(ranking_folder)
    with pytest.raises(ValueError, match="insert"):
        fake_quant.calibrate(plain, made["batches"])
    with pytest.raises(ValueError, match="nothing would be int8"):
        qat.export_onnx(plain, source=ranking_folder / "onnx" / "model.onnx", target=tmp_path / "m.onnx")


def test_one_layer_drifts_less_than_all_and_a_mixture_stays_within_its_limit(made):
    model, score, exact = made["model"], made["score"], made["exact"]
    whole = sensitivity.drift(score(), reference=exact)
    alone = {
        name: sensitivity.drift(s, reference=exact) for name, s in sensitivity.one_at_a_time(model, score=score).items()
    }
    assert set(alone) == set(fake_quant.layers(model)) and 0 < min(alone.values()) < max(alone.values()) < 2 * whole
    kept = sensitivity.rounded_within(model, score=score, reference=exact, drifts=alone, limit=whole / 2)
    assert 0 < len(kept) < len(alone) and max(alone, key=alone.get) not in kept
    with fake_quant.only(model, kept):
        assert sensitivity.drift(score(), reference=exact) <= whole / 2
    assert sensitivity.rounded_within(model, score=score, reference=exact, drifts=alone, limit=0) == []
    assert sensitivity.rounded_within(model, score=score, reference=exact, drifts=alone, limit=9) == list(alone)
    worst = max(alone, key=alone.get)
    without = sensitivity.all_but_one(model, score=score)[worst]
    assert sensitivity.drift(without, reference=exact) != pytest.approx(whole)


def test_swapped_pairs_are_counted_by_query():
    pairs = Dataset.from_dict({"query_id": ["a", "a", "a", "b", "b", "c"]})
    before, after = np.array([3, 2, 1, 1, 2, 5.0]), np.array([3, 1, 2, 5, 6, 1.0])
    shares = sensitivity.swapped(pairs, before=before, after=after)
    assert shares == {"a": pytest.approx(1 / 3), "b": 0, "c": 0}
    assert sensitivity.swapped(pairs, before=before, after=-before)["a"] == 1


def test_drift_is_relative_to_the_spread_and_refuses_what_has_none():
    reference = np.array([0.0, 2.0])
    assert sensitivity.drift(reference + 3, reference=reference) == pytest.approx(3)
    for wrong in (np.zeros(3), np.zeros(2)):
        with pytest.raises(ValueError, match="tells pairs apart"):
            sensitivity.drift(np.zeros(2), reference=wrong)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        (QUERY, "0 · attention.self.query"),
        ("bert.encoder.layer.2.output.dense", "2 · output"),
        (TABLE, "embeddings.word_embeddings"),
        ("bert.pooler.dense", "pooler"),
    ],
)
def test_labels_of_layers_are_short(name, label):
    assert sensitivity.short_name(name) == label


def test_weights_have_8_7_or_4_bits_and_the_grid_of_7_leaves_room_for_sums(made, ranking_folder):
    model, _ = models.load(ranking_folder)
    with pytest.raises(ValueError, match="weight_bits is 9; give one of 8, 7, 4, 3, 2"):
        fake_quant.insert(model, weight_bits=9)
    whole = fake_quant.layers(fake_quant.insert(model))[QUERY].weight_grid()
    assert (whole.high, fake_quant.layers(made["model"])[QUERY].weight_grid().high) == (127, 63)
    coarse = fake_quant.insert(models.load(ranking_folder)[0], weight_bits=4)
    assert fake_quant.layers(coarse)[QUERY].weight_grid().high == 7
