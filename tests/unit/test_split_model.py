"""A split model gives in one pass what its parts give, and a product's side knows nothing of the query."""

import pytest
import torch

from utils.edge import split_folder, split_texts
from utils.edge.split_model import Part, Split, best_matches, split
from utils.rank import models, ranker

QUERIES = ["red sofa", "a mug", "one long query of far more words than there is room for in the part of the query here"]
PRODUCTS = ["Marvolt sofa red fabric", "blue mug 300 ml", "steel lamp " * 30]
PLANS = [
    Split(0, "layers"),
    Split(1, "layers"),
    Split(1, "layers", 16),
    Split(2, "tokens", 16),
    Split(1, "tokens"),
    Split(2, "vectors"),
    Split(1, "vectors", 8),
]


@pytest.fixture(scope="module")
def student(small_folder):
    return models.load(small_folder)


def whole_batch(tokenizer, pairs):
    encoded = ranker.encode(tokenizer, pairs, max_tokens=64)
    return dict(tokenizer.pad(encoded, padding=True, return_tensors="pt"))


def parts(model, tokenizer, queries, products):
    batches = {"tokenizer": tokenizer, "plan": model.plan}
    with torch.inference_mode():
        query = model.query_part(split_texts.encode_queries(queries, **batches))
        return query, model.product_part(split_texts.encode_products(products, **batches))


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.label)
def test_one_masked_pass_equals_the_parts_joined_also_where_texts_are_cut(plan, student):
    torch.manual_seed(0)
    model, tokenizer = split(student[0], plan), student[1]
    if model.weigh is not None:
        torch.nn.init.normal_(model.weigh.weight)
    with torch.inference_mode():
        whole = model(**whole_batch(tokenizer, [(q, p) for q in QUERIES for p in PRODUCTS])).logits[:, 0]
        late = [model.join(*parts(model, tokenizer, [query], PRODUCTS)) for query in QUERIES]
    assert torch.allclose(whole, torch.cat(late), atol=1e-5)
    assert whole.std() > 1e-4


@pytest.mark.parametrize("plan", [Split(1, "layers"), Split(2, "tokens", 16)], ids=lambda plan: plan.label)
def test_an_unmasked_lower_layer_would_be_noticed(plan, student):
    model, tokenizer = split(student[0], plan), student[1]
    batch = whole_batch(tokenizer, [(QUERIES[0], product) for product in PRODUCTS[:2]])
    lower = model._lower
    with torch.inference_mode():
        apart = model(**batch).logits
        model._lower = lambda *given, seen: lower(*given, seen=torch.ones_like(seen))
        assert not torch.allclose(model(**batch).logits, apart, atol=1e-4)


def test_a_score_does_not_depend_on_the_padding_of_its_batch(student):
    model, tokenizer = split(student[0], Split(1, "layers", 16)), student[1]
    pairs = [(QUERIES[0], PRODUCTS[0]), (QUERIES[2], PRODUCTS[2])]
    with torch.inference_mode():
        together = model(**whole_batch(tokenizer, pairs)).logits[0]
        alone = model(**whole_batch(tokenizer, pairs[:1])).logits[0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_late_interaction_by_hand():
    query = Part(torch.tensor([[[2.0, 0.0], [0.0, 1.0], [9.0, 9.0]]]), torch.tensor([[True, True, False]]))
    product = Part(torch.tensor([[[0.5, 0.0], [1.0, -1.0], [5.0, 5.0]]]), torch.tensor([[True, True, False]]))
    assert best_matches(query, product).tolist() == [2.0 * 1.0 + 0.0]


def test_the_words_beyond_the_room_of_a_side_change_nothing_and_those_within_do(student):
    model, tokenizer = split(student[0], Split(2, "tokens", 16, n_query=6, n_product=5)), student[1]
    _, product = parts(model, tokenizer, ["mug"], ["red sofa of oak", "red sofa of oak and more", "red sofa of elm"])
    assert torch.equal(product.states[0], product.states[1])
    assert not torch.allclose(product.states[0], product.states[2])


def test_the_student_is_copied_and_stays_as_it_was(student):
    before = student[0].base_model.embeddings.word_embeddings.weight.clone()
    split(student[0], Split(1, "layers")).embeddings.word_embeddings.weight.data.zero_()
    assert torch.equal(student[0].base_model.embeddings.word_embeddings.weight, before)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n_apart": 1, "meeting": "pixels"}, "'pixels' is not one of layers, tokens, vectors"),
        ({"n_apart": -1}, "n_apart is -1; give 0 or more"),
        ({"n_apart": 1, "d_stored": 0}, "d_stored is 0; give 1 or more"),
        ({"n_apart": 1, "n_query": 2}, "n_query is 2; give 3 or more"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        Split(**given)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Split(2, "layers"), "n_apart is 2; for 'layers' give a number from 0 to 1"),
        (Split(3, "tokens"), "n_apart is 3; for 'tokens' give a number from 0 to 2"),
        (Split(1, n_query=400, n_product=200), "the student knows 512 positions"),
    ],
)
def test_a_student_that_is_too_small_for_the_plan_is_refused(plan, said, student):
    with pytest.raises(ValueError, match=said):
        split(student[0], plan)


def test_a_saved_model_scores_the_same_and_is_known_by_its_hash(student, tmp_path):
    model, tokenizer = split(student[0], Split(1, "layers", 16)), student[1]
    folder = split_folder.save(model, tokenizer=tokenizer, folder=tmp_path / "split")
    again, its_tokenizer = split_folder.load(folder)
    batch = whole_batch(its_tokenizer, [(QUERIES[0], PRODUCTS[0])])
    with torch.inference_mode():
        assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert again.plan == model.plan and split_folder.weights_hash(again) == split_folder.weights_hash(model)
    again.head[1].bias.data += 1
    assert split_folder.weights_hash(again) != split_folder.weights_hash(model)


def test_other_weights_and_a_damaged_plan_are_refused_by_name(student, tmp_path):
    model, tokenizer = split(student[0], Split(2, "vectors")), student[1]
    folder = split_folder.save(model, tokenizer=tokenizer, folder=tmp_path / "split")
    model.scale.data += 1
    split_folder.save(model, tokenizer=tokenizer, folder=tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors is not the one that split\.json names; make it again"):
        split_folder.load(folder)
    (folder / "split.json").write_text("{")
    with pytest.raises(ValueError, match=r"split\.json is missing, damaged, or not of format"):
        split_folder.load(folder)
