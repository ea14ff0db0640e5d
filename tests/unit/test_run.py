"""A notebook begins with what it needs or a command that makes it, and its rows carry where they come from."""

import pytest

from utils.course import ledger_fields, stages
from utils.course.run import begin as begin_run
from utils.rank.metrics import Quality


def begin(tmp_path, **changes):
    return begin_run("00_test", **{"profile": "ci", "dataset": "synthetic", "seed": 3, "out": str(tmp_path)} | changes)


def test_missing_stage_is_an_error_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="stage 'teacher' is missing.*course run --profile ci .*--seed 3"):
        begin(tmp_path, needs=("teacher",))


def test_damaged_stage_is_an_error_that_names_the_file_and_the_command(tmp_path):
    with stages.whole(tmp_path / "teacher", notebook="01_one") as folder:
        (folder / "config.json").write_text("{}")
    assert begin(tmp_path, needs=("teacher",)).stage("teacher").is_dir()
    (tmp_path / "teacher" / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="'teacher' cannot be used: config.json is damaged.*again with: course run"):
        begin(tmp_path, needs=("teacher",))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused_before_anything_is_written(tmp_path, seed):
    with pytest.raises(ValueError, match=f"seed {seed} is not a whole number from 0 to 4294967295; give another seed"):
        begin(tmp_path / "out", seed=seed)
    assert not (tmp_path / "out").exists()


def test_row_is_in_the_ledger_after_finish_and_says_where_it_comes_from(tmp_path, capsys):
    started = begin(tmp_path)
    fields = ledger_fields.baseline_fields("bm25", label="BM25", runtime="bm25s")
    reasons = fields.pop("why_null") | dict.fromkeys(ledger_fields.QUALITY, "not judged in this test")
    row = started.add_row(**fields, why_null=reasons)
    assert started.rows() == []
    table = started.finish(recap=["It ranks."])
    assert started.rows() == [row] and list(table.index) == ["BM25"]
    assert (row.notebook, row.profile, row.seed, row.dataset) == ("00_test", "ci", 3, "synthetic")
    assert "1. It ranks." in capsys.readouterr().out
    assert len(started.pairs("test")) == 20 * started.profile.n_test_queries


def test_row_of_a_model_on_its_way_to_a_stage_is_of_valid_and_says_why_the_rest_is_missing(tmp_path):
    started = begin(tmp_path)
    quality = Quality({"q1": 0.5, "q2": 1.0}, {"q1": 0.0, "q2": 1.0}, {})
    row = started.add_row(
        parent="x", **ledger_fields.valid_fields("copied", label="before", quality=quality, threads=2)
    )
    assert (row.stage, row.split, row.n_queries, row.ndcg10, row.mrr10) == ("copied", "valid", 2, 0.75, 0.5)
    assert row.disk_bytes is None and "valid" in row.why_null["disk_bytes"]


def test_model_card_names_the_notebook_that_made_the_stage_and_the_row_it_shows(tmp_path):
    started = begin(tmp_path)
    stage = tmp_path / "bm25"
    with stages.whole(stage, notebook="00_earlier"):
        pass
    fields = ledger_fields.baseline_fields("bm25", label="BM25", runtime="bm25s")
    reasons = fields.pop("why_null") | dict.fromkeys(ledger_fields.QUALITY, "not judged in this test")
    started.add_row(**fields, why_null=reasons)
    started.finish(recap=[])
    card = (stage / "model_card.md").read_text()
    assert "made by notebook `00_earlier`" in card and "row 'BM25', written by notebook `00_test`" in card
    assert "| ndcg10 | not judged in this test |" in card


def test_row_without_reasons_for_its_gaps_is_refused(tmp_path):
    started = begin(tmp_path)
    with pytest.raises(ValueError, match="null without a reason"):
        started.add_row(stage="x", label="x", runtime="x", precision="x", device="cpu", threads=1)
