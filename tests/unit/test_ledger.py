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

from utils.measure import ledger, ledger_table
from utils.measure.row_groups import Row, Size

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
    table = ledger_table.tabulate([*ledger.read(tmp_path / "ledger.jsonl"), row(ndcg10=0.5)])
    assert list(table["NDCG@10"]) == ["–", "0.500"]


def test_threads_are_shown_where_rows_were_timed_on_different_numbers_of_them():
    untimed = row(latency_ms=None, why_null={"latency_ms": "another day"})
    assert "threads" not in ledger_table.tabulate([row(threads=1), row(threads=1), untimed])
    assert list(ledger_table.tabulate([row(threads=1), row(threads=2), untimed])["threads"]) == ["1", "2", "–"]


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


@pytest.mark.parametrize(
    "place", [f"{group}.{name}" for group, one in row().groups().items() for name in one.figures()]
)
def test_row_with_a_forgotten_field_is_refused(place):
    group, _, name = place.partition(".")
    groups = row(parent="teacher").model_dump()
    del groups[group][name]
    if place == "identity.parent":
        pytest.skip("what was made from nothing has no parent")
    with pytest.raises(ValidationError, match=name):
        Row(**groups)


@pytest.mark.parametrize("group", sorted(Row.model_fields))
def test_row_with_a_forgotten_group_is_refused(group):
    with pytest.raises(ValidationError, match=group):
        Row(**row().model_dump(exclude={group}))


def test_a_group_of_a_later_notebook_is_kept_and_changes_nothing_of_the_others(tmp_path):
    path = tmp_path / "ledger.jsonl"
    load = {"in_flight": 4, "queries_per_s": 2.5, "latency_ms": LATENCY}
    ledger.append(path, row(load=load, label="served"), row(runtime="other"))
    (served, other) = ledger.read(path)
    assert served.value("load.queries_per_s") == 2.5 and served.groups()["load"].figures() == load
    assert other.value("load.queries_per_s") is None
    columns = ledger_table.COLUMNS | {"queries/s": ("load.queries_per_s", "{:.1f}")}
    assert list(ledger_table.tabulate([served, other], columns=columns)["queries/s"]) == ["2.5", "–"]
    assert list(ledger_table.tabulate([served, other]).columns) == list(ledger_table.tabulate([other, row()]).columns)


@pytest.mark.parametrize(
    "load",
    [
        {},
        {"watts": float("nan")},
        {"watts": None},
        {"watts": [1.0, float("inf")]},
        {"watts": {"idle": float("nan")}},
        3,
    ],
    ids=["empty", "NaN", "null without a reason", "infinite in a list", "NaN within", "no group at all"],
)
def test_a_dishonest_group_of_a_later_notebook_is_refused(load):
    with pytest.raises(ValidationError, match="power"):
        row(power=load)


def test_one_reason_stands_for_a_whole_group_and_for_nothing_less():
    absent = row().model_dump() | {"size": Size.absent("a baseline").model_dump()}
    assert Row(**absent).size.reason("n_params") == "a baseline"
    absent["size"]["n_params"] = 1
    with pytest.raises(ValidationError, match="all of the group null"):
        Row(**absent)


def test_a_row_with_changed_figures_is_checked_again():
    assert row().changed(quality={"ndcg10": 0.5}).quality.ndcg10 == 0.5
    with pytest.raises(ValidationError, match="ndcg10 is null without a reason"):
        row().changed(quality={"ndcg10": None})


def test_a_figure_that_no_group_has_is_an_error_and_not_a_dash():
    with pytest.raises(KeyError, match="ndgc10"):
        ledger_table.tabulate([row()], columns={"NDCG@10": ("quality.ndgc10", "{}")})


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
    assert [each.quality.ndcg10 for each in ledger.latest(rows)] == [0.3, 0.2]


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


def test_until_a_notebook_the_latest_row_is_that_of_no_later_one(tmp_path):
    path = tmp_path / "ledger.jsonl"
    names = ("02_price", "02b_more", "06_quantize")
    rows = [row(notebook=name, ndcg10=ndcg10) for name, ndcg10 in zip(names, (0.1, 0.2, 0.3), strict=True)]
    for each in rows:
        ledger.append(path, each)
    assert ledger.current(path) == [rows[2]] and ledger.current(path, until="06_quantize") == [rows[2]]
    assert ledger.current(path, until="02_price") == [rows[0]] and ledger.current(path, until="03_prune") == [rows[1]]
