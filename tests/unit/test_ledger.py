"""What the ledger does with odd text, damage and crashes."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import LATENCY, row
from pydantic import ValidationError

from utils.measure import ledger

LINE_ENDS = st.text(alphabet="a\n\r\x0b\x0c\x1c\x85\u2028\u2029é\U0001f45f", min_size=1)


@settings(max_examples=40, deadline=None)
@given(label=LINE_ENDS, ndcg=st.floats(0, 1))
def test_label_with_any_line_separator_stays_one_row(label, ndcg):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        rows = [row(label=label, ndcg10=ndcg), row(stage="second")]
        for each in rows:
            ledger.append(path, each)
        assert ledger.read(path) == rows


def test_damaged_whole_line_is_an_error_with_its_place_and_not_a_lost_row(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for stage in "abc":
        ledger.append(path, row(stage=stage))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b'":', b'"', 1), *lines[2:]]))
    with pytest.raises(ValueError, match="ledger.jsonl line 2"):
        ledger.read(path)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_line_cut_anywhere_is_no_row_before_and_after_the_next_is_added(share):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        whole = row(stage="cut").model_dump_json().encode()
        ledger.append(path, row(stage="first"))
        with path.open("ab") as file:
            file.write(whole[: max(1, int(share * len(whole)))])
        assert [each.stage for each in ledger.read(path)] == ["first"]
        ledger.append(path, row(stage="last"))
        with pytest.warns(UserWarning, match="line 2: cut short"):
            assert [each.stage for each in ledger.read(path)] == ["first", "last"]


def test_row_that_the_disk_took_only_in_part_is_an_error_and_no_row(tmp_path, monkeypatch):
    path, write = tmp_path / "ledger.jsonl", os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:20]))
    with pytest.raises(OSError, match="No space left on device: .*ledger.jsonl"):
        ledger.append(path, row())
    assert ledger.read(path) == []


def test_missing_ledger_has_no_rows(tmp_path):
    assert ledger.read(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"ndcg10": None, "why_null": {"ndcg10": " "}},
        {"parent": "teacher", "why_null": {"parent": "it has none"}},
        {"machine": {"memory_gb_per_s": float("nan")}},
        {"latency_ms": LATENCY | {"p95": float("inf")}},
    ],
    ids=["blank reason", "reason for a parent that is given", "NaN inside the machine", "infinite latency"],
)
def test_row_that_hides_a_missing_value_is_refused(changes):
    with pytest.raises(ValidationError):
        row(**changes)


def test_null_with_its_reason_is_kept_and_shown_as_a_dash(tmp_path):
    empty = row(ndcg10=None, ndcg10_delta=None, why_null={"ndcg10": "random", "ndcg10_delta": "random"})
    ledger.append(tmp_path / "ledger.jsonl", empty)
    table = ledger.tabulate([*ledger.read(tmp_path / "ledger.jsonl"), row(ndcg10=0.5)])
    assert list(table["NDCG@10"]) == ["–", "0.500"]


def test_threads_are_shown_where_rows_were_timed_on_different_numbers_of_them():
    untimed = row(latency_ms=None, why_null={"latency_ms": "another day"})
    assert "threads" not in ledger.tabulate([row(threads=1), row(threads=1), untimed])
    assert list(ledger.tabulate([row(threads=1), row(threads=2), untimed])["threads"]) == ["1", "2", "–"]


def test_rows_of_data_that_has_changed_since_are_history(tmp_path):
    path = tmp_path / "ledger.jsonl"
    assert ledger.current(path) == []
    rows = [row(dataset_hash="old"), row(dataset_hash="new"), row(dataset_hash="new", ndcg10=0.5)]
    for each in rows:
        ledger.append(path, each)
    assert ledger.current(path) == [rows[2]] and len(ledger.read(path)) == 3


def test_latest_keeps_threads_and_data_sets_apart():
    rows = [row(threads=1), row(threads=2), row(dataset_hash="y"), row(threads=1, ndcg10=0.25)]
    assert ledger.latest(rows) == [rows[3], rows[1], rows[2]]


@settings(max_examples=20, deadline=None)
@given(label=st.text(), ndcg=st.floats(0, 1), n=st.integers(0, 10**12))
def test_row_is_read_as_it_was_written(label, ndcg, n):
    with tempfile.TemporaryDirectory() as folder:
        path, whole = Path(folder) / "ledger.jsonl", row(label=label, ndcg10=ndcg, disk_bytes=n)
        ledger.append(path, whole)
        assert ledger.read(path) == [whole]


@pytest.mark.parametrize("field", sorted(ledger.Row.model_fields))
def test_row_with_a_forgotten_field_is_refused(field):
    with pytest.raises(ValidationError, match=field):
        ledger.Row(**row().model_dump(exclude={field}))


@pytest.mark.parametrize(
    "changes",
    [{"ndcg10": float("nan")}, {"ndcg10": None}, {"why_null": {"ndcg10": "none"}}, {"ndgc10": 1.0}],
    ids=["NaN", "null without a reason", "reason without a null", "misspelled field"],
)
def test_dishonest_row_is_refused(changes):
    with pytest.raises(ValidationError):
        row(**changes)


def test_whole_line_that_is_no_row_is_an_error_with_its_place(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"stage": "x"}\n')
    with pytest.raises(ValueError, match="ledger.jsonl line 1"):
        ledger.read(path)


def test_latest_keeps_the_last_row_of_each_way_of_running():
    rows = [row(ndcg10=q, runtime=r) for q, r in ((0.1, "a"), (0.2, "b"), (0.3, "a"))]
    assert [each.ndcg10 for each in ledger.latest(rows)] == [0.3, 0.2]


def test_the_revision_says_where_code_differs_from_the_commit_and_nothing_of_other_files(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger.settings, "ROOT", tmp_path)
    assert ledger.git_revision() == "unknown"
    (tmp_path / "utils").mkdir()
    for name in ("utils/a.py", "README.md"):
        (tmp_path / name).write_text("one")
    for words in (["init"], ["add", "."], ["commit", "-m", "one"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True)
    clean = ledger.git_revision()
    (tmp_path / "README.md").write_text("two")
    assert len(clean) == 12 and ledger.git_revision() == clean
    (tmp_path / "utils" / "a.py").write_text("two")
    assert ledger.git_revision() == f"{clean}-dirty"
