"""Heads, neurons and layers that would save the same work are counted as the cut models themselves are."""

import copy

import pytest
from transformers import BertConfig, BertForSequenceClassification

from utils.measure import cost
from utils.rank import models
from utils.shrink.prune import equal_cost, pruning

CONFIG = BertConfig(
    vocab_size=50, hidden_size=96, num_hidden_layers=6, num_attention_heads=12, intermediate_size=384, num_labels=1
)
N_TOKENS = 20


def macs_of_cut(kind, n):
    """MACs of a model of CONFIG that was really cut, as they are counted while it runs."""
    model = BertForSequenceClassification(copy.deepcopy(CONFIG)).eval()
    if kind == "heads":
        pruning.cut_heads(model, n_heads=n, importance=pruning.head_magnitude(model))
    elif kind == "neurons":
        pruning.cut_neurons(model, d_ff=n, importance=pruning.neuron_magnitude(model))
    else:
        models.keep_layers(model, layers=list(range(n)))
    return cost.macs_per_pair(model, n_tokens=N_TOKENS)


@pytest.mark.parametrize("share", [0.84, 0.67, 0.7])
def test_each_kind_alone_comes_as_near_to_the_share_as_its_parts_allow(share):
    whole = cost.macs_per_pair(BertForSequenceClassification(copy.deepcopy(CONFIG)), n_tokens=N_TOKENS)
    for kind, n in equal_cost.n_kept(CONFIG, share=share, n_tokens=N_TOKENS).items():
        off = {m: abs(macs_of_cut(kind, m) / whole - share) for m in (n - 1, n, n + 1) if m >= 1}
        assert off[n] == min(off.values()), kind


def test_one_part_stays_where_a_kind_cannot_save_so_much_and_one_goes_where_it_can():
    assert equal_cost.n_kept(CONFIG, share=0.01, n_tokens=N_TOKENS) == {"heads": 1, "neurons": 1, "layers": 1}
    assert equal_cost.n_kept(CONFIG, share=0.999, n_tokens=N_TOKENS)["layers"] == 5


def test_the_only_layer_stays_and_the_configuration_is_left_as_it_was():
    config = copy.deepcopy(CONFIG)
    config.num_hidden_layers = 1
    before = config.to_dict()
    assert equal_cost.n_kept(config, share=0.7, n_tokens=N_TOKENS)["layers"] == 1
    assert config.to_dict() == before


@pytest.mark.parametrize("share", [0.0, 1.0, 30.0])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        equal_cost.n_kept(CONFIG, share=share, n_tokens=N_TOKENS)


def test_a_model_whose_heads_were_cut_before_is_refused():
    config = copy.deepcopy(CONFIG)
    config.pruned_heads = {0: [1]}
    with pytest.raises(ValueError, match="cut before"):
        equal_cost.n_kept(config, share=0.7, n_tokens=N_TOKENS)
