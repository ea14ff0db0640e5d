"""Who scores a student's pairs is decided on valid and kept with the bi-encoder; the scores are kept by it."""

from types import SimpleNamespace

import pytest

from utils import course
from utils.course import stages, teachers
from utils.rank import baselines, bi_encoder, models, runtimes
from utils.rank.ensemble import Ensemble
from utils.rank.metrics import Quality

BAD, GOOD = Quality.of_values([0.5, 0.4, 0.5, 0.4]), Quality.of_values([0.8, 0.9, 0.8, 0.9])


@pytest.fixture
def run(tmp_path, small_folder, monkeypatch):
    """A run whose teacher is the small model; a stage is written without the exports, which take seconds."""
    monkeypatch.setattr(runtimes, "export_all", lambda folder: None)
    return course.begin("01_build_the_ranker", profile="ci", dataset="synthetic", seed=0, out=str(tmp_path / "run"))


def keep(run, small_folder, *, alone, together):
    model, tokenizer = models.load(small_folder)
    tuned = SimpleNamespace(encoder=bi_encoder.open_encoder())
    taught = SimpleNamespace(model=model, tokenizer=tokenizer, tuned=tuned, alone=alone, together=together)
    return teachers.keep(run, taught)


def test_both_score_where_together_is_better_beyond_chance(run, small_folder):
    assert keep(run, small_folder, alone=BAD, together=GOOD) == teachers.TOGETHER
    found = teachers.of_run(run)
    assert found.names == teachers.TOGETHER and found.weights != runtimes.weights_hash(
        run.stage("teacher"), runtime="pytorch"
    )
    assert set(stages.hashes(run.folder)) == {"teacher", baselines.TUNED}
    assert not stages.problem(run.stage(baselines.TUNED))
    assert teachers.tuned(run).get_embedding_dimension() == 384


def test_otherwise_the_teacher_scores_alone(run, small_folder):
    assert keep(run, small_folder, alone=GOOD, together=GOOD) == teachers.ALONE
    found = teachers.of_run(run)
    assert found.names == teachers.ALONE
    assert found.weights == runtimes.weights_hash(run.stage("teacher"), runtime="pytorch")


def test_the_ranker_of_both_is_an_ensemble(run, small_folder, monkeypatch):
    keep(run, small_folder, alone=BAD, together=GOOD)
    monkeypatch.setattr(runtimes, "open_ranker", lambda folder, **_: folder.name)
    assert isinstance(teachers.of_run(run).open(), Ensemble) and teachers.of_run(run).open().members[0] == "teacher"


def test_a_missing_bi_encoder_is_named_with_the_command_that_makes_it(run):
    with pytest.raises(FileNotFoundError, match="bi_encoder_tuned.*make it with: course run"):
        teachers.tuned(run)
