"""Every stage of a run opens in a fresh process, in our runtimes and in other people's tools, and scores as here."""

import json
import subprocess
import sys

import numpy as np
import pytest
from made import ENGINES

from utils import settings
from utils.data import catalogue
from utils.measure import ledger
from utils.rank import runtimes

STAGES = ("teacher", "pruned", "labels_alone", "student", "sparse", "quantized")
OURS = """
import json, sys
from pathlib import Path
from utils.rank import models, runtimes

task = json.load(sys.stdin)
at = {"threads": 1, "max_tokens": 64, "batch_size": 64}  # all pairs in one batch
found = {}
for stage in task["stages"]:
    for runtime in runtimes.known():
        ranker = runtimes.open_ranker(Path(task["folder"]) / stage, runtime=runtime, **at)
        found[f"{stage} {runtime}"] = ranker.score(task["pairs"]).tolist()
print(json.dumps(found))
"""
THEIRS = """
import json, sys
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer
import torch

task = json.load(sys.stdin)
found = {}
for stage in task["stages"]:
    folder = task["folder"] + "/" + stage
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    texts = [list(side) for side in zip(*task["pairs"])]
    with torch.inference_mode():
        logits = model(**tokenizer(*texts, padding=True, truncation=True, max_length=64, return_tensors="pt")).logits
    found[f"{stage} pytorch"] = logits[:, 0].tolist()
    for backend, runtime in (("torch", "pytorch"), ("onnx", "onnxruntime")):
        encoder = CrossEncoder(folder, device="cpu", backend=backend)
        scores = encoder.predict(task["pairs"], batch_size=64, activation_fn=torch.nn.Identity())
        found[f"{stage} {runtime} CrossEncoder"] = scores.tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def pairs():
    valid = catalogue.load("synthetic", profile=settings.profile("ci")).pairs["valid"]
    return list(zip(valid["query"][:40], valid["product"][:40], strict=True))


@pytest.fixture(scope="module")
def here(out, pairs):
    """Scores in this process by stage and runtime, on one batch."""
    found = {}
    for stage in STAGES:
        for runtime in ENGINES:
            at = {"threads": 1, "max_tokens": 64, "batch_size": 64}
            found[f"{stage} {runtime}"] = runtimes.open_ranker(out / stage, runtime=runtime, **at).score(pairs)
    return found


def in_fresh_process(script, *, out, pairs):
    task = json.dumps({"folder": str(out), "stages": STAGES, "pairs": pairs})
    done = subprocess.run([sys.executable, "-c", script], input=task, capture_output=True, text=True, check=True)
    return {name: np.array(scores) for name, scores in json.loads(done.stdout.strip().splitlines()[-1]).items()}


def order(scores):
    return np.argsort(-scores, kind="stable").tolist()


def is_int8(name):
    return name.startswith("quantized") and "pytorch" not in name


def test_no_two_rows_of_the_ledger_disagree_by_arithmetic(out):
    rows = ledger.current(out / "ledger.jsonl")
    priced = [row.money for row in rows if row.money.usd_per_million_queries]
    work_for_a_dollar = [one.usd_per_million_queries * one.pairs_per_s for one in priced]
    assert len(priced) > 10 and {(one.instance, one.cores) for one in priced} == {(priced[0].instance, priced[0].cores)}
    assert work_for_a_dollar == pytest.approx([work_for_a_dollar[0]] * len(priced))
    (teacher,) = {row.quality.ndcg10 for row in rows if row.stage == "teacher" and row.quality.split == "test"}
    judged = [row.quality for row in rows if row.quality.ndcg10_delta]
    assert len(judged) > 10
    for one in judged:
        assert one.ndcg10_delta.mean == pytest.approx(one.ndcg10 - teacher, abs=1e-9)
        assert one.ndcg10_delta.low <= one.ndcg10_delta.mean <= one.ndcg10_delta.high
    of_weights = {(row.stage, row.identity.precision): set() for row in rows if row.size.n_params}
    for row in rows:
        if row.size.n_params:
            assert row.size.n_params_embedding + row.size.n_params_encoder <= row.size.n_params
            of_weights[row.stage, row.identity.precision].add((row.size.n_params, row.size.n_params_embedding))
    assert all(len(found) == 1 for found in of_weights.values()), of_weights


def test_stages_score_in_a_fresh_process_as_they_do_here(out, pairs, here):
    there = in_fresh_process(OURS, out=out, pairs=pairs)
    assert there.keys() == here.keys()
    for name, scores in there.items():
        if is_int8(name):
            assert order(scores) == order(here[name]), name
        else:
            np.testing.assert_allclose(scores, here[name], atol=1e-5, err_msg=name)


def test_runtimes_of_one_fp32_stage_agree(here):
    for name, scores in here.items():
        if not is_int8(name):
            np.testing.assert_allclose(scores, here[f"{name.split()[0]} pytorch"], atol=1e-5, err_msg=name)


def test_other_peoples_tools_open_every_stage_and_score_as_ours_do(out, pairs, here):
    for name, scores in in_fresh_process(THEIRS, out=out, pairs=pairs).items():
        ours = here[" ".join(name.split()[:2])]
        if not is_int8(name):
            np.testing.assert_allclose(scores, ours, atol=1e-5, err_msg=name)
            continue
        # With other options an engine fuses otherwise, and a value on the edge of two int8 steps takes the other one.
        off = (scores - ours) / np.std(ours)
        assert np.abs(off).max() < 0.05 and np.sqrt(np.mean(off**2)) < 0.01, name
