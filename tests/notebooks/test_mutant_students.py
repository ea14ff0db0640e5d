"""A distiller that ignores its teacher is refused by the bounds of notebook 04; one that listens is not.

The students here are judged before labels finish them: labels teach also those that were told nothing.
"""

import re

import numpy as np
import pytest

from authoring import gates
from utils import settings
from utils.data import catalogue
from utils.measure import ledger
from utils.rank import metrics, models, runtimes, training
from utils.shrink.distil import distillation, scored_pairs
from utils.shrink.recipe import Recipe

NAME = "04_distill"


@pytest.fixture(scope="module")
def shop():
    return catalogue.load("synthetic", profile=settings.profile("ci"))


@pytest.fixture(scope="module")
def start(out, shop):
    """A student of the shape that the notebook made, cut from the pruned model as it was there; its tokenizer."""
    pruned, tokenizer = models.load(out / "pruned")
    made, _ = models.load(out / "student")
    lists = training.draw_lists(shop.pairs["train"], n_lists=32, seed=0)
    there, n_kept = pruned.config.num_hidden_layers, made.config.num_hidden_layers
    shape = {
        "layers": distillation.kept_layers(there, n_kept=n_kept, which=Recipe().layers),
        "n_heads": made.base_model.encoder.layer[0].attention.self.num_attention_heads,
        "d_ff": made.config.intermediate_size,
        "batches": [training.collate([one], tokenizer=tokenizer, max_tokens=64) for one in lists],
    }
    return lambda: distillation.start_student(pruned, **shape), tokenizer


def problems(out, shop, start, *, heard, folder):
    """What the gate says of a student whose teacher's scores (n_pairs,) went through `heard`."""
    make, tokenizer = start
    student, teacher = make(), runtimes.weights_hash(out / "teacher", runtime="pytorch")
    taught = scored_pairs.load(out / "teaching", teacher_hash=teacher, data_hash=shop.hash)
    scores = heard(np.array(taught["score"][:], dtype=np.float32))
    distillation.distil(
        student,
        tokenizer=tokenizer,
        taught=taught.remove_columns("score").add_column("score", scores),
        valid=shop.pairs["valid"],
        profile=settings.profile("ci"),
        seed=0,
        log_folder=folder,
        top_gain=shop.top_gain,
        loss="margin_mse",
    )
    n_queries = distillation.JUDGED_TIMES * settings.profile("ci").n_stop_queries
    valid = training.first_queries(shop.pairs["valid"], n_queries=n_queries)
    ranker = runtimes.wrap_torch(student, tokenizer=tokenizer, threads=2, max_tokens=64)
    found = ranker.score(list(zip(valid["query"][:], valid["product"][:], strict=True)))
    quality = metrics.evaluate(valid, found, top_gain=shop.top_gain)
    changed = {"ndcg10": quality.ndcg10, "mrr10": quality.mrr10}
    rows = [of_notebook(out, "copied").model_copy(update=changed), of_notebook(out, "student")]
    return gates.problems(NAME, gates.read()[NAME], seconds=1, rows=rows)


def of_notebook(out, stage):
    """The notebook's own row of a stage."""
    return next(row for row in ledger.read(out / "ledger.jsonl") if (row.notebook, row.stage) == (NAME, stage))


def test_a_student_that_hears_its_teacher_passes(out, shop, start, tmp_path):
    assert problems(out, shop, start, heard=lambda scores: scores, folder=tmp_path) == []


@pytest.mark.parametrize("heard", [np.random.default_rng(0).permutation, np.zeros_like], ids=["shuffled", "constant"])
def test_a_student_that_is_not_told_what_its_teacher_thinks_is_refused(out, shop, start, tmp_path, heard):
    found = problems(out, shop, start, heard=heard, folder=tmp_path)
    assert found and all(re.match(rf"{NAME}: copied: ndcg10 is 0\.[34]\d*, not within", problem) for problem in found)
