"""int8 graphs are int8, score nearly as the fp32 model does, and a quantizer that leaves fp32 is found out."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from datasets import Dataset

from utils import settings
from utils.data import catalogue as catalogues
from utils.measure import cost
from utils.rank import models, runtimes
from utils.rank.padding import pad_to_limit
from utils.rank.runtimes import in_onnxruntime, in_openvino
from utils.shrink.quantize import calibration, int8_onnx, int8_openvino, onnx_weights, sensitivity


@pytest.fixture(scope="module")
def world(ranking_folder):
    """The small model with its tokenizer, some train batches, pairs to score, and their fp32 scores."""
    shop = catalogues.load("synthetic", profile=settings.profile("ci"))
    _, tokenizer = models.load(ranking_folder)
    drawn = calibration.draw(shop, n_pairs=24, seed=0)
    batches = calibration.batches(drawn, catalogue=shop, tokenizer=tokenizer, max_tokens=64)
    padded = calibration.batches(drawn, catalogue=shop, tokenizer=tokenizer, max_tokens=64, batch_size=8)
    pairs = list(zip(shop.pairs["valid"]["query"], shop.pairs["valid"]["product"], strict=True))[:60]
    exact = runtimes.open_ranker(ranking_folder, runtime="pytorch", threads=1, max_tokens=64).score(pairs)
    return {"tokenizer": tokenizer, "batches": batches, "padded": padded, "pairs": pairs, "exact": exact}


def scores(path, world, **changes):
    ranker = runtimes.open_graph(path, tokenizer=world["tokenizer"], threads=1, max_tokens=64)
    return replace(ranker, **changes).score(world["pairs"])


def openvino_scores(model, world, folder):
    return scores(int8_openvino.save(model, folder / "scored.xml"), world)


def drift(found, world):
    return sensitivity.drift(found, reference=world["exact"])


def graph(folder):
    return folder / "onnx" / "model.onnx"


def ir(folder):
    return folder / "openvino" / "openvino_model.xml"


def test_an_optimized_graph_is_quantized_once_its_types_are_told_and_less_of_it(ranking_folder, world, tmp_path):
    options, source = onnxruntime.SessionOptions(), graph(ranking_folder)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    with pytest.raises(RuntimeError, match="DefaultTensorType"):
        int8_onnx.dynamic(tmp_path / "optimized.onnx", tmp_path / "never.onnx")
    told = int8_onnx.dynamic(tmp_path / "optimized.onnx", tmp_path / "told.onnx", untyped_is_float=True)
    plain = int8_onnx.dynamic(source, tmp_path / "plain.onnx")
    assert 0 < in_onnxruntime.quantized_share(told) < in_onnxruntime.quantized_share(plain)
    assert drift(scores(told, world), world) < 0.2


def test_a_model_left_in_fp32_has_no_quantized_weights(ranking_folder):
    assert in_onnxruntime.quantized_share(graph(ranking_folder)) == 0
    assert in_openvino.quantized_share(ir(ranking_folder)) == 0
    compiled = runtimes.compile_openvino(openvino.Core().read_model(ir(ranking_folder)), threads=1)
    assert set(int8_openvino.multiplied_in(compiled)) == {"f32"}


def test_dynamic_int8_is_a_quarter_of_the_bytes_and_scores_nearly_the_same(ranking_folder, world, tmp_path):
    path = int8_onnx.dynamic(graph(ranking_folder), tmp_path / "model.onnx")
    assert in_onnxruntime.quantized_share(path) > 0.98
    assert 0.25 < cost.disk_bytes([path]) / cost.disk_bytes([graph(ranking_folder)]) < 0.27
    assert 0 < drift(scores(path, world), world) < 0.2
    assert not list(tmp_path.glob(".partial*"))


def test_a_scale_for_each_channel_and_the_table_alone_drift_less(ranking_folder, world, tmp_path):
    rough = int8_onnx.dynamic(graph(ranking_folder), tmp_path / "rough.onnx", per_channel=False)
    fine = int8_onnx.dynamic(graph(ranking_folder), tmp_path / "fine.onnx")
    table = onnx_weights.embeddings(graph(ranking_folder), tmp_path / "table.onnx")
    drifts = [drift(scores(path, world), world) for path in (table, fine, rough)]
    assert 0 < drifts[0] < drifts[1] < drifts[2]
    assert 0.7 < in_onnxruntime.quantized_share(table) < 0.8  # the table is that much of a model of two layers


def test_dynamic_scores_depend_on_the_batch_and_static_ones_do_not(ranking_folder, world, tmp_path):
    moving = int8_onnx.dynamic(graph(ranking_folder), tmp_path / "dynamic.onnx")
    fixed = int8_onnx.static(graph(ranking_folder), tmp_path / "static.onnx", batches=world["batches"])
    spread = {}
    for name, path in (("dynamic", moving), ("static", fixed)):
        padded = pad_to_limit(runtimes.open_graph(path, tokenizer=world["tokenizer"], threads=1, max_tokens=64))
        spread[name] = abs(scores(path, world, batch_size=1) - padded.score(world["pairs"])).max()
    assert spread["static"] < spread["dynamic"] / 2


@pytest.mark.parametrize("method", int8_onnx.METHODS)
def test_static_int8_scores_nearly_the_same_by_every_method(ranking_folder, world, tmp_path, method):
    path = int8_onnx.static(graph(ranking_folder), tmp_path / "m.onnx", batches=world["batches"], method=method)
    assert in_onnxruntime.quantized_share(path) > 0.98
    assert 0 < drift(scores(path, world), world) < 0.6


def test_the_masks_value_wrecks_a_range_that_holds_it(ranking_folder, world, tmp_path):
    wrecked = int8_onnx.static(graph(ranking_folder), tmp_path / "all.onnx", batches=world["padded"], operators=None)
    sound = int8_onnx.static(graph(ranking_folder), tmp_path / "some.onnx", batches=world["padded"])
    assert drift(scores(wrecked, world), world) > 2 * drift(scores(sound, world), world)
    assert max(int8_onnx.steps(wrecked).values()) > 1e4 / 255 > 10 * max(int8_onnx.steps(sound).values())
    assert len(int8_onnx.steps(graph(ranking_folder))) == 0


def test_nodes_that_are_to_stay_stay_fp32(ranking_folder, world, tmp_path):
    names = [node.name for node in onnx.load(graph(ranking_folder)).graph.node if node.op_type in int8_onnx.MULTIPLIED]
    path = int8_onnx.static(graph(ranking_folder), tmp_path / "m.onnx", batches=world["batches"], keep=names)
    assert 0.7 < in_onnxruntime.quantized_share(path) < 0.8


@pytest.mark.parametrize(("bits", "most"), [(8, 0.05), (4, 1.0)])
def test_packed_weights_score_nearly_the_same_and_take_their_bits(ranking_folder, world, tmp_path, bits, most):
    path = onnx_weights.weight_only(graph(ranking_folder), tmp_path / "m.onnx", bits=bits)
    assert 0 < drift(scores(path, world), world) < most
    _, tokenizer = models.load(ranking_folder)
    saved = cost.disk_bytes([graph(ranking_folder)]) - cost.disk_bytes([path])
    multiplied = 2 * (4 * 384 * 384 + 2 * 384 * 1536)  # weights; a block of 32 has a scale of 4 bytes
    assert saved == pytest.approx(multiplied * (4 - bits / 8 - 4 / 32), rel=0.01)
    assert 0.2 < in_onnxruntime.quantized_share(path) < 0.25


@pytest.mark.parametrize(
    ("quantize", "writer"),
    [(int8_onnx.dynamic, (int8_onnx.ort, "quantize_dynamic")), (onnx_weights.embeddings, (onnx, "save"))],
)
def test_a_quantizer_that_is_stopped_leaves_the_older_graph_as_it_was(
    ranking_folder, tmp_path, monkeypatch, quantize, writer
):
    target = tmp_path / "model.onnx"
    target.write_bytes(b"older")

    def stopped(model, path, *args, **how):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(*writer, stopped)
    with pytest.raises(KeyboardInterrupt):
        quantize(graph(ranking_folder), target)
    assert target.read_bytes() == b"older" and list(tmp_path.iterdir()) == [target]


def test_wrong_calls_of_the_onnx_quantizers_are_refused(ranking_folder, tmp_path):
    with pytest.raises(ValueError, match="4 or 8"):
        onnx_weights.weight_only(graph(ranking_folder), tmp_path / "m.onnx", bits=3)
    with pytest.raises(ValueError, match="min-max, entropy, percentile"):
        int8_onnx.static(graph(ranking_folder), tmp_path / "m.onnx", batches=[{}], method="mean")
    with pytest.raises(ValueError, match="no batches"):
        int8_onnx.static(graph(ranking_folder), tmp_path / "m.onnx", batches=[])


def test_openvino_int8_is_int8_on_disk_and_when_it_multiplies(ranking_folder, world, tmp_path):
    model = int8_openvino.static(ir(ranking_folder), batches=world["batches"])
    path = int8_openvino.save(model, tmp_path / "m.xml")
    assert in_openvino.quantized_share(path) > 0.98
    counts = int8_openvino.multiplied_in(runtimes.compile_openvino(openvino.Core().read_model(path), threads=1))
    assert sum(n for kind, n in counts.items() if kind in ("i8", "u8")) > 0.8 * sum(counts.values())
    assert 0 < drift(openvino_scores(model, world, tmp_path), world) < 0.3


def test_presets_ranges_and_smoothing_make_different_models(ranking_folder, world, tmp_path):
    ways = int8_openvino.WAYS.values()
    models_ = [int8_openvino.static(ir(ranking_folder), batches=world["batches"], options=way) for way in ways]
    drifts = [drift(openvino_scores(model, world, tmp_path), world) for model in models_]
    assert len(set(drifts)) == len(ways) == 5 and max(drifts) < 1


def test_the_mean_of_extremes_narrows_the_ranges_of_a_graph(ranking_folder, world, tmp_path):
    found = {}
    for way in ("min-max", "mean ranges"):
        model = int8_openvino.static(ir(ranking_folder), batches=world["batches"], options=int8_openvino.WAYS[way])
        found[way] = int8_openvino.activation_ranges(int8_openvino.save(model, tmp_path / f"{way}.xml"))
    wide, narrow = found["min-max"], found["mean ranges"]
    assert set(wide) == set(narrow) and len(wide) == int8_openvino.n_rounded(tmp_path / "min-max.xml")
    shares = [(narrow[name][1] - narrow[name][0]) / (high - low) for name, (low, high) in wide.items()]
    assert max(shares) < 1.05 and np.median(shares) < 0.95
    assert int8_openvino.activation_ranges(ir(ranking_folder)) == {}


def test_operations_that_are_to_stay_stay_fp32(ranking_folder, world, tmp_path):
    names = [op.get_friendly_name() for op in openvino.Core().read_model(ir(ranking_folder)).get_ops()]
    keep = [name for name in names if name.endswith("MatMul")]
    model = int8_openvino.static(ir(ranking_folder), batches=world["batches"], keep=keep)
    path = int8_openvino.save(model, tmp_path / "m.xml")
    assert keep and in_openvino.quantized_share(path) < 0.85


def test_compressed_weights_are_stored_narrow_and_multiplied_wide(ranking_folder, world, tmp_path):
    sizes = []
    for bits in (8, 4):
        model = int8_openvino.compress_weights(ir(ranking_folder), bits=bits)
        path = int8_openvino.save(model, tmp_path / f"{bits}.xml")
        assert in_openvino.quantized_share(path) > 0.95
        assert 0 < drift(openvino_scores(model, world, tmp_path), world) < 0.05 * 16 / bits**0.5
        compiled = runtimes.compile_openvino(openvino.Core().read_model(path), threads=1)
        assert set(int8_openvino.multiplied_in(compiled)) == {"f32"}
        assert compiled.get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE") == 0  # nothing is rounded within a product
        sizes.append(cost.disk_bytes([path.with_suffix(".bin")]))
    assert sizes[1] < 0.92 * sizes[0]


def judged_queries(world):
    """Two lists whose gains follow the fp32 scores, so that fp32 ranks them perfectly, and one of equal gains."""
    rows = []
    for query_id, chosen in (("a", range(0, 12)), ("b", range(12, 24)), ("alike", range(24, 27))):
        gains = np.argsort(np.argsort(world["exact"][list(chosen)])) * (query_id != "alike")
        for number, gain in zip(chosen, gains, strict=True):
            query, product = world["pairs"][number]
            rows.append({"query_id": query_id, "query": query, "product": product, "gain": int(gain)})
    return int8_openvino.judged_queries(Dataset.from_list(rows), tokenizer=world["tokenizer"], max_tokens=64)


def test_accuracy_control_gives_back_what_quality_needs(ranking_folder, world, tmp_path):
    queries = judged_queries(world)
    assert [len(query.gains) for query in queries] == [12, 12]
    model = int8_openvino.with_accuracy_control(
        ir(ranking_folder), batches=world["batches"][:4], valid=queries, max_drop=1e-6, at_most=2
    )
    plain = int8_openvino.static(ir(ranking_folder), batches=world["batches"][:4])
    kept, whole = (int8_openvino.save(m, tmp_path / f"{i}.xml") for i, m in enumerate((model, plain)))
    assert 0.1 < in_openvino.quantized_share(kept) < in_openvino.quantized_share(whole)


def test_wrong_calls_of_the_openvino_quantizers_are_refused(ranking_folder, world):
    with pytest.raises(ValueError, match="preset 'fast' is not one of mixed, performance"):
        int8_openvino.Options(preset="fast")
    with pytest.raises(ValueError, match="ranges 'mean' is not one of min-max, mean min-max, histogram"):
        int8_openvino.Options(ranges="mean")
    with pytest.raises(ValueError, match="no calibration batches"):
        int8_openvino.static(ir(ranking_folder), batches=[])
    with pytest.raises(ValueError, match="8, 4"):
        int8_openvino.compress_weights(ir(ranking_folder), bits=2)
    with pytest.raises(ValueError, match="no queries"):
        int8_openvino.with_accuracy_control(ir(ranking_folder), batches=world["batches"], valid=[], max_drop=0.1)


def test_a_folder_with_an_int8_graph_opens_as_any_other(ranking_folder, world, tmp_path):
    from sentence_transformers import CrossEncoder

    folder = shutil.copytree(ranking_folder, tmp_path / "quantized")
    path = int8_onnx.static(graph(ranking_folder), graph(folder), batches=world["batches"])
    opened = runtimes.open_ranker(folder, runtime="onnxruntime", threads=1, max_tokens=64)
    found = opened.score(world["pairs"])
    np.testing.assert_array_equal(found, scores(path, world))
    assert drift(found, world) > 0
    probabilities = CrossEncoder(str(folder), backend="onnx", device="cpu").predict(world["pairs"])
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-found)), atol=3e-3)


def test_the_fusions_that_are_left_out_are_fusions_that_the_runtime_knows(ranking_folder, world, tmp_path, monkeypatch):
    """ONNX Runtime takes any name for an optimizer, and says nothing of one that it does not have."""
    path = int8_onnx.static(graph(ranking_folder), tmp_path / "int8.onnx", batches=world["batches"])

    def operators(disabled):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / f"without-{len(disabled)}.onnx")
        options.log_severity_level = 3
        monkeypatch.setattr(onnxruntime, "SessionOptions", lambda: options)
        runtimes.onnx_forward(path, threads=1, disabled=disabled)
        monkeypatch.undo()
        return {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node}

    assert "SkipLayerNormalization" in operators(())
    assert "SkipLayerNormalization" not in operators(runtimes.SLOW_FUSIONS)


def test_a_file_that_is_no_graph_is_refused_by_its_ending(world, tmp_path):
    with pytest.raises(ValueError, match="neither .onnx nor .xml"):
        scores(tmp_path / "model.pt", world)


def test_a_graph_of_which_weights_alone_are_int8_rounds_nothing_that_flows(ranking_folder, world, tmp_path):
    source = ir(ranking_folder)
    alone = int8_openvino.save(int8_openvino.compress_weights(source, bits=8, group_size=16), tmp_path / "alone.xml")
    both = int8_openvino.save(int8_openvino.static(source, batches=world["batches"]), tmp_path / "both.xml")
    assert int8_openvino.n_rounded(source) == int8_openvino.n_rounded(alone) == 0 < int8_openvino.n_rounded(both)
