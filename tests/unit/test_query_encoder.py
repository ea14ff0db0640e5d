"""The exported encoder gives the vectors of the one it is from, each text alone; as an engine it reads its products."""

import json
import shutil

import numpy as np
import pytest
import torch
from small_encoder import small_encoder

from utils.rank import runtimes
from utils.speed import query_encoder, vector_store, vectors_ranker

QUERIES = ["red sofa", "été 漢字", "", "couch " * 50, "a lamp of blue glass for a small table"]
PRODUCTS = [f"couch number {i} {'velvet ' * (i % 5)}" for i in range(12)]
LIMITS = {"threads": 1, "max_tokens": 32, "batch_size": 8, "device": "cpu"}


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


@pytest.fixture(scope="module")
def exported(encoder, tmp_path_factory):
    """Folders of the exported encoder by precision."""
    folder = tmp_path_factory.mktemp("encoders")
    how = {"max_tokens": 24}
    return {p: query_encoder.export(encoder, folder=folder / p, precision=p, **how) for p in ("fp32", "int8")}


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("int8", 0.05)])
def test_vectors_are_those_of_the_encoder_it_is_from(exported, encoder, precision, tolerance):
    opened = query_encoder.open_encoder(exported[precision], threads=1)
    found, expected = opened.encode(QUERIES), vector_store.encode(encoder, QUERIES, max_tokens=24)
    assert found.shape == (5, 384) == (5, opened.d_model) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert (np.sum(found * expected, axis=1) > 0.98).all()
    assert opened.precision == precision and opened.encoder == vector_store.encoder_hash(encoder)


def test_int8_is_a_quarter_of_fp32_on_disk(exported):
    sizes = {precision: (folder / "encoder.onnx").stat().st_size for precision, folder in exported.items()}
    assert 0.2 < sizes["int8"] / sizes["fp32"] < 0.35


def test_no_vector_depends_on_what_else_is_asked_for(exported):
    opened = query_encoder.open_encoder(exported["int8"], threads=1)
    together = opened.encode(QUERIES)
    for query, vector in zip(QUERIES, together, strict=True):
        np.testing.assert_array_equal(opened.encode([query])[0], vector)
    assert opened.encode([]).shape == (0, 384)


def test_its_threads_do_not_spin_and_are_as_many_as_asked_for(exported):
    options = query_encoder.open_encoder(exported["fp32"], threads=1).session.get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_exporting_leaves_no_other_files_and_pytorch_as_it_was(exported, encoder):
    kept = {path.name for path in exported["int8"].iterdir()}
    assert {"encoder.onnx", "encoder.json", "tokenizer.json"} <= kept and not any(n.startswith(".") for n in kept)
    assert all(p.requires_grad for p in encoder.parameters()) and torch.is_grad_enabled()


def test_what_cannot_be_exported_or_read_is_refused_with_the_remedy(exported, tmp_path):
    with pytest.raises(ValueError, match="precision 'int4' is not one of int8, fp32"):
        query_encoder.export(small_encoder(), folder=tmp_path / "x", precision="int4")
    other = small_encoder()
    other[0].auto_model.config.model_type = "mpnet"
    with pytest.raises(ValueError, match="an encoder of type mpnet with mean pooling; take a BERT with mean"):
        query_encoder.export(other, folder=tmp_path / "x")
    folder = shutil.copytree(exported["fp32"], tmp_path / "short")
    graph = folder / "encoder.onnx"
    graph.write_bytes(graph.read_bytes()[:-100_000])
    with pytest.raises(ValueError, match="short: cannot be read, it is damaged"):
        query_encoder.open_encoder(folder, threads=1)
    (folder / "encoder.json").unlink()
    with pytest.raises(ValueError, match="short: encoder.json is missing, damaged, or not of format"):
        query_encoder.open_encoder(folder, threads=1)


@pytest.fixture(scope="module")
def stage(encoder, tmp_path_factory):
    """A folder of the engine, all of it in fp32."""
    folder = tmp_path_factory.mktemp("run") / "first"
    exact = {"precision": "fp32", "query_precision": "fp32", "max_tokens": 24}
    return vectors_ranker.make(folder, encoder=encoder, texts=PRODUCTS, **exact)


def test_the_engine_scores_a_pair_by_its_cosine_whether_the_product_is_stored_or_not(stage, encoder):
    pairs = [("lamp", PRODUCTS[3]), ("red sofa", "a new one"), *(("red sofa", product) for product in PRODUCTS)]
    pairs += [("lamp", "a new one"), ("red sofa", PRODUCTS[3])]
    queries, products = (vector_store.encode(encoder, texts, max_tokens=24) for texts in zip(*pairs, strict=True))
    ranker = vectors_ranker.RUNTIME.open(stage, **LIMITS)
    np.testing.assert_allclose(ranker.score(pairs), np.sum(queries * products, axis=1), atol=1e-5)
    assert ranker.batch_size == 8 and ranker.score([]).shape == (0,)


def test_each_query_is_encoded_once_and_of_the_products_only_new_or_changed_ones(stage):
    ranker = vectors_ranker.RUNTIME.open(stage, **LIMITS)
    asked, encode = [], ranker.encoder.encode

    class Noting:
        def encode(self, texts):
            asked.extend(texts)
            return encode(texts)

    ranker.encoder = Noting()
    changed = PRODUCTS[0].replace("couch", "sofa")
    ranker.score([(query, product) for query in ("red", "blue") for product in [*PRODUCTS, changed]])
    assert sorted(asked) == sorted(["red", "blue", changed])


def test_in_int8_the_engine_nearly_keeps_the_scores_at_a_quarter_of_the_size(stage, encoder, monkeypatch):
    monkeypatch.setattr(runtimes, "MODULES", dict(runtimes.MODULES) | {"stored_vectors": "utils.speed.vectors_ranker"})
    small = vectors_ranker.make(stage.parent / "int8", encoder=encoder, texts=PRODUCTS, max_tokens=24)
    assert [vectors_ranker.RUNTIME.precision(folder) for folder in (stage, small)] == ["fp32", "int8"]
    pairs = [("red sofa", product) for product in PRODUCTS]
    scores = [vectors_ranker.RUNTIME.open(folder, **LIMITS).score(pairs) for folder in (stage, small)]
    np.testing.assert_allclose(*scores, atol=0.05)
    sizes = [
        sum(p.stat().st_size for p in runtimes.shipped_files(folder, runtime="stored_vectors") if p.suffix != ".json")
        for folder in (stage, small)
    ]
    assert sizes[1] < 0.35 * sizes[0]
    hashes = {runtimes.weights_hash(folder, runtime="stored_vectors") for folder in (stage, small)}
    assert len(hashes) == 2


def test_vectors_of_another_encoder_and_another_graph_are_refused(stage, tmp_path):
    folder = shutil.copytree(stage, tmp_path / "first")
    facts = json.loads((folder / "vectors" / "store.json").read_text())
    (folder / "vectors" / "store.json").write_text(json.dumps(facts | {"encoder": "0" * 16}))
    with pytest.raises(ValueError, match="first: the stored vectors are of another encoder than encoder.onnx; make"):
        vectors_ranker.RUNTIME.open(folder, **LIMITS)
    with (folder / "encoder.onnx").open("ab") as graph:
        graph.write(b"\0")
    with pytest.raises(ValueError, match="encoder.onnx: is missing, damaged, or not the one that .* names; make it"):
        vectors_ranker.RUNTIME.open(folder, **LIMITS)
