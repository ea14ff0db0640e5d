"""The stages of the fast path score as their parts do, their row says what it is of, levers are compared by turns."""

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from utils import settings
from utils.course import fast_path, measure_stage, peak_share, speed_levers
from utils.course.run import begin
from utils.measure.timing import Rate, Timing
from utils.rank import baselines, bi_encoder, metrics
from utils.rank.metrics import Quality
from utils.speed import candidates_quality

DEPTH = 7


@pytest.fixture(scope="module")
def run(small_folder, ranking_folder, tmp_path_factory):
    """A run whose teacher and final model have two layers, with a bi-encoder as it comes for the tuned one."""
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("run")
    sizes = replace(settings.profile("ci"), n_latency_queries=2, n_bootstrap=50, n_end_to_end_queries=2)
    patch.setitem(settings.PROFILES, "ci", sizes)
    for stage, source in (("teacher", ranking_folder), ("quantized", small_folder)):
        shutil.copytree(source, folder / stage)
    bi_encoder.open_encoder().save(str(folder / baselines.TUNED), create_model_card=False)
    yield begin("07_made", profile="ci", dataset="synthetic", seed=0, out=str(folder))
    patch.undo()


@pytest.fixture(scope="module")
def opened(run):
    """The stages made, and opened: by name."""
    fast_path.make_fast(run), fast_path.make_first(run), fast_path.make_cascade(run, depth=DEPTH)
    variants = {
        "model": fast_path.MODEL,
        "fast": fast_path.FAST,
        "first": fast_path.FIRST,
        "cascade": fast_path.CASCADE,
    }
    return {name: one.open(run.folder, max_tokens=64) for name, one in variants.items()}


@pytest.fixture(scope="module")
def lists(run):
    return candidates_quality.lists(run.catalogue, split="valid", n_queries=4, n_candidates=30)


def test_stored_ids_change_no_score(opened, lists):
    plain, fast = (opened[name].score(lists.pairs) for name in ("model", "fast"))
    assert np.abs(plain - fast).max() < 1e-4 and plain.std() > 0
    assert opened["fast"].store.of(lists.pairs[0][1]) is not None


def test_the_cascade_puts_the_best_of_the_first_stage_in_the_models_order_above_all_others(opened, lists):
    pairs = lists.by_query[0]
    first, model, whole = (opened[name].score(pairs) for name in ("first", "model", "cascade"))
    best = np.argsort(-first, kind="stable")[:DEPTH]
    by_hand = [*best[np.argsort(-model[best], kind="stable")], *np.argsort(-first, kind="stable")[DEPTH:]]
    assert np.argsort(-whole, kind="stable").tolist() == by_hand


def test_its_row_is_of_both_models_and_judged_over_all_candidates_alone(run, opened):
    judged = fast_path.beside(
        Quality({"a": 0.5, "b": 0.7}, {}, {}), teacher=Quality({"a": 0.6, "b": 0.9}, {}, {}), n_resamples=20
    )
    assert judged.share == pytest.approx(0.8) and judged.delta.mean == pytest.approx(-0.15)
    row = speed_levers.add_cascade(run, judged=judged, on_all_cores=Rate((1000.0,), 16), depth=DEPTH)
    assert row.quality.ndcg10 is None and row.quality.ndcg10_end_to_end == pytest.approx(0.6)
    assert row.identity.parent == "fast" and row.speed.latency_ms.p50 > 0 and row.size.peak_rss_bytes > 0
    of_one = (run.folder / "quantized" / "openvino" / "openvino_model.bin").stat().st_size
    assert row.size.disk_bytes > 1.2 * of_one  # the other model and what is stored come on top
    assert 0 < row.work.macs_per_pair < 30e6  # of two layers at 27 tokens 100 million, of which 7 in 100 are done


