"""Rankers keep the order they are given whatever the batching, and model folders load as they were saved."""

import json
import shutil

import hypothesis
import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import strategies as st
from made import ENGINES, batch_of, setting
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DistilBertConfig

from utils import environment
from utils.rank import metrics, models, padding, ranker, runtimes, training
from utils.rank.setting import Budget

PAIRS = [(f"red sofa {'soft ' * (i % 7)}", f"couch number {i} {'velvet ' * (i % 5)}") for i in range(23)]


def open_small(folder, *, runtime="pytorch", batch_size=32):
    return runtimes.open_ranker(folder, runtime=runtime, threads=1, max_tokens=64, batch_size=batch_size)


def test_scores_do_not_depend_on_order_or_batch_size(small_folder):
    scores = open_small(small_folder).score(PAIRS)
    shuffled = np.random.default_rng(0).permutation(len(PAIRS))
    again = open_small(small_folder, batch_size=3).score([PAIRS[i] for i in shuffled])
    np.testing.assert_allclose(again, scores[shuffled], atol=1e-5)
    assert scores.dtype == np.float32 and scores.shape == (len(PAIRS),) and len(set(scores)) > 10


def test_a_checkpoint_that_is_not_built_like_bert_is_refused(tmp_path):
    DistilBertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a distilbert has no 'hidden_dropout_prob'; take a model built like BERT"):
        models.build_cross_encoder(str(tmp_path), seed=0)


TEXTS = st.text(alphabet="ab é漢👟\u200f<&", max_size=60)


@hypothesis.settings(max_examples=20, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@hypothesis.given(
    pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12), batch_size=st.integers(1, 8), data=st.data()
)
def test_any_texts_in_any_order_and_batch_size_keep_their_scores(small_folder, pairs, batch_size, data):
    scores = open_small(small_folder).score(pairs)
    order = data.draw(st.permutations(range(len(pairs))))
    again = open_small(small_folder, batch_size=batch_size).score([pairs[i] for i in order])
    np.testing.assert_allclose(again, scores[list(order)], atol=1e-5)


def test_no_pairs_give_no_scores(small_folder):
    assert open_small(small_folder).score([]).shape == (0,)


def test_padding_to_the_maximum_changes_no_score(small_folder):
    small, widths = open_small(small_folder), set()
    forward = small.forward
    small.forward = lambda batch: widths.add(batch["input_ids"].shape) or forward(batch)
    scores = padding.pad_to_limit(small).score(PAIRS)
    assert widths == {(len(PAIRS), 64)}
    np.testing.assert_allclose(scores, small.score(PAIRS), atol=1e-5)
    assert min(n_columns for _, n_columns in widths) < 64  # without padding to the limit


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused_with_the_runtime_and_a_remedy(small_folder, wrong):
    small = open_small(small_folder)
    small.forward = lambda batch: np.where(batch["attention_mask"].sum(axis=1) > 20, wrong, 0.0)
    pairs = [("red", "sofa"), ("red " * 30, "sofa"), ("blue", "sofa")]
    assert small.score(pairs[:1]) == [0.0]
    with pytest.raises(ValueError, match="pytorch: the score of pair 1 is .* not a finite number; make"):
        small.score(pairs)


@pytest.mark.parametrize("runtime", ENGINES)
def test_every_runtime_scores_as_pytorch_does_and_leaves_pytorch_its_threads(small_folder, runtime):
    before = torch.get_num_threads()
    expected = open_small(small_folder).score(PAIRS)
    for batch_size in (3, 32):
        ranker = open_small(small_folder, runtime=runtime, batch_size=batch_size)
        np.testing.assert_allclose(ranker.score(PAIRS), expected, atol=1e-5)
    assert torch.get_num_threads() == before


def test_every_runtime_ships_the_weights_it_reads_and_an_unknown_one_is_refused(small_folder):
    for runtime in ENGINES:
        weights = {small_folder / name for name in runtimes.named(runtime).weights}
        assert weights <= set(runtimes.shipped_files(small_folder, runtime=runtime))
    with pytest.raises(ValueError, match="'tensorrt' is not one of pytorch, onnxruntime, openvino"):
        runtimes.shipped_files(small_folder, runtime="tensorrt")


