"""What the ledger does with odd text, damage and crashes; the plain cases are in test_measure.py."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from utils.measure import ledger

LATENCY = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "n": 4}
GIVEN = {
    "parent": None,
    "machine": {"cores": 2, "gpu": None, "vector_instructions": ["avx2"]},
    "versions": {"torch": "2"},
    "latency_ms": LATENCY,
    "ndcg10_delta": {"mean": 0.0, "low": -0.1, "high": 0.1},
    "why_null": {},
}


def make_row(**changes):
    """A row that is whole: 1 in every plain field that takes a number, "x" in the others."""
    plain = {}
    for name, field in ledger.Row.model_fields.items():
        plain[name] = "x" if field.annotation in (str, str | None) else 1
    return ledger.Row(**plain | GIVEN | changes)


LINE_ENDS = st.text(alphabet="a\n\r\x0b\x0c\x1c\x85\u2028\u2029é\U0001f45f", min_size=1)


@settings(max_examples=40, deadline=None)
@given(label=LINE_ENDS, ndcg=st.floats(0, 1))
def test_label_with_any_line_separator_stays_one_row(label, ndcg):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        rows = [make_row(label=label, ndcg10=ndcg), make_row(stage="second")]
        for row in rows:
            ledger.append(path, row)
        assert ledger.read(path) == rows


def test_damaged_whole_line_is_an_error_with_its_place_and_not_a_lost_row(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for stage in "abc":
        ledger.append(path, make_row(stage=stage))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b'":', b'"', 1), *lines[2:]]))
    with pytest.raises(ValueError, match="ledger.jsonl line 2"):
        ledger.read(path)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_line_cut_anywhere_is_no_row_before_and_after_the_next_is_added(share):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.jsonl"
        whole = make_row(stage="cut").model_dump_json().encode()
        ledger.append(path, make_row(stage="first"))
        with path.open("ab") as file:
            file.write(whole[: max(1, int(share * len(whole)))])
        assert [row.stage for row in ledger.read(path)] == ["first"]
        ledger.append(path, make_row(stage="last"))
        with pytest.warns(UserWarning, match="line 2: cut short"):
            assert [row.stage for row in ledger.read(path)] == ["first", "last"]


def test_row_that_the_disk_took_only_in_part_is_an_error_and_no_row(tmp_path, monkeypatch):
    path, write = tmp_path / "ledger.jsonl", os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:20]))
    with pytest.raises(OSError, match="No space left on device: .*ledger.jsonl"):
        ledger.append(path, make_row())
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
        make_row(**changes)


def test_null_with_its_reason_is_kept_and_shown_as_a_dash(tmp_path):
    row = make_row(ndcg10=None, ndcg10_delta=None, why_null={"ndcg10": "random", "ndcg10_delta": "random"})
    ledger.append(tmp_path / "ledger.jsonl", row)
    table = ledger.table([*ledger.read(tmp_path / "ledger.jsonl"), make_row(ndcg10=0.5)])
    assert list(table["NDCG@10"]) == ["–", "0.500"]


def test_rows_of_data_that_has_changed_since_are_history(tmp_path):
    path = tmp_path / "ledger.jsonl"
    assert ledger.current(path) == []
    rows = [make_row(dataset_hash="old"), make_row(dataset_hash="new"), make_row(dataset_hash="new", ndcg10=0.5)]
    for row in rows:
        ledger.append(path, row)
    assert ledger.current(path) == [rows[2]] and len(ledger.read(path)) == 3


def test_latest_keeps_threads_and_data_sets_apart():
    rows = [make_row(threads=1), make_row(threads=2), make_row(dataset_hash="y"), make_row(threads=1, ndcg10=0.25)]
    assert ledger.latest(rows) == [rows[3], rows[1], rows[2]]