def test_depths_end_where_the_second_ranker_orders_everything(run, opened, lists):
    scores = {"first": opened["first"].score(lists.pairs), "second": opened["model"].score(lists.pairs)}
    found = speed_levers.qualities_by_depth(lists, **scores, depths=(1, 100))
    assert found[100] == candidates_quality.judge(lists, scores["second"])
    assert found[1] != found[100] and [depth for depth, _ in speed_levers.curve(found)] == [1, 100]
    of_labelled = speed_levers.depths_on_labelled(run, first=opened["first"], second=opened["model"], depths=(1, 100))
    pairs, top_gain = run.catalogue.pairs["valid"], run.catalogue.top_gain
    whole = metrics.evaluate(pairs, opened["model"].score(run.pairs("valid")), top_gain=top_gain)
    assert of_labelled[100] == whole and of_labelled[1] != whole


def test_a_lever_is_worth_its_rate_over_the_teachers_turn_by_turn_and_costs_the_inverse(run):
    found = speed_levers.levers(
        run, {speed_levers.TEACHER: Rate((10.0, 20.0), 16), speed_levers.TOGETHER: Rate((40.0, 80.0), 64)}
    )
    teacher, end = found[speed_levers.TEACHER], found[speed_levers.TOGETHER]
    assert end.cheaper.median == 4.0 and teacher.cheaper.median == 1.0
    assert teacher.usd / end.usd == pytest.approx(4.0)
    quality = partial(fast_path.beside, teacher=Quality({"a": 0.8}, {}, {}), n_resamples=5)
    judged = {name: quality(Quality({"a": 0.4}, {}, {})) for name in found}
    table = speed_levers.tabulate(found, judged=judged)
    assert table.loc[speed_levers.TOGETHER, "times fewer [95%]"] == "4.0 × [4.0, 4.0]"
    assert table.loc[speed_levers.TEACHER, "less the teacher [95%]"] == "–"
    assert table.loc[speed_levers.TOGETHER, "less the teacher [95%]"].startswith("-0.400")


def test_engines_stand_beside_the_first_one_and_the_compiled_one_only_where_there_is_a_compiler(run, monkeypatch):
    monkeypatch.setitem(run.machine, "cxx_compiler", False)
    assert "PyTorch, compiled" not in speed_levers.engines_of(run)
    monkeypatch.setitem(run.machine, "cxx_compiler", True)
    assert list(speed_levers.engines_of(run))[:2] == ["PyTorch", "PyTorch, compiled"]
    rates, timed = {"PyTorch": Rate((50.0,), 16), "b": Rate((150.0,), 64)}, dict.fromkeys("b", Timing((2.0,)))
    timed["PyTorch"] = Timing((4.0,))
    over = {name: speed_levers.timing.rate_ratio(rate.samples, (50.0,)) for name, rate in rates.items()}
    table = speed_levers.engine_table(rates, timed, over=over)
    assert table.loc["b", "× PyTorch [95%]"] == "3.0 × [3.0, 3.0]" and table.loc["b", "ms a query, median"] == "2.0"


def test_every_way_is_known_to_the_teachers_references(run, monkeypatch):
    monkeypatch.setattr(measure_stage, "int8_variant", lambda run: fast_path.MODEL)
    assert next(iter(speed_levers.ways(run))) == speed_levers.TEACHER == measure_stage.TEACHER
    assert speed_levers.ways(run)[speed_levers.ALONE_CASCADE].stage == speed_levers.TEACHER_CASCADE


def test_factors_are_of_each_lever_on_what_it_is_put_on():
    rates = {speed_levers.TEACHER: 10.0, speed_levers.ALONE_CASCADE: 70.0, speed_levers.ALONE_MODEL: 200.0}
    found = {name: Rate((rate, rate), 16) for name, rate in (rates | {speed_levers.MODEL_AND_IDS: 220.0}).items()}
    assert speed_levers.factors(found) == pytest.approx({"cascade": 7.0, "small int8 model": 20.0, "stored ids": 1.1})


def test_the_short_table_has_the_long_ones_sum_and_counts_an_unknown_part_as_others():
    gap = {"at the measured peak": 5.0, "fillers": 1.0, "softmax": 2.0, "a new kind": 4.0, "tokenize": 3.0}
    short = peak_share.in_short(gap)
    assert len(short) == 6 and sum(short.values()) == 15.0
    assert short[peak_share.AT_PEAK] == 5.0 and short[peak_share.NUMBERS] == 2.0 and short[peak_share.AROUND] == 3.0
    assert short[peak_share.AROUND_PRODUCTS] == 4.0
