"""How hard the embedded shop is to rank, and that the same run gives the same figures: minutes each, so not in `make
test`; `make contract` runs them. The generator was tuned on `valid`; here `test` says whether the contract holds.
"""

import pytest
import torch

from utils import environment, settings
from utils.course import runner
from utils.data import catalogue
from utils.measure import ledger
from utils.rank import baselines, metrics, models, runtimes, training
from utils.rank.setting import Budget, Setting

pytestmark = pytest.mark.slow
LAPTOP = {"profile": "laptop", "dataset": "synthetic", "seed": 0}


@pytest.fixture(scope="session")
def run_folder():
    """The laptop run, made unless it is fresh."""
    return runner.run(**LAPTOP)


@pytest.fixture(scope="session")
def rows(run_folder):
    """Its latest rows by stage."""
    return {row.stage: row for row in ledger.current(run_folder / "ledger.jsonl")}


def test_bm25_is_neither_useless_nor_enough(rows):
    print(f"\nBM25 {rows['bm25'].quality.ndcg10:.4f} on {rows['bm25'].quality.n_queries} queries")
    assert rows["bm25"].quality.n_queries == 1_500 and 0.45 <= rows["bm25"].quality.ndcg10 <= 0.80


def test_teacher_beats_what_needs_no_label_by_a_twentieth_and_is_not_perfect(rows):
    best = max((rows[stage] for stage in ("bm25", "bi_encoder", "fused")), key=lambda row: row.quality.ndcg10)
    delta = best.quality.ndcg10_delta
    print(f"\nteacher {rows['teacher'].quality.ndcg10:.4f}, {best.label} {best.quality.ndcg10:.4f}: {delta}")
    assert delta.mean <= -0.05 and delta.high < 0 and rows["teacher"].quality.ndcg10 < 0.98


def test_teacher_is_not_below_the_bi_encoder_that_learned_from_the_same_labels(rows):
    tuned, teacher = rows[baselines.TUNED], rows["teacher"]
    print(f"\nteacher {teacher.quality.ndcg10:.4f}, tuned {tuned.quality.ndcg10:.4f}: {tuned.quality.ndcg10_delta}")
    assert tuned.quality.ndcg10_delta.low < 0 and rows["teacher_fused"].quality.ndcg10_delta.low > 0


def test_one_layer_of_the_teacher_trained_as_long_loses_three_hundredths(run_folder, tmp_path):
    sizes = settings.profile("laptop")
    shop = catalogue.load("synthetic", profile=sizes)
    environment.seed_everything(0)
    model, tokenizer = models.load(run_folder / "teacher")
    models.keep_layers(model, layers=[0])
    setting = Setting(shop, sizes, seed=0, log_folder=tmp_path)
    budget = Budget.of_teacher(sizes, n_labelled=len(setting.train))
    training.fine_tune(model, tokenizer=tokenizer, setting=setting, budget=budget)
    pairs = shop.pairs["test"]
    texts = list(zip(pairs["query"], pairs["product"], strict=True))
    at = {"threads": torch.get_num_threads(), "max_tokens": sizes.max_tokens}
    teacher = runtimes.open_ranker(run_folder / "teacher", runtime="onnxruntime", **at)
    cut = runtimes.wrap_torch(model, tokenizer=tokenizer, **at)
    judged = [metrics.evaluate(pairs, ranker.score(texts), top_gain=shop.top_gain) for ranker in (cut, teacher)]
    loss = metrics.paired_bootstrap(*judged, n_resamples=sizes.n_bootstrap)
    print(f"\none layer {judged[0].ndcg10:.4f}, teacher {judged[1].ndcg10:.4f}: {loss}")
    assert loss.mean <= -0.03 and loss.high < 0


def test_the_same_run_twice_gives_the_same_quality(tmp_path):
    found = []
    for name in ("first", "second"):
        folder = runner.run(profile="ci", dataset="synthetic", seed=5, only="01", out=str(tmp_path / name))
        found.append({row.stage: row.quality.ndcg10 for row in ledger.read(folder / "ledger.jsonl")})
    print(f"\n{found}")
    assert len(found[0]) == 6 and found[0] == pytest.approx(found[1], abs=1e-6)
