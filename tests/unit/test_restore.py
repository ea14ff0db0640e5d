"""Tidying: what an editor breaks in a notebook comes back, to the byte, and what somebody wrote stays."""

import json
import re

import nbformat
import pytest
from made import PROSE, SUM, TEXT, code, published, run_cells

from authoring import committed_form, restore
from utils.course import runner


def editor_ran_the_cells_again(nb):
    run_cells(nb, start=17)


def editor_ran_one_cell(nb):
    nb.cells[TEXT].execution_count = 42


def editor_cleared_outputs(nb):
    for cell in code(nb):
        cell.update(execution_count=None, outputs=[])


def editor_left_an_error(nb):
    nb.cells[SUM].outputs = [nbformat.v4.new_output("error", ename="NameError", evalue="x", traceback=["line 1"])]


def editor_wrote_its_metadata(nb):
    nb.metadata |= {"vscode": {"interpreter": {"hash": "0"}}, "widgets": {}, "toc": {"base_numbering": 1}}
    nb.metadata.kernelspec = {"name": "venv", "display_name": ".venv (3.11.9)", "language": "python"}
    nb.metadata.language_info = {"name": "python", "version": "3.11.9", "file_extension": ".py"}


def editor_dropped_our_metadata(nb):
    nb.metadata = nbformat.from_dict({})


def editor_wrote_metadata_of_cells(nb):
    nb.cells[0].metadata |= {"collapsed": True, "scrolled": False}
    nb.cells[SUM].metadata |= {"ExecuteTime": {"end_time": "now"}, "vscode": {"languageId": "python"}}
    nb.cells[PROSE].metadata |= {"jp-MarkdownHeadingCollapsed": True}


def editor_added_empty_cells(nb):
    nb.cells += [nbformat.v4.new_code_cell(""), nbformat.v4.new_code_cell("\n")]


def editor_dropped_the_ids(nb):
    nb.nbformat_minor = 4
    for cell in nb.cells:
        del cell["id"]