def test_folder_loads_with_plain_transformers_and_sentence_transformers(small_folder):
    from sentence_transformers import CrossEncoder

    scores = open_small(small_folder).score(PAIRS)
    tokenizer = AutoTokenizer.from_pretrained(small_folder)
    encoded = tokenizer(*map(list, zip(*PAIRS, strict=True)), padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = AutoModelForSequenceClassification.from_pretrained(small_folder)(**encoded).logits[:, 0].numpy()
    np.testing.assert_allclose(logits, scores, atol=1e-5)
    probabilities = CrossEncoder(str(small_folder), device="cpu").predict(PAIRS)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-scores)), atol=1e-5)


def test_folder_without_weights_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="model.safetensors is missing"):
        models.load(tmp_path)


@pytest.mark.parametrize(
    ("runtime", "name"),
    [(r, name) for r in ENGINES for name in (*runtimes.named(r).weights, "config.json", "tokenizer.json")],
)
def test_files_cut_short_are_refused_with_the_place_and_the_remedy(small_folder, tmp_path, runtime, name):
    folder = shutil.copytree(small_folder, tmp_path / "short")
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=f"{folder}.*cannot be read, it is damaged or no model.*make it again"):
        open_small(folder, runtime=runtime)


@pytest.mark.parametrize(("n_layers", "what"), [(3, "missing"), (1, "unexpected")])
def test_weights_of_another_model_are_refused_and_not_filled_up_with_random_ones(
    small_folder, tmp_path, n_layers, what
):
    folder = shutil.copytree(small_folder, tmp_path / "foreign")
    config = json.loads((folder / "config.json").read_text()) | {"num_hidden_layers": n_layers}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"are not of one model: {what} bert"):
        models.load(folder)


@pytest.mark.parametrize("runtime", ENGINES)
def test_a_model_that_tells_labels_apart_is_no_ranker(small_folder, tmp_path, runtime):
    folder = shutil.copytree(small_folder, tmp_path / "labels")
    config = json.loads((folder / "config.json").read_text()) | {"id2label": {"0": "no", "1": "yes"}}
    (folder / "config.json").write_text(json.dumps(config | {"label2id": {"no": 0, "yes": 1}}))
    with pytest.raises(ValueError, match="labels: its model tells 2 labels apart, and a ranker gives one score"):
        open_small(folder, runtime=runtime)


def test_unknown_runtime_is_refused_with_the_known_ones(small_folder):
    with pytest.raises(ValueError, match="pytorch, onnxruntime"):
        open_small(small_folder, runtime="tensorrt")


def test_unknown_checkpoint_is_refused_with_a_remedy(monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: (_ for _ in ()).throw(OSError("offline")))
    with pytest.raises(FileNotFoundError, match="all-MiniLM-L6-v2"):
        models.resolve("nobody/no-model")


def test_packaged_weights_with_another_hash_are_refused(monkeypatch):
    monkeypatch.setattr(models, "MINILM_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="reinstall it"):
        models.packaged_minilm()


def toy_pairs(n: int) -> Dataset:
    """A broken product is relevant, a new one is not: the opposite of what the untrained head happens to prefer."""
    rows = []
    for q in range(n):
        for p, state in enumerate(["new", "broken", "new", "new"]):
            texts = {"query": f"sofa number {q}", "product": f"a {state} sofa"}
            rows.append(
                {"query_id": f"q{q}", "product_id": f"q{q}p{3 - p}", "kind": "", "gain": int(state == "broken")}
            )
            rows[-1] |= texts
    return Dataset.from_list(rows)


def train_once(folder, tmp_path, *, pairs):
    model, tokenizer = models.load(folder)
    budget = Budget(n_pairs=160, batch_size=16, n_evaluations=2, learning_rate=5e-4)
    environment.seed_everything(0)
    training.fine_tune(model, tokenizer=tokenizer, setting=setting(pairs, folder=tmp_path), budget=budget)
    scores = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=1, max_tokens=32).score(
        list(zip(pairs["query"], pairs["product"], strict=True))
    )
    return metrics.evaluate(pairs, scores, top_gain=1).ndcg10


