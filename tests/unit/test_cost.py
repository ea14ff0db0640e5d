"""Counting by hand and by the counter, on pruned and other-than-BERT models too; the price formula."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, BertConfig, DistilBertConfig

from utils.measure import cost, pricing
from utils.rank import runtimes

SHAPE = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_labels": 1}
PRUNED = [{}, {0: [1]}, {0: [0, 2], 1: [3]}]


def tiny_bert(**changes):
    return AutoModelForSequenceClassification.from_config(BertConfig(**SHAPE | {"intermediate_size": 24} | changes))


@pytest.mark.parametrize("pruned", PRUNED)
def test_macs_by_hand_and_counted_both_follow_the_pruned_heads(pruned):
    model, n_tokens, d_head = tiny_bert(), 7, 4
    whole = cost.macs_per_pair(model, n_tokens=n_tokens)
    model.prune_heads(copy.deepcopy(pruned))
    saved_a_head = 4 * n_tokens * 16 * d_head + 2 * n_tokens * n_tokens * d_head
    expected = whole - saved_a_head * sum(map(len, pruned.values()))
    assert cost.macs_per_pair(model, n_tokens=n_tokens) == expected
    assert sum(cost.macs_by_hand(model.config, n_tokens=n_tokens).values()) == expected


def test_weights_by_part_are_those_of_the_model_and_follow_what_is_cut():
    model, pruned = tiny_bert(), tiny_bert()
    pruned.prune_heads({0: [1]})
    whole, cut = cost.parameters_by_part(model), cost.parameters_by_part(pruned)
    assert sum(whole.values()) == cost.count_parameters(model).n_params
    assert whole["embeddings"] == cost.count_parameters(model).n_params_embedding
    assert set(cost.macs_by_hand(model.config, n_tokens=7)) == set(whole) - {"embeddings"}
    changed = {part: whole[part] - cut[part] for part in whole if whole[part] != cut[part]}
    assert changed == {"projections (Q, K, V, output)": 4 * 16 * 4 + 3 * 4}  # the biases of Q, K and V too


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_ranker_computes_as_many_tokens_as_are_counted(size, small_folder):
    seen = []
    ranker = runtimes.open_ranker(small_folder, runtime="pytorch", threads=1, max_tokens=8, batch_size=size)
    counting = replace(ranker, forward=lambda batch: seen.append(batch["input_ids"].size) or ranker.forward(batch))
    pairs = [("a", "b " * n) for n in (9, 1, 5, 2, 3)]
    counting.score(pairs)
    assert sum(seen) == cost.padded_tokens(ranker.tokenizer, pairs, max_tokens=8, batch_size=size)
    assert sum(seen) > 5 * 5  # special tokens, words and fillers


def test_counting_macs_leaves_the_model_and_the_random_numbers_as_they_were():
    model = tiny_bert()
    model.prune_heads({0: [1]})
    config, state = model.config.to_dict(), torch.get_rng_state()
    cost.macs_per_pair(model, n_tokens=5)
    assert model.config._attn_implementation == "sdpa"
    assert model.config.to_dict() == config and torch.equal(torch.get_rng_state(), state)


def test_parameters_of_a_distilbert_are_counted_by_part():
    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=4, hidden_dim=24, num_labels=1)
    model = AutoModelForSequenceClassification.from_config(config)
    counts = cost.count_parameters(model)
    layer = 4 * (16 * 16 + 16) + 2 * 16 * 24 + 24 + 16 + 4 * 16
    assert counts.n_params_encoder == 2 * layer
    assert counts.n_params_embedding == (50 + config.max_position_embeddings) * 16 + 2 * 16


def test_zeroed_weights_leave_the_nonzero_count_and_no_other():
    model = tiny_bert()
    before = cost.count_parameters(model)
    with torch.no_grad():
        model.bert.encoder.layer[0].attention.self.query.weight.zero_()
    after = cost.count_parameters(model)
    assert before.n_params_nonzero - after.n_params_nonzero == 16 * 16
    assert (after.n_params, after.n_params_encoder) == (before.n_params, before.n_params_encoder)


def test_disk_bytes_adds_up_the_files(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path, n in zip(paths, (3, 40), strict=True):
        path.write_bytes(b"x" * n)
    assert cost.disk_bytes(paths) == 43


@given(usd=st.floats(0.01, 100), rate=st.floats(0.01, 1e5), share=st.floats(0.01, 1))
def test_dollars_halve_when_the_rate_or_the_utilisation_doubles(usd, rate, share):
    base = pricing.usd_per_million_queries(usd, queries_per_s=rate, utilisation=share)
    assert base * 3600 * rate * share == pytest.approx(usd * 1e6)
    assert pricing.usd_per_million_queries(usd, queries_per_s=2 * rate, utilisation=share) == pytest.approx(base / 2)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_dollars_without_a_rate_are_refused(rate):
    with pytest.raises(ValueError, match="queries_per_s"):
        pricing.usd_per_million_queries(1.0, queries_per_s=rate)


def test_every_price_has_a_positive_rate_a_source_and_a_date():
    prices = pricing.load_prices()
    assert any(row.accelerator == "none" for row in prices.values())
    for row in prices.values():
        assert row.usd_per_hour > 0 and row.vcpus > 0 and row.memory_gib > 0
        assert row.source.startswith("https://") and len(row.date) >= 7


def test_macs_by_hand_agree_with_the_counter():
    model = tiny_bert()
    assert cost.macs_per_pair(model, n_tokens=7) == sum(cost.macs_by_hand(model.config, n_tokens=7).values())


def test_counts_split_the_parameters():
    counts = cost.count_parameters(tiny_bert())
    assert counts.n_params == sum(p.numel() for p in tiny_bert().parameters())
    assert counts.n_params_embedding > 50 * 16 and counts.n_params_encoder > 2 * (4 * 16 * 16 + 2 * 16 * 24)
    assert counts.n_params_nonzero < counts.n_params


def test_dollars_follow_the_formula():
    assert pricing.usd_per_million_queries(3.6, queries_per_s=10, utilisation=0.5) == pytest.approx(200.0)
    assert pricing.instance_queries_per_s(1000, n_candidates=100, cores=1, vcpus=4) == pytest.approx(40.0)
    with pytest.raises(ValueError):
        pricing.usd_per_million_queries(1, queries_per_s=0)


def test_a_machine_is_priced_by_an_instance_of_its_own_kind_of_one_provider_and_region():
    kinds = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
    prices = {name: pricing.price(pricing.default_instance(name)) for name in kinds}
    assert {name: price.architecture for name, price in prices.items()} == kinds
    assert len({(price.provider, price.region, price.vcpus) for price in prices.values()}) == 1


def test_instances_are_whole_and_enough_for_the_busiest_hour():
    per_day = 86_400 * 10 * 0.6  # what one instance of ten queries a second answers in an even day
    assert pricing.n_instances(per_day, queries_per_s=10, peak_factor=1) == 1
    assert pricing.n_instances(per_day, queries_per_s=10, peak_factor=2.5) == 3
    with pytest.raises(ValueError, match="peak_factor"):
        pricing.n_instances(1.0, queries_per_s=10, peak_factor=0.5)


def test_unknown_instance_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="m7g.large"):
        pricing.price("nowhere.large")


def test_factors_multiply_and_a_negative_one_is_refused_by_name():
    assert cost.scaled(100.0, f_prune=0.5, f_quant=0.25) == pytest.approx(12.5)
    with pytest.raises(ValueError, match="f_prune"):
        cost.scaled(1.0, f_prune=-1)


def test_exported_graph_does_in_its_last_layer_only_the_work_of_one_token_and_of_all_keys_and_values():
    model, d, d_ff, n = tiny_bert(), 16, 24, 7
    spared = (n - 1) * (2 * d * d + 2 * n * d + 2 * d * d_ff)  # query and output, attention, feed-forward
    whole = cost.macs_per_pair(model, n_tokens=n)
    assert cost.macs_per_pair(model, n_tokens=n, exported=True) == whole - spared


def test_bytes_moved_leave_out_pruned_heads():
    config = BertConfig(**SHAPE, intermediate_size=24)
    sizes = {"n_tokens": 3, "batch_size": 2}
    whole = cost.bytes_moved(config, **sizes)
    config.pruned_heads = {1: [0, 2]}
    spared = 4 * (16 * 8 + 3 * 2 * 8)  # of Q, K, V and output: half of the weights, half of one side's numbers
    assert whole - cost.bytes_moved(config, **sizes) == 4 * spared
