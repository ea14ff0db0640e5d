"""A distiller that ignores its teacher is refused by the bounds of notebook 04; one that listens is not.

The students here are judged before labels finish them: labels teach also those that were told nothing.
"""

import re

import numpy as np
import pytest
from made import CI

from authoring import gates
from utils import course, settings
from utils.course import teachers
from utils.data import catalogue
from utils.measure import ledger
from utils.rank import models, training
from utils.rank.setting import Budget, Setting
from utils.shrink import recipe as recipes
from utils.shrink import steps
from utils.shrink.distil import distillation, scored_pairs

NAME = "04_distill"


@pytest.fixture(scope="module")
def shop():
    return catalogue.load("synthetic", profile=settings.profile("ci"))


@pytest.fixture(scope="module")
def setting(shop, tmp_path_factory):
    return Setting(shop, settings.profile("ci"), seed=0, log_folder=tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def start(out, setting):
    """Makes a student as the notebook's began, cut from the pruned model as it was there; and its tokenizer."""
    pruned, tokenizer = models.load(out / "pruned")
    recipe = recipes.kept(out)
    return lambda: steps.start_student(pruned, tokenizer=tokenizer, recipe=recipe, setting=setting), tokenizer


def problems(out, setting, start, *, heard):
    """What the gate says of a student whose teacher's scores (n_pairs,) went through `heard`."""
    make, tokenizer = start
    student, teachers_hash = make(), teachers.of_run(course.begin(NAME, **CI, out=str(out))).weights
    scored = scored_pairs.load(out / "scored_pairs", teacher_hash=teachers_hash, data_hash=setting.catalogue.hash)
    scores = heard(np.array(scored["score"][:], dtype=np.float32))
    scored = scored.remove_columns("score").add_column("score", scores)
    budget = Budget.of_distillation(setting.profile)
    distillation.distil(student, tokenizer=tokenizer, scored=scored, setting=setting, budget=budget, loss="margin_mse")
    quality = training.evaluate_on_valid(student, tokenizer=tokenizer, setting=setting)
    changed = {"ndcg10": quality.ndcg10, "mrr10": quality.mrr10}
    others = [of_notebook(out, stage) for stage in ("labels_alone", "student")]
    rows = [of_notebook(out, "copied").changed(quality=changed), *others]
    return gates.problems(NAME, gates.read()[NAME], seconds=1, rows=rows)


def of_notebook(out, stage):
    """The notebook's own row of a stage."""
    return next(row for row in ledger.read(out / "ledger.jsonl") if (row.identity.notebook, row.stage) == (NAME, stage))


def test_a_student_that_hears_its_teacher_passes(out, setting, start):
    assert problems(out, setting, start, heard=lambda scores: scores) == []


@pytest.mark.parametrize("heard", [np.random.default_rng(0).permutation, np.zeros_like], ids=["shuffled", "constant"])
def test_a_student_that_is_not_told_what_its_teacher_thinks_is_refused(out, setting, start, heard):
    found = problems(out, setting, start, heard=heard)
    assert found and all(re.match(rf"{NAME}: copied: ndcg10 is 0\.[234]\d*, not within", problem) for problem in found)
