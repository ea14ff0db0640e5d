"""The formulas of a split model's work agree with PyTorch's counter, part by part."""

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForSequenceClassification

from utils.edge import split_cost, split_texts
from utils.edge.split_model import Split, split
from utils.measure import cost
from utils.rank import models

PLANS = [
    Split(0, "layers"),
    Split(1, "layers"),
    Split(1, "layers", 16),
    Split(2, "tokens", 16),
    Split(2, "tokens"),
    Split(1, "vectors"),
    Split(2, "vectors", 8),
]
N_CANDIDATES = 5


@pytest.fixture(scope="module")
def student(small_folder):
    """Two layers, some heads pruned, with eager attention, the only one that the counter knows."""
    config, tokenizer = models.described(small_folder)
    config = copy.deepcopy(config)
    config.pruned_heads = {1: [0, 3, 4]}
    return AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval(), tokenizer


def macs(call):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        found = call()
    return counter.get_total_flops() // 2, found


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.label)
def test_every_part_costs_what_the_counter_counts(plan, student):
    model, tokenizer = split(student[0], plan), student[1]
    query = split_texts.encode_queries(["red sofa bed"], tokenizer=tokenizer, plan=plan)
    product = split_texts.encode_products(["a steel lamp"] * N_CANDIDATES, tokenizer=tokenizer, plan=plan)
    n_query, n_product = query["input_ids"].shape[1], product["input_ids"].shape[1]
    of_query, query = macs(lambda: model.query_part(query))
    of_products, product = macs(lambda: model.product_part(product))
    of_joins, _ = macs(lambda: model.join(query, product))
    config, lengths = student[0].config, {"n_query": n_query, "n_product": n_product}
    found = split_cost.at_request(config, plan, **lengths, n_candidates=N_CANDIDATES)
    assert (found.query, found.joins, found.total) == (of_query, of_joins, of_query + of_joins)
    assert N_CANDIDATES * split_cost.of_product(config, plan, n_tokens=n_product) == of_products


def test_the_student_whole_costs_what_its_exported_graph_costs(student):
    whole = split_cost.whole_at_request(student[0].config, n_query=5, n_product=14, n_candidates=100)
    assert whole == 100 * cost.macs_per_pair(student[0], n_tokens=19, exported=True)


def test_more_candidates_cost_more_where_they_meet_and_nothing_on_the_querys_side(student):
    lengths = {"n_query": 6, "n_product": 12}
    few, many = (split_cost.at_request(student[0].config, PLANS[3], **lengths, n_candidates=n) for n in (1, 100))
    assert many.query == few.query and many.joins == 100 * few.joins > 0
