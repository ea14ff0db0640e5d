"""A pruner that leaves out one of its cuts, or all of them, is refused by the gate of notebook 03."""

import pytest

from authoring import gates
from utils import settings
from utils.data import catalogue
from utils.measure import cost, ledger
from utils.rank import models
from utils.rank.ranker import mean_tokens
from utils.shrink.prune import pruning, vocabulary
from utils.shrink.recipe import Recipe

NOTEBOOK = "03_prune"
MAX_TOKENS = settings.profile("ci").max_tokens
SHAPE = Recipe().pruned  # the notebook's own


@pytest.fixture(scope="module")
def shop():
    return catalogue.load("synthetic", profile=settings.profile("ci"))


def faults_without(*left_out, out, shop):
    """What the gate says when the pruned stage is the teacher after all cuts but these."""
    model, tokenizer = models.load(out / "teacher")
    pairs = list(zip(shop.pairs["valid"]["query"], shop.pairs["valid"]["product"], strict=True))[:2000]
    n_tokens = round(mean_tokens(tokenizer, pairs, max_tokens=MAX_TOKENS))  # as `measure_stage.measure` takes it
    texts = [*shop.products["text"], *shop.train_queries()]
    if "vocabulary" not in left_out:
        vocabulary.keep_tokens(model, tokenizer, keep=vocabulary.kept_tokens(tokenizer, texts))
    if "positions" not in left_out:
        vocabulary.prune_positions(model, max_tokens=MAX_TOKENS)
    if "heads" not in left_out:
        pruning.cut_heads(model, n_heads=SHAPE.n_heads, importance=pruning.head_magnitude(model))
    if "neurons" not in left_out:
        pruning.cut_neurons(model, d_ff=SHAPE.d_ff, importance=pruning.neuron_magnitude(model))
    own = [row for row in ledger.read(out / "ledger.jsonl") if row.identity.notebook == NOTEBOOK]
    macs = cost.macs_per_pair(model, n_tokens=n_tokens, exported=True)
    changed = {"size": vars(cost.count_parameters(model)), "work": {"macs_per_pair": macs}}
    rows = [row.changed(**changed) if row.stage == "pruned" else row for row in own]
    return gates.problems(NOTEBOOK, gates.read()[NOTEBOOK], seconds=1, rows=rows)


@pytest.mark.parametrize(
    ("cut", "field"),
    [("vocabulary", "n_params_embedding"), ("positions", "n_params_embedding"), ("heads", "macs"), ("neurons", "macs")],
)
def test_a_pruner_that_forgets_one_cut_is_refused(out, shop, cut, field):
    assert any(f"pruned: {field}" in problem for problem in faults_without(cut, out=out, shop=shop))


def test_a_pruner_that_prunes_nothing_is_refused_and_one_that_makes_every_cut_is_not(out, shop):
    problems = faults_without("vocabulary", "positions", "heads", "neurons", out=out, shop=shop)
    assert any("pruned: n_params is 2.27" in problem for problem in problems)
    assert faults_without(out=out, shop=shop) == []
