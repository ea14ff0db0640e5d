"""A small ranker for the labs: three layers of the pretrained encoder, trained on the embedded shop in a minute or two.

It is made once and kept under `artifacts/labs/`. Lab 03 cuts it by plans, in lab 04 it teaches a student.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from datasets import Dataset
from transformers import BertConfig, PreTrainedModel, PreTrainedTokenizerBase

from utils import disk, environment, settings
from utils.data import candidates, catalogue, unjudged
from utils.measure import cost
from utils.rank import lists, models, runtimes, training
from utils.rank.setting import Budget, Setting
from utils.shrink.distil import distillation, scored_pairs, students
from utils.shrink.prune import depth, pruning

Plan = Mapping[str, Sequence[int] | int]
LAYERS = [0, 2, 5]  # of the six
WHOLE = {"layers": [0, 1, 2], "n_heads": 12, "d_ff": 1_536}  # a plan that cuts nothing
D_MODEL = 384
N_LISTS = 32  # by which importance and the loss of a plan are measured
N_TOKENS = 26  # of a pair of this shop, the mean
N_ASKED = 3_000  # pairs that the ranker scores for a student
N_BEST, N_OTHERS = 20, 20  # of the products that are found for a query of the log: BM25's best, and any others
N_VALID, N_LOOK = 150, 20  # queries of valid by which plans and students are judged, and the training looks
BUDGET = Budget(n_pairs=16_000, batch_size=32, n_evaluations=1, learning_rate=3e-4)  # with fewer it has little to lose
STUDENT_BUDGET = Budget(n_pairs=12_000, batch_size=32, n_evaluations=1, learning_rate=5e-4)


@dataclass(frozen=True)
class SmallRanker:
    """The ranker with what a plan for it is judged on.

    Attributes:
        batches: lists of the train split.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    setting: Setting
    batches: list[dict]


def open_ranker() -> SmallRanker:
    """The small ranker, trained now if it was not before."""
    folder = settings.ARTIFACTS / "labs" / "ranker"
    sizes = dataclasses.replace(settings.profile("laptop"), n_valid_queries=N_VALID, n_stop_queries=N_LOOK)
    shop = catalogue.load(settings.EMBEDDED, profile=sizes)
    setting = Setting(shop, sizes, seed=0, log_folder=folder.with_name("logs"))
    if not folder.exists():
        environment.seed_everything(0)
        model, tokenizer = models.build_cross_encoder(models.MINILM, seed=0)
        models.keep_layers(model, layers=LAYERS)
        training.fine_tune(model, tokenizer=tokenizer, setting=setting, budget=BUDGET)
        with disk.whole_folder(folder) as new:
            models.save(model, tokenizer=tokenizer, folder=new, max_tokens=sizes.max_tokens)
    model, tokenizer = models.load(folder)
    limits = {"tokenizer": tokenizer, "max_tokens": sizes.max_tokens}
    return SmallRanker(model, tokenizer, setting, lists.judged_batches(setting.train, **limits, n_lists=N_LISTS))


def cut(ranker: SmallRanker, plan: Plan) -> PreTrainedModel:
    """A copy of the ranker's model that keeps what the plan names: layers, then the most important heads and neurons.

    Raises:
        ValueError: the plan lacks a name, has another one, or a number that the model cannot keep.
    """
    _require(plan)
    model = copy.deepcopy(ranker.model)
    models.keep_layers(model, layers=sorted(plan["layers"]))
    heads = pruning.head_importance(model, ranker.batches)
    neurons = pruning.neuron_importance(model, ranker.batches)
    pruning.cut_heads(model, n_heads=plan["n_heads"], importance=heads)
    return pruning.cut_neurons(model, d_ff=plan["d_ff"], importance=neurons)


def macs_left(plan: Plan) -> float:
    """The plan's share of the MACs of the whole ranker's layers, on a pair of the shop's mean length.

    Raises:
        ValueError: as in `cut`.
    """
    _require(plan)
    return _macs(plan) / _macs(WHOLE)


def train_loss(ranker: SmallRanker, plan: Plan) -> float:
    """The mean listwise loss of train lists after the cut, nothing trained."""
    return depth.mean_loss(cut(ranker, plan), ranker.batches)


def valid_ndcg10(ranker: SmallRanker, plan: Plan) -> float:
    """NDCG@10 on valid after the cut, nothing trained."""
    model = cut(ranker, plan)
    return training.evaluate_on_valid(model, tokenizer=ranker.tokenizer, setting=ranker.setting).ndcg10