EDITS = [value for name, value in dict(globals()).items() if name.startswith("editor_")]
LAYOUTS = {
    "lines end as on Windows": lambda text: text.replace("\n", "\r\n"),
    "indented by four": lambda text: json.dumps(json.loads(text), indent=4) + "\n",
    "escaped and on one line": lambda text: json.dumps(json.loads(text)),
    "no newline at the end": lambda text: text.rstrip("\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "01_sums.ipynb"


def after_editing(path, edit, *, start=None):
    """What tidy makes of an edited notebook, as its text and parsed; the second time there is nothing left to do."""
    nb = start or published()
    before = committed_form.text(nb)
    edit(nb)
    path.write_text(json.dumps(nb))
    assert restore.tidy(path, committed=before)
    assert not restore.tidy(path, committed=before)
    return before, path.read_text(), nbformat.read(path, as_version=4)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_what_an_editor_breaks_comes_back_to_the_byte(path, edit):
    before, text, _ = after_editing(path, edit)
    assert text == before


@pytest.mark.parametrize("lay_out", LAYOUTS.values(), ids=LAYOUTS)
def test_the_layout_of_the_file_comes_back_to_the_byte(path, lay_out):
    before = committed_form.text(published())
    path.write_bytes(lay_out(before).encode())
    assert restore.tidy(path, committed=before)
    assert path.read_bytes() == before.encode()


def test_prose_that_was_written_moved_or_added_stays_and_code_keeps_its_outputs(path):
    def write(nb):
        editor_ran_the_cells_again(nb)
        nb.cells[PROSE].source = "## Better sums"
        nb.cells.append(nb.cells.pop(PROSE))
        nb.cells.insert(0, nbformat.v4.new_markdown_cell("# Title"))

    _, _, nb = after_editing(path, write)
    assert [cell.source for cell in nb.cells if cell.cell_type == "markdown"] == ["# Title", "## Better sums"]
    assert [(cell.execution_count, cell.outputs) for cell in code(nb)] == [
        (cell.execution_count, cell.outputs) for cell in code(published())
    ]
    assert committed_form.is_published(nb)


def test_a_long_passage_of_prose_that_moves_past_code_costs_it_no_output(path):
    start = published()
    start.cells[PROSE:PROSE] = [nbformat.v4.new_markdown_cell(f"passage {n}") for n in range(9)]
    committed_form.stamp(start)

    def move(nb):
        editor_ran_the_cells_again(nb)
        nb.cells = nb.cells[:1] + nb.cells[-2:] + nb.cells[1:-2]

    assert committed_form.is_published(after_editing(path, move, start=start)[2])


def test_changed_code_loses_its_outputs_there_alone_and_no_longer_counts_as_published(path):
    def change(nb):
        editor_ran_the_cells_again(nb)
        nb.cells[SUM].source = "1 + 2"
        nb.cells.insert(TEXT, nbformat.v4.new_code_cell("new", execution_count=9))

    _, _, nb = after_editing(path, change)
    assert [(cell.source, cell.execution_count, len(cell.outputs)) for cell in code(nb)[1:]] == [
        ("1 + 2", None, 0),
        ("new", None, 0),
        ("print('a\\nb')", 3, 1),
    ]
    assert code(nb)[0].outputs[0].text == "run 1\nend\n" and not committed_form.is_published(nb)


def test_what_publishing_has_just_written_stays_though_git_has_something_else(path):
    before = committed_form.text(published())
    nb = published()
    editor_ran_the_cells_again(nb)
    nb.cells[SUM].source = "1 + 2"
    committed_form.stamp(nb)
    path.write_text(committed_form.text(nb))
    assert not restore.tidy(path, committed=before)


def test_tags_and_needed_stages_that_an_author_changed_stay(path):
    def change(nb):
        nb.cells[SUM].metadata.tags = ["slow"]
        nb.metadata.rank_for_less.needs = []
        editor_ran_one_cell(nb)

    nb = after_editing(path, change)[2]
    assert nb.cells[SUM].metadata == {"tags": ["slow"]} and nb.metadata.rank_for_less.needs == []
    assert nb.cells[0].metadata.tags == ["parameters"] and nb.cells[TEXT].execution_count == 3


@pytest.mark.parametrize("committed", [None, "<<<<<<< HEAD"], ids=["nothing", "no notebook"])
def test_outputs_that_nobody_published_go_where_git_has_none_to_restore(path, committed):
    nb = published()
    editor_ran_one_cell(nb)
    path.write_text(committed_form.text(nb))
    assert restore.tidy(path, committed=committed)
    assert all(not cell.outputs for cell in code(nbformat.read(path, as_version=4)))


@pytest.mark.parametrize("notebook", [*runner.notebooks(), *runner.more()], ids=lambda notebook: notebook.stem)
def test_the_committed_notebooks_are_tidy(path, notebook):
    text = notebook.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    written = path.stat().st_mtime_ns
    assert not restore.tidy(path, committed=text)
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{\n "cells": [],\n<<<<<<< HEAD\n', "01_sums.ipynb line 3: this is not JSON"),
        (b'{\n "cells": "\xff"}', "01_sums.ipynb line 2: a character is not UTF-8"),
        (b"[]", "01_sums.ipynb line 1: this is not a notebook of format 4"),
        (b'{"nbformat": 3, "worksheets": []}', "01_sums.ipynb line 1: this is not a notebook of format 4"),
        (b'{"nbformat": 4, "cells": [{"source": 1}]}', "01_sums.ipynb line 1: this is not a notebook ("),
    ],
)
def test_a_file_that_is_no_notebook_is_named_with_its_line_and_left_alone(path, data, problem):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(problem)) as error:
        restore.tidy(path, committed=None)
    assert "git restore" in str(error.value) and path.read_bytes() == data
