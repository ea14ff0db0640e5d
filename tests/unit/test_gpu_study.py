"""The study of one card, here of the CPU by the same code: what it measures, what it records, and what it refuses."""

import dataclasses
from types import SimpleNamespace

import pytest
import small_shop
import torch
from gpu_devices import devices
from IPython.display import Markdown
from transformers import BertConfig

from authoring import gpu_record, gpu_study, gpu_ways
from utils import settings
from utils.course import gpu_tables, runner
from utils.data.catalogue import texts_of
from utils.speed.gpu import device, recorded
from utils.speed.gpu.recorded import FIGURES, Row

TINY = BertConfig(num_labels=1, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
PACKED = gpu_ways.WAYS[0]


@pytest.fixture(params=devices())
def where(request, monkeypatch):
    monkeypatch.setattr(gpu_study, "LEAST_S", 0)
    return device.choose(request.param)


@pytest.fixture
def run(ranking_folder, tmp_path):
    """A run whose teacher is the small model, on a shop of three products."""
    shop = small_shop.load(small_shop.write(tmp_path), profile="ci")
    return SimpleNamespace(
        stage=lambda name: ranking_folder,
        profile=dataclasses.replace(settings.profile("ci"), max_tokens=32, n_latency_queries=1),
        pairs=lambda split: texts_of(shop.pairs[split]),
        catalogue=shop,
        dataset="synthetic",
        seed=0,
        machine={"cores": 1, "processor": "here"},
    )


def fp32(way):
    return dataclasses.replace(way, precision="fp32")


def test_a_way_in_fp32_has_the_scores_and_the_quality_of_the_cpu(run, where):
    row = gpu_study.of_way(gpu_study.of_teacher(run), fp32(PACKED), device=where)
    assert row.score_difference < 1e-4 and row.change_low == row.change_high == 0 and 0 < row.ndcg10 <= 1
    assert row.pairs_per_s > 0 and row.pairs_per_s_tokenized > 0 and row.latency_ms > 0


def test_random_weights_have_a_cost_and_no_quality(run, where):
    task = gpu_study.of_bert_base(run, config=TINY, n_pairs=100)
    row = gpu_study.of_way(task, fp32(PACKED), device=where)
    assert row.pairs_per_s > 0 and row.ndcg10 is None and "ndcg10" in row.why_null


def test_texts_of_bert_base_are_cut_to_just_its_tokens(run):
    task = gpu_study.of_bert_base(run, config=TINY, n_pairs=100)
    encoded = gpu_study._open(task, fp32(PACKED), device=device.choose("cpu")).encode(task.pairs)
    assert {len(ids) for ids in encoded["input_ids"]} == {64}


def test_attention_by_its_formula_is_another_kernel_with_the_same_scores(run, where):
    by_formula = fp32(next(way for way in gpu_ways.WAYS if "formula" in way.name))
    assert gpu_study.of_way(gpu_study.of_teacher(run), by_formula, device=where).score_difference < 1e-4


def test_training_steps_are_a_row_of_their_own(run, where):
    row = gpu_study.of_training(gpu_study.of_teacher(run), "fp32", change=None, device=where, n_pairs=3)
    assert row.steps_per_s > 0 and row.pairs_per_s is None


def broken(module):
    raise RuntimeError("no compiler\nat all")


@pytest.fixture
def small_study(monkeypatch):
    """Two ways, of which one fails, one model of a tiny shape, one training."""
    fails = dataclasses.replace(PACKED, name="compiled", change=broken)
    monkeypatch.setattr(gpu_ways, "WAYS", (PACKED, fails))
    monkeypatch.setattr(gpu_ways, "OF_BERT_BASE", (PACKED,))
    monkeypatch.setattr(gpu_study, "TRAINED", (("fp32", None),))
    of_bert_base = gpu_study.of_bert_base
    monkeypatch.setattr(gpu_study, "of_bert_base", lambda run: of_bert_base(run, config=TINY, n_pairs=100))
    monkeypatch.setattr(
        gpu_study, "of_training", lambda task, name, **_: Row.of(task.what, name, why_others="not here")
    )


def test_what_fails_is_recorded_with_its_reason_and_stops_nothing(run, where, small_study):
    said = []
    _, rows = gpu_study.measure(run, device=where, echo=said.append)
    by_name = {(row.what, row.how): row for row in rows}
    failed = by_name["teacher, pairs of valid", "compiled"]
    assert set(failed.why_null) == set(FIGURES) and failed.why_null["mfu"] == "RuntimeError: no compiler"
    assert by_name["teacher, pairs of valid", "bf16, packed"].pairs_per_s > 0
    assert len(said) == len(rows) == 6


def test_what_finds_no_time_says_so(run, where, small_study):
    _, rows = gpu_study.measure(run, device=where, echo=str, limit_s=0)
    assert {row.why_null["pairs_per_s"] for row in rows} == {"found no time"}


def test_a_record_is_read_as_it_was_written_and_shown(run, where, small_study, results):
    assert isinstance(gpu_tables.show(), Markdown) and "course results --gpu" in gpu_tables.show().data
    made = gpu_record.measured(run, device=where, echo=str)
    path = recorded.write(made)
    assert path.parent == results / "gpu" and path.name.startswith(f"{made.dataset}-ci-")
    assert recorded.read() == [made]
    shown = gpu_tables.show()
    assert "teacher, pairs of valid: bf16, packed" in shown.index
    assert shown.loc["teacher, pairs of valid: compiled", "MFU"] == "–"


def test_without_a_card_nothing_is_run_and_nothing_is_recorded(monkeypatch, results):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runner, "make_stages", lambda **_: pytest.fail("a stage was made"))
    with pytest.raises(ValueError, match="PyTorch sees no card here"):
        gpu_record.record(dataset="synthetic", profile="ci", seed=0)
    assert not (results / "gpu").exists()


def test_a_damaged_record_is_named_with_its_remedy(results):
    (results / "gpu").mkdir(parents=True)
    (results / "gpu" / "x.json").write_text('{"format": 1, "rows": [{"what": "a", "how": "b"}]}')
    with pytest.raises(ValueError, match=r"data/results/gpu/x.json: cannot be read .*; record it anew"):
        recorded.read()


def test_a_figure_without_a_value_needs_a_reason():
    with pytest.raises(ValueError, match="x: latency_ms is null without a reason"):
        Row("teacher", "x", pairs_per_s=1.0, why_null=dict.fromkeys(set(FIGURES) - {"pairs_per_s", "latency_ms"}, "y"))
    with pytest.raises(ValueError, match="pairs_per_s is null without a reason in why_null, or has both"):
        Row("teacher", "x", pairs_per_s=1.0, why_null=dict.fromkeys(FIGURES, "y"))


def test_no_record_of_this_checkout_is_of_anything_but_a_card():
    assert all(record.card and not record.card.startswith("Intel") and record.rows for record in recorded.read())