@dataclass(frozen=True)
class Log:
    """What shoppers typed, and products to ask a teacher about.

    Attributes:
        queries: (n_queries,) texts that nobody judged.
        found: for each query the texts of N_BEST products, BM25's best first, and of N_OTHERS drawn at random.
    """

    queries: list[str]
    found: list[list[str]]


def read_log(ranker: SmallRanker, *, n_queries: int = 1_500) -> Log:
    """The first queries of the shop's log for which BM25 finds N_BEST products, each with what was found for it."""
    shop, rng = ranker.setting.catalogue, random.Random(0)
    not_asked = set(shop.pairs["train"]["query"]) | unjudged.held_out(shop)
    every = [query for query in shop.train_queries() if query not in not_asked][: 2 * n_queries]
    bm25 = candidates.build(shop)
    texts = bm25.products["text"][:]
    queries, found = [], []
    for query, best in zip(every, candidates.top(bm25, every, n_candidates=N_BEST), strict=True):
        if len(best) == N_BEST and len(queries) < n_queries:
            rows = [bm25.rows[product_id] for product_id, _ in best] + rng.sample(range(len(texts)), N_OTHERS)
            queries.append(query)
            found.append([texts[row] for row in rows])
    return Log(queries, found)


def taught(ranker: SmallRanker, log: Log, asked: Sequence[tuple[int, int]]) -> float:
    """NDCG@10 on valid of a student of one layer that copied the ranker's scores of the pairs asked.

    Args:
        asked: a query's number in the log and the place of one of its products, N_ASKED pairs at most.

    Raises:
        ValueError: too many pairs, one that is not there or there twice, or no query with two products.
    """
    pairs = _asked(log, asked)
    student = students.start_student(ranker.model, layers=[0])
    limits = {"tokenizer": ranker.tokenizer, "max_tokens": ranker.setting.max_tokens}
    scorer = runtimes.wrap_torch(ranker.model, threads=torch.get_num_threads(), **limits)
    scored = scored_pairs.score(scorer, pairs)
    environment.seed_everything(0)
    given = {"tokenizer": ranker.tokenizer, "setting": ranker.setting}
    distillation.distil(student, scored=scored, budget=STUDENT_BUDGET, loss="list_net", **given)
    return training.evaluate_on_valid(student, **given).ndcg10


def _asked(log: Log, asked: Sequence[tuple[int, int]]) -> Dataset:
    numbers = [number for number, _ in asked]
    if not asked or len(asked) > N_ASKED or len(set(asked)) < len(asked):
        raise ValueError(f"{len(asked)} pairs came, {len(set(asked))} different; ask for at most {N_ASKED}, each once")
    if max(map(numbers.count, set(numbers))) < 2:
        raise ValueError("every query has one product; scores of one query teach an order, so ask for two at least")
    for number, place in asked:
        if not (0 <= number < len(log.queries) and 0 <= place < N_BEST + N_OTHERS):
            raise ValueError(f"({number}, {place}) is not in the log; it has {len(log.queries)} queries, each with 40")
    by_query = sorted(asked)
    return Dataset.from_dict(
        {
            "group": [number for number, _ in by_query],
            "query": [log.queries[number] for number, _ in by_query],
            "product": [log.found[number][place] for number, place in by_query],
            "gain": [-1] * len(by_query),
            "source": ["log"] * len(by_query),
        },
        features=scored_pairs.FEATURES,
    )


def _require(plan: Plan) -> None:
    if set(plan) != set(WHOLE):
        raise ValueError(f"a plan has {', '.join(WHOLE)}; yours has {', '.join(plan) or 'nothing'}")
    if not plan["layers"] or not set(plan["layers"]) <= set(WHOLE["layers"]):
        raise ValueError(f"layers are {plan['layers']}; name some of {WHOLE['layers']}")
    for name in ("n_heads", "d_ff"):
        if not 1 <= plan[name] <= WHOLE[name]:
            raise ValueError(f"{name} is {plan[name]}; give a number from 1 to {WHOLE[name]:,}")


def _macs(plan: Plan) -> int:
    """Of the layers that stay; the head that gives the score is as large in every plan."""
    gone = list(range(plan["n_heads"], WHOLE["n_heads"]))
    sizes = {"num_hidden_layers": len(plan["layers"]), "intermediate_size": plan["d_ff"]}
    pruned = dict.fromkeys(range(len(plan["layers"])), gone)
    config = BertConfig(hidden_size=D_MODEL, num_attention_heads=WHOLE["n_heads"], pruned_heads=pruned, **sizes)
    parts = cost.macs_by_hand(config, n_tokens=N_TOKENS)
    return sum(macs for part, macs in parts.items() if part != "head")
