"""A notebook begins with what it needs or a command that makes it, and its rows carry where they come from."""

import pytest

from utils.course import lesson
from utils.measure import ledger


def begin(tmp_path, **changes):
    return lesson.begin(
        "00_test", **{"profile": "ci", "dataset": "synthetic", "seed": 3, "out": str(tmp_path)} | changes
    )


def test_missing_stage_is_an_error_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="stage 'teacher' is missing.*course run --profile ci .*--seed 3"):
        begin(tmp_path, needs=("teacher",))


def test_recorded_row_says_where_it_comes_from(tmp_path):
    started = begin(tmp_path)
    known = {"stage": "bm25", "label": "BM25", "runtime": "bm25s", "precision": "fp32", "device": "cpu", "threads": 1}
    given = set(known) | set(started.identity()) | {"parent", "why_null"}
    reasons = dict.fromkeys(set(ledger.Row.model_fields) - given, "not a neural model")
    row = started.record(**known, why_null=reasons)
    assert started.rows() == [row] == started.written
    assert (row.notebook, row.profile, row.seed, row.dataset) == ("00_test", "ci", 3, "synthetic")
    assert len(started.pairs("test")) == 20 * started.profile.n_test_queries


def test_row_without_reasons_for_its_gaps_is_not_written(tmp_path):
    started = begin(tmp_path)
    with pytest.raises(ValueError, match="null without a reason"):
        started.record(stage="x", label="x", runtime="x", precision="x", device="cpu", threads=1)
    assert started.rows() == []