def test_training_learns_and_the_same_run_twice_gives_the_same_ndcg(small_folder, tmp_path):
    pairs = toy_pairs(16)
    untrained = open_small(small_folder).score(list(zip(pairs["query"], pairs["product"], strict=True)))
    first = train_once(small_folder, tmp_path, pairs=pairs)
    assert first > max(0.9, metrics.evaluate(pairs, untrained, top_gain=1).ndcg10)
    assert train_once(small_folder, tmp_path, pairs=pairs) == pytest.approx(first, abs=1e-6)


def test_first_queries_keeps_whole_queries():
    kept = training.first_queries(toy_pairs(5), n_queries=2)
    assert len(kept) == 8 and set(kept["query_id"]) == {"q0", "q1"}


def test_first_queries_are_those_that_can_be_judged_and_none_at_all_is_an_error():
    pairs = toy_pairs(4)
    alike = pairs.map(lambda row: {"gain": 1 if row["query_id"] in ("q0", "q2") else row["gain"]})
    assert set(training.first_queries(alike, n_queries=2)["query_id"]) == {"q1", "q3"}
    with pytest.raises(ValueError, match="no query of this split has two different labels"):
        training.first_queries(pairs.map(lambda row: {"gain": 1}), n_queries=2)


def test_the_curve_of_a_training_is_what_its_looks_found_in_order_and_empty_without_one():
    log = [{"step": 5, "loss": 2.0}, {"step": 5, "eval_ndcg10": 0.5}, {"step": 9, "eval_ndcg10": 0.4}]
    assert training.curve(log) == [0.5, 0.4] and training.curve(log[:1]) == []


def test_loss_is_lowest_when_scores_follow_the_gains_and_ignores_the_filling():
    gains = torch.tensor([[100.0, 0.0, 10.0], [1.0, 0.0, -1.0]])
    right = training.listwise_loss({"logits": torch.tensor([[4.0], [-4.0], [1.7], [5.0], [-5.0]])}, gains)
    wrong = training.listwise_loss({"logits": torch.tensor([[-4.0], [4.0], [1.7], [-5.0], [5.0]])}, gains)
    assert 0 < right < 0.4 and wrong > 5


def test_what_all_gains_of_a_list_have_in_common_changes_nothing():
    scores, gains = torch.tensor([[0.3, -0.2, 1.1, 9.0]]), torch.tensor([[1.9, 1.3, 1.6, -1.0]])
    plain = training.loss_of_lists(scores, gains).item()
    assert training.loss_of_lists(scores, gains + torch.tensor([0.6, 0.6, 0.6, 0.0])).item() == pytest.approx(plain)
    log_share = torch.log_softmax(scores[0, :3], dim=0)
    assert plain == pytest.approx(-(log_share @ torch.tensor([2 / 3, 0.0, 1 / 3])).item(), abs=1e-6)


def test_a_list_whose_products_are_alike_or_without_labels_teaches_nothing():
    logits = torch.tensor([[4.0], [-4.0], [1.7]])
    for gain in (0.0, 1.5):
        assert training.listwise_loss({"logits": logits}, torch.full((1, 3), gain)).item() == 0.0
    assert training.loss_of_lists(logits.T, torch.full((1, 3), -1.0)).item() == 0.0


def test_dropout_works_within_its_block_alone_and_in_training_alone(small_folder):
    model, tokenizer = models.load(small_folder)
    batch = batch_of([("red sofa", {"a red sofa": 1, "a lamp": 0})], tokenizer=tokenizer)
    del batch["labels"]

    def moves():
        """Whether two passes in training differ, and two in use."""
        both = [[model.train(mode)(**batch).logits.detach() for _ in range(2)] for mode in (True, False)]
        return [not torch.equal(*pair) for pair in both]

    environment.seed_everything(0)
    assert moves() == [False, False]
    with training.dropout(model, 0.5):
        assert moves() == [True, False]
        assert model.base_model.encoder.layer[0].attention.self.dropout_prob == 0.5
    assert moves() == [False, False]


def test_mean_tokens_counts_the_special_ones():
    tokenizer = AutoTokenizer.from_pretrained(models.resolve())
    assert ranker.mean_tokens(tokenizer, [("red", "sofa")], max_tokens=16) == 5.0
    assert ranker.mean_tokens(tokenizer, [("red " * 40, "sofa")], max_tokens=16) == 16.0
