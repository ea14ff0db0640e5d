"""A student learns what its teacher says and nothing else; it starts as a part of a model; lists keep their pairs."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from made import batch_of, setting
from transformers import AutoModelForSequenceClassification

from utils import environment, settings
from utils.rank import models, runtimes, training
from utils.rank.metrics import Quality
from utils.rank.setting import STUDENT_RATE, Budget
from utils.shrink.distil import distil_losses, distillation, students
from utils.shrink.distil.matching import Match

WORDS = ("new", "broken", "old", "cheap", "soft", "used")
WORTH = dict(zip(WORDS, (-2.0, 3.0, -1.0, 0.0, 1.0, 2.0), strict=True))  # what the made teacher thinks of a word


def toy(n, *, scores=None):
    """`n` queries with six products each; the teacher's score is the worth of the product's first word."""
    rows = []
    for group in range(n):
        for word in WORDS:
            texts = {"query": f"sofa number {group}", "product": f"a {word} sofa"}
            rows.append({"group": group} | texts | {"gain": -1, "source": "bm25", "score": WORTH[word]})
    found = Dataset.from_list(rows)
    if scores is not None:
        found = found.remove_columns("score").add_column("score", scores(np.array(found["score"][:])))
    return found


def judged(n):
    """Judged pairs whose best product is that which the teacher likes most."""
    rows = []
    for q in range(n):
        for word in WORDS:
            identity = {"query_id": f"q{q}", "product_id": f"q{q}{word}", "kind": "", "gain": int(word == "broken")}
            rows.append(identity | {"query": f"sofa number {q}", "product": f"a {word} sofa"})
    return Dataset.from_list(rows)


def distil(folder, tmp_path, *, scored, n_pairs=320, **how):
    """A student's scores of one query's products after it learned from scored pairs, and the log."""
    student, tokenizer = models.load(folder)
    where, budget = setting(judged(8), folder=tmp_path), Budget(n_pairs, 32, 1, STUDENT_RATE)
    environment.seed_everything(0)
    log = distillation.distil(student, tokenizer=tokenizer, scored=scored, setting=where, budget=budget, **how)
    ranker = runtimes.wrap_torch(student, tokenizer=tokenizer, threads=1, max_tokens=32)
    return ranker.score([("sofa number 3", f"a {word} sofa") for word in WORDS]), log


def test_student_learns_the_teachers_scores_twice_the_same(small_folder, tmp_path):
    scores, log = distil(small_folder, tmp_path, scored=toy(24), n_pairs=640)
    wanted = np.array(list(WORTH.values()))
    assert np.abs(scores - wanted).mean() < 0.5 < np.abs(wanted).mean()
    assert max(entry["eval_ndcg10"] for entry in log if "eval_ndcg10" in entry) == 1.0
    again, _ = distil(small_folder, tmp_path, scored=toy(24), n_pairs=640)
    np.testing.assert_allclose(again, scores, atol=1e-5)


@pytest.mark.parametrize("loss", [name for name in distil_losses.LOSSES if name != "logit_mse"])
def test_every_loss_teaches_the_teachers_order(small_folder, tmp_path, loss):
    scores, _ = distil(small_folder, tmp_path, scored=toy(24), loss=loss)
    assert np.corrcoef(scores, list(WORTH.values()))[0, 1] > 0.8


def test_student_of_shuffled_or_constant_scores_learns_no_order(small_folder, tmp_path):
    for scores in (np.random.default_rng(0).permutation, np.zeros_like):
        found, _ = distil(small_folder, tmp_path, scored=toy(24, scores=scores))
        assert np.ptp(found) < 1.0 < np.ptp(list(WORTH.values()))


@pytest.mark.parametrize("helps", [True, False])
def test_labels_stay_only_where_valid_is_ranked_better_with_them(small_folder, tmp_path, monkeypatch, helps):
    student, tokenizer = models.load(small_folder)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    found = iter([Quality.of_values([0.5]), Quality.of_values([0.6 if helps else 0.5])])
    called = {}

    def fine_tune(model, **how):
        called.update(how)
        with torch.no_grad():
            model.classifier.bias += 1

    monkeypatch.setattr(training, "fine_tune", fine_tune)
    monkeypatch.setattr(training, "evaluate_on_valid", lambda *_, **how: next(found))
    where, budget = setting(judged(4), folder=tmp_path), Budget.of_labels(settings.profile("ci"))
    stayed = distillation.finish_on_labels(student, tokenizer=tokenizer, setting=where, budget=budget)
    assert stayed is helps
    assert helps == any(not torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert (called["setting"], called["budget"]) == (where, budget)


def test_a_matched_student_learns_the_scores_as_well(small_folder, tmp_path):
    match = Match(models.load(small_folder)[0], layers=(0, 1), weight=0.1)
    scores, _ = distil(small_folder, tmp_path, scored=toy(24), match=match)
    assert np.corrcoef(scores, list(WORTH.values()))[0, 1] > 0.8


def test_labels_are_not_looked_at(small_folder, tmp_path):
    one, _ = distil(small_folder, tmp_path, scored=toy(8), n_pairs=64)
    labelled = toy(8).remove_columns("gain").add_column("gain", list(range(48)))
    two, _ = distil(small_folder, tmp_path, scored=labelled, n_pairs=64)
    np.testing.assert_array_equal(one, two)


def test_pairs_without_scores_and_an_unknown_loss_are_refused(small_folder, tmp_path):
    with pytest.raises(ValueError, match="no column 'score'"):
        distil(small_folder, tmp_path, scored=toy(2).remove_columns("score"))
    with pytest.raises(ValueError, match="scored has no pairs"):
        distil(small_folder, tmp_path, scored=toy(2).select([]))
    with pytest.raises(ValueError, match="not one of logit_mse"):
        distil(small_folder, tmp_path, scored=toy(2), loss="mse")


def test_collated_batch_holds_scores_and_gains_and_fills_short_lists():
    _, tokenizer = models.build_cross_encoder(models.MINILM, seed=0)
    columns = {"attention_mask": [[1, 1], [1, 1, 1]], "token_type_ids": [[0, 1], [0, 0, 1]]}
    some = [
        {"input_ids": [[101, 5], [101, 6, 7]], "score": [1.0, 2.0], "gain": [10, -1]} | columns,
        {"input_ids": [[101, 8]], "score": [3.0], "gain": [0], "attention_mask": [[1, 1]], "token_type_ids": [[0, 1]]},
    ]
    batch = distillation.collate(some, tokenizer=tokenizer)
    assert batch["input_ids"].tolist() == [[101, 5, 0], [101, 6, 7], [101, 8, 0]]
    assert batch["labels"][..., 0].tolist() == [[1.0, 2.0], [3.0, -torch.inf]]
    assert batch["labels"][..., 1].tolist() == [[10.0, -1.0], [0.0, -1.0]]
    logits = torch.tensor([[1.5], [2.0], [5.0]])
    loss = distillation.list_loss({"logits": logits}, batch["labels"], score_loss=distil_losses.logit_mse)
    assert loss.item() == pytest.approx((0.25 + 0 + 4) / 3)


def test_mixture_is_the_weighted_sum_of_labels_and_scores_and_unjudged_pairs_count_for_scores_alone():
    wanted, gains = torch.tensor([[1.0, 3.0, -1.0]]), torch.tensor([[100.0, 0.0, -1.0]])
    labels, logits = torch.stack([wanted, gains], dim=-1), torch.tensor([[0.5], [0.2], [9.0]])

    def loss(weight, logits=logits):
        how = {"score_loss": distil_losses.logit_mse, "label_weight": weight}
        return distillation.list_loss({"logits": logits}, labels, **how).item()

    of_labels = training.listwise_loss({"logits": logits[:2]}, gains[:, :2]).item()
    assert loss(1.0) == pytest.approx(of_labels) == loss(1.0, torch.tensor([[0.5], [0.2], [-9.0]]))
    assert loss(0.25) == pytest.approx(0.25 * loss(1.0) + 0.75 * loss(0.0))
    assert loss(0.0) != loss(0.0, torch.tensor([[0.5], [0.2], [-9.0]]))


@pytest.mark.parametrize("weight", [-0.1, 1.5])
def test_a_weight_of_labels_that_is_no_share_is_refused(small_folder, tmp_path, weight):
    with pytest.raises(ValueError, match="label_weight is .* from 0 to 1"):
        distil(small_folder, tmp_path, scored=toy(2), label_weight=weight)


def test_every_loss_and_mixture_draws_the_same_lists(small_folder, tmp_path):
    _, tokenizer = models.load(small_folder)
    where, budget = setting(judged(8), folder=tmp_path), Budget(320, 32, 1, STUDENT_RATE)
    drawn = [distillation.draw(toy(24), tokenizer=tokenizer, setting=where, budget=budget) for _ in range(2)]
    assert drawn[0].rows == drawn[1].rows and len(drawn[0]) == budget.n_lists


@pytest.fixture(scope="module")
def three_layers():
    model, tokenizer = models.build_cross_encoder(models.MINILM, seed=0)
    return models.keep_layers(model, layers=[0, 2, 5]).eval(), tokenizer


def batches(tokenizer):
    return [batch_of([(f"sofa number {i}", {"a new sofa": 1, "a lamp": 0}) for i in range(4)], tokenizer=tokenizer)]


def test_student_of_all_layers_heads_and_neurons_scores_as_the_model_and_shares_no_weights(three_layers):
    model, tokenizer = three_layers
    student = students.start_student(model, layers=[0, 1, 2])
    pairs = [("red sofa", "a red sofa"), ("lamp", "a blue table")]
    scores = [
        runtimes.wrap_torch(one, tokenizer=tokenizer, threads=1, max_tokens=32).score(pairs) for one in (model, student)
    ]
    np.testing.assert_array_equal(*scores)
    assert not {p.data_ptr() for p in student.parameters()} & {p.data_ptr() for p in model.parameters()}


def test_cut_student_has_the_shapes_asked_for_and_loads_again_with_the_same_scores(three_layers, tmp_path):
    model, tokenizer = three_layers
    student = students.start_student(model, layers=[0, 2], n_heads=4, d_ff=256, batches=batches(tokenizer))
    assert (student.config.num_hidden_layers, student.config.intermediate_size) == (2, 256)
    assert [layer.attention.self.num_attention_heads for layer in student.bert.encoder.layer] == [4, 4]
    assert model.config.num_hidden_layers == 3 and model.config.intermediate_size == 1536
    folder = models.save(student, tokenizer=tokenizer, folder=tmp_path / "student", max_tokens=32)
    batch = {name: tensor for name, tensor in batches(tokenizer)[0].items() if name != "labels"}
    with torch.inference_mode():
        found = AutoModelForSequenceClassification.from_pretrained(folder).eval()(**batch).logits
        torch.testing.assert_close(found, student(**batch).logits)


def test_layers_that_are_not_there_or_twice_are_refused(three_layers):
    for layers in ([0, 3], [1, 1], []):
        with pytest.raises(ValueError, match="name some from 0 to 2"):
            students.start_student(three_layers[0], layers=layers)


def test_layers_stay_from_the_bottom_or_spread_from_the_first_to_the_last():
    spread = [students.kept_layers(6, n_kept=n, which="spread") for n in (1, 2, 3, 4, 6)]
    assert spread == [[0], [0, 5], [0, 2, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
    assert students.kept_layers(6, n_kept=3, which="first") == [0, 1, 2]
    for n_kept in (0, 7):
        with pytest.raises(ValueError, match="from 1 to 6"):
            students.kept_layers(6, n_kept=n_kept)
    with pytest.raises(ValueError, match="which is 'last'; layers are kept by one of first, spread"):
        students.kept_layers(6, n_kept=3, which="last")


def test_student_from_scratch_has_the_students_shapes_and_none_of_its_weights(three_layers):
    model, tokenizer = three_layers
    student = students.start_student(model, layers=[0, 2], n_heads=4, batches=batches(tokenizer))
    fresh, again, other = (students.from_scratch(student.config, seed=seed) for seed in (0, 0, 1))
    shapes = [{name: tuple(p.shape) for name, p in one.named_parameters()} for one in (student, fresh)]
    assert shapes[0] == shapes[1]
    one, two, three, old = (m.bert.encoder.layer[0].output.dense.weight for m in (fresh, again, other, student))
    assert torch.equal(one, two) and not torch.equal(one, three) and not torch.equal(one, old)
    assert student.config.pruned_heads == fresh.config.pruned_heads and fresh.config is not student.config
