"""A notebook begins with what it needs or a command that makes it, and its rows carry where they come from."""

import pytest

from utils import disk
from utils.course import ledger_fields, stages
from utils.course.run import begin as begin_run
from utils.measure.row_groups import Ranking
from utils.measure.variant import Variant
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


BM25 = Variant("bm25", "bm25s")
NOT_JUDGED = Ranking.absent("not judged in this test")


def test_row_is_in_the_ledger_after_finish_and_says_where_it_comes_from(tmp_path, capsys):
    started = begin(tmp_path)
    row = started.add_baseline(BM25, label="BM25", quality=NOT_JUDGED)
    assert started.rows() == []
    table = started.finish(recap=["It ranks."])
    assert started.rows() == [row] and list(table.index) == ["BM25"]
    identity = row.identity
    assert (identity.notebook, identity.profile, identity.seed, identity.dataset) == ("00_test", "ci", 3, "synthetic")
    assert identity.variant == BM25 and identity.reason("model_hash") == row.size.reason("n_params")
    assert "1. It ranks." in capsys.readouterr().out
    assert len(started.pairs("test")) == 20 * started.profile.n_test_queries


def test_row_of_a_model_on_its_way_to_a_stage_is_of_valid_and_says_why_the_rest_is_missing(tmp_path):
    started = begin(tmp_path)
    quality = Quality({"q1": 0.5, "q2": 1.0}, {"q1": 0.0, "q2": 1.0}, {}, {"q1": 0.4, "q2": 0.4})
    row = started.add_look("copied", label="before", quality=quality, threads=2, parent="x")
    found = row.quality
    assert (row.stage, found.split, found.n_queries, found.ndcg10, found.mrr10) == ("copied", "valid", 2, 0.75, 0.5)
    assert row.size.disk_bytes is None and "valid" in row.size.reason("disk_bytes")


def test_a_stage_says_which_one_it_was_made_from_and_its_rows_too(tmp_path):
    started = begin(tmp_path)
    with stages.whole(tmp_path / "student", notebook="00_test", facts={"parent": "pruned"}) as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
    groups = ledger_fields.nothing_but_quality("not measured in this test")
    row = started.add_row(Variant("student", "pytorch"), label="student", quality=NOT_JUDGED, **groups)
    assert row.identity.parent == "pruned" and row.identity.model_hash == disk.sha256(folder_file(tmp_path))[:16]


def folder_file(tmp_path):
    return tmp_path / "student" / "model.safetensors"


def test_model_card_names_the_notebook_that_made_the_stage_and_the_row_it_shows(tmp_path):
    started = begin(tmp_path)
    stage = tmp_path / "bm25"
    with stages.whole(stage, notebook="00_earlier"):
        pass
    started.add_baseline(BM25, label="BM25", quality=Ranking.absent("a | in a reason"))
    started.finish(recap=[])
    card = (stage / "model_card.md").read_text()
    assert "made by notebook `00_earlier`" in card and "row 'BM25', written by notebook `00_test`" in card
    assert "| ndcg10 | a \\| in a reason |" in card and "| seed | 3 |" in card


def test_row_without_a_group_or_without_reasons_for_its_gaps_is_refused(tmp_path):
    started = begin(tmp_path)
    with pytest.raises(ValueError, match="quality\n  Field required"):
        started.add_row(BM25, label="x", why_no_hash="none", **ledger_fields.nothing_but_quality("none"))
    with pytest.raises(ValueError, match="null without a reason"):
        started.add_row(BM25, label="x", why_no_hash="none", quality={}, **ledger_fields.nothing_but_quality("none"))
    assert started.pending == []
