"""Forms of stored products are of one model, and the smallest that keeps enough is chosen; the stage gets its row."""

import numpy as np
import pytest
import split_runs

from utils.course import split_row, splitting, stored_forms
from utils.course.run import TEACHER_SCORES
from utils.course.stored_forms import Compared, Form, Judged
from utils.edge import split_cost
from utils.edge.split_model import Split
from utils.measure import load
from utils.rank import metrics
from utils.rank.metrics import Quality

PLAN = Split(1, "tokens", 16)


@pytest.fixture(scope="module")
def run(small_folder, tmp_path_factory):
    return split_runs.make(tmp_path_factory.mktemp("run"), small_folder=small_folder)


@pytest.fixture(scope="module")
def model(run):
    return splitting.train(run, PLAN, steps=2)


@pytest.fixture(scope="module")
def judged(run, model, tmp_path_factory):
    return stored_forms.judge(run, model, stored_forms.forms(model), work=tmp_path_factory.mktemp("forms"))


def test_each_form_takes_fewer_bytes_than_the_one_before_and_all_rank_alike(judged):
    fp32, int8, all_int8, half = judged.values()
    assert fp32.bytes_per_product > 2.5 * int8.bytes_per_product
    assert int8.bytes_per_product == all_int8.bytes_per_product > half.bytes_per_product
    assert int8.model_bytes == fp32.model_bytes > all_int8.model_bytes
    assert fp32.agreement == pytest.approx(1) and 0.9 < all_int8.agreement < 1
    assert half.agreement < int8.agreement


def test_a_form_of_fewer_tokens_has_the_same_weights_and_leaves_the_model_as_it_was(model):
    fewer = stored_forms.of_form(model, Form(n_product=14))
    assert fewer.plan.n_product == 14 and model.plan.n_product == 28
    assert all((one == fewer.state_dict()[name]).all() for name, one in model.state_dict().items())


def test_the_smallest_form_that_keeps_enough_is_chosen_and_none_is_an_error():
    def form(ndcg10, n_bytes):
        return Judged(Form(), Quality.of_values([ndcg10]), 1.0, n_bytes, 10)

    student = Quality.of_values([0.8])
    found = Compared({"a": form(0.8, 900.0), "b": form(0.79, 500.0), "c": form(0.6, 100.0)}, student, n_resamples=50)
    assert found.smallest(keeps=0.98) == "b" and found.smallest(keeps=0.999) == "a"
    assert found.smallest(keeps=0.5) == "c"
    with pytest.raises(ValueError, match="no form keeps 110%; train the split model longer, or store more numbers"):
        found.smallest(keeps=1.1)
    assert found.table()["bytes a product"].tolist() == ["900", "500", "100"]


def test_the_row_of_the_stage_counts_what_a_device_needs_and_what_a_query_costs(run, model):
    splitting.make_stage(run, model)
    test = run.catalogue.pairs["test"]
    by_chance = np.random.default_rng(0).random(len(test)).astype(np.float32)
    run.save_quality(TEACHER_SCORES, metrics.evaluate(test, by_chance, top_gain=run.catalogue.top_gain))
    run.keep_rates({"teacher": [1.0]})
    queries = load.workload(run.catalogue, n_queries=2, n_candidates=40)
    row = split_row.add(run, model, queries=queries, local={"hit_rate": 0.5})
    in_stage = {path.name: path.stat().st_size for path in run.stage("split").rglob("*") if path.is_file()}
    assert row.size.disk_bytes <= sum(in_stage.values()) - in_stage["model.safetensors"]
    assert row.size.disk_bytes > in_stage["sides.onnx"] + in_stage["states.npy"]
    whole = split_cost.whole_at_request(model.config, n_query=8, n_product=16, n_candidates=100)
    assert 1 < row.work.macs_per_pair < whole / 100
    assert row.quality.ndcg10_delta.mean == pytest.approx(row.quality.ndcg10 - run.teacher_quality().ndcg10)
    assert set(run.rates()) == {"teacher", splitting.SPLIT.key} and row.local.hit_rate == 0.5
