"""What is broken on purpose is refused, by name: a model, its scores, a row, a notebook made from the template."""

import re
import shutil

import nbformat
import numpy as np
import pytest
from made import CI, notebook, replace_once

from authoring import committed_form, gates, lint, new, prose
from utils import settings
from utils.course import execution, runner
from utils.data import catalogue
from utils.measure import ledger
from utils.rank import metrics, models, runtimes

NAME = "15_shorter_pairs"
RANKER = "01_build_the_ranker"


@pytest.fixture(scope="module")
def shop():
    return catalogue.load("synthetic", profile=settings.profile("ci"))


def faults_with(scores, *, out, shop):
    """What the gate of notebook 01 says when the teacher ranks by these scores."""
    quality = metrics.evaluate(shop.pairs["test"], scores, top_gain=shop.top_gain)
    rows = [row for row in ledger.read(out / "ledger.jsonl") if row.identity.notebook == RANKER]
    changed = {"ndcg10": quality.ndcg10, "mrr10": quality.mrr10}
    rows = [row.changed(quality=changed) if row.stage == "teacher" else row for row in rows]
    return gates.problems(RANKER, gates.read()[RANKER], seconds=1, rows=rows)


def texts(shop):
    pairs = shop.pairs["test"]
    return list(zip(pairs["query"], pairs["product"], strict=True))


def test_a_teacher_with_random_weights_is_refused(out, shop):
    trained, tokenizer = models.load(out / "teacher")
    model = models.build_untrained(trained.config, seed=0)
    scores = runtimes.wrap_torch(model, tokenizer=tokenizer, threads=2, max_tokens=64).score(texts(shop))
    (problem,) = faults_with(scores, out=out, shop=shop)
    assert re.match(rf"{RANKER}: teacher: ndcg10 is 0\.[34]\d*, not within", problem)


def test_the_teachers_scores_pass_and_the_same_shuffled_are_refused(out, shop):
    teacher = runtimes.open_ranker(out / "teacher", runtime="onnxruntime", threads=2, max_tokens=64)
    scores = teacher.score(texts(shop))
    assert faults_with(scores, out=out, shop=shop) == []
    (problem,) = faults_with(np.random.default_rng(0).permutation(scores), out=out, shop=shop)
    assert re.match(rf"{RANKER}: teacher: ndcg10 is 0\.[34]\d*, not within", problem)


def test_a_row_with_a_forgotten_field_stops_the_notebook_and_names_the_field(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "NOTEBOOKS", tmp_path)
    begin = "from utils import course\nrun = course.begin('01_one', profile='ci', dataset='synthetic', seed=0, out=OUT)"
    add = (
        "from utils.measure.row_groups import Speed\nfrom utils.measure.variant import Variant\n"
        "speed = {'n_candidates': 100, 'pairs_per_s': 1.0, 'why_null': {'latency_ms': 'not timed'}}\n"
        "run.add_row(Variant('x', 'x'), label='x', why_no_hash='none', speed=speed)"
    )
    nbformat.write(notebook(begin, add), tmp_path / "01_one.ipynb")
    with pytest.raises(execution.RunFailed, match="(?s)cell 2: ValidationError: .*batch_size is null without a reason"):
        runner.run(**CI, out=str(tmp_path / "out"), echo=lambda line: None)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A course of one notebook, just made from the template; gives its path."""
    monkeypatch.setattr(settings, "NOTEBOOKS", tmp_path / "notebooks")
    for module, name in ((gates, "GATES"), (new, "README")):
        copy = shutil.copy(getattr(module, name), tmp_path)
        monkeypatch.setattr(module, name, type(settings.ROOT)(copy))
    settings.NOTEBOOKS.mkdir()
    return new.create(NAME)[0]


def run_problems(out):
    """Run the made notebook on the teacher in `out`; what its gate says."""
    runner.run(**CI, out=str(out), echo=lambda line: None)
    seconds = execution.stamp(out / "notebooks" / f"{NAME}.ipynb")["seconds"]
    return gates.problems(NAME, gates.read()[NAME], seconds=seconds, rows=ledger.read(out / "ledger.jsonl")[-1:])


@pytest.fixture
def at_teacher(out, tmp_path):
    """A run's folder with the teacher of the course and nothing else."""
    shutil.copytree(out / "teacher", tmp_path / "out" / "teacher")
    return tmp_path / "out"


def test_a_notebook_made_from_the_template_passes_its_gate_and_every_check_untouched(made, at_teacher):
    assert run_problems(at_teacher) == []
    master, nb = nbformat.read(made, as_version=4), nbformat.read(at_teacher / "notebooks" / made.name, as_version=4)
    ran = [cell for cell in nb.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for count, (cell, own) in enumerate(
        ((c, o) for c, o in zip(ran, master.cells, strict=True) if c.cell_type == "code"), 1
    ):
        own.update(outputs=cell.outputs, execution_count=count)
    committed_form.stamp(master)
    made.write_text(committed_form.text(master))
    assert lint.notebook_problems(made) == [] and prose.page_problems(made) == []


def test_a_notebook_made_from_the_template_fails_its_gate_when_its_metric_is_broken(made, at_teacher):
    replace_once(made, 'at[n].score(run.pairs(\\"test\\"))', '-at[n].score(run.pairs(\\"test\\"))')
    (problem,) = run_problems(at_teacher)
    assert re.match(rf"{NAME}: shorter_pairs: ndcg10 is 0\.\d+, not within", problem)


def test_a_new_notebook_is_listed_and_a_taken_number_or_another_form_is_refused(made):
    assert f"[`{NAME}`](notebooks/{NAME}.ipynb)" in new.README.read_text() and NAME in gates.read()
    before = {path: path.read_text() for path in (made, new.README, gates.GATES)}
    for name, problem in (("15_other", f"taken by {NAME}"), ("shorter", "two digits"), ("16_Big", "two digits")):
        with pytest.raises(ValueError, match=problem):
            new.create(name)
    assert {path: path.read_text() for path in before} == before
