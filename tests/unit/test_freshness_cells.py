"""Freshness of a notebook's own cells, of the lock, and of parts that are put together."""

import ast

import nbformat
import pytest
from made import notebook

from utils import freshness, settings
from utils.freshness import syntax


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ("a = 1  # one\nprint(a, 'x')", True),
        ("# said before\n\na = (1)\nprint(\n    a,\n    'x',\n)", True),
        ("a = 2\nprint(a, 'x')", False),
        ("print(a, 'x')\na = 1", False),
        ("a = 1\nprint(a, 'x');", False),
        ("a = 1\nprint(a, 'x')  # and so on;", True),
        ("a = 1\nprint(a, 'é');", False),
        ("%matplotlib inline\na = 1\nprint(a, 'x')", False),
        ("a = 1\nprint(a, 'x')\n'shown below the cell'", False),
    ],
)
def test_cells_count_by_their_meaning_and_by_whether_they_show_their_last_value(source, same):
    plain = freshness.of_cells(notebook("a = 1\nprint(a, 'x')"))
    assert (freshness.of_cells(notebook(source)) == plain) is same


@pytest.mark.parametrize("code", ["%time run(1)", "!ls", "def f():\n    '''Words.'''\n    return 1", "run("])
def test_a_comment_in_a_cell_with_magic_or_functions_does_not_count_and_its_code_does(code):
    cells = [notebook(code), notebook(code.replace("Words", "Other words")), notebook(f"{code}\n1")]
    one, words, more = map(freshness.of_cells, cells)
    assert one == words != more


def test_prose_outputs_and_injected_parameters_do_not_count_but_the_order_of_cells_does():
    one, other = notebook("a = 1", "b = 2"), notebook("a = 1", "b = 2")
    injected = nbformat.v4.new_code_cell("SEED = 1", metadata={"tags": ["injected-parameters"]})
    other.cells[1:1] = [nbformat.v4.new_markdown_cell("prose"), injected]
    other.cells[-1].outputs = [nbformat.v4.new_output("stream", text="2")]
    assert freshness.of_cells(one) == freshness.of_cells(other)
    assert freshness.of_cells(one) != freshness.of_cells(notebook("b = 2", "a = 1"))
    assert freshness.of_cells(notebook("a = 1\nb = 2")) != freshness.of_cells(one)


def test_empty_pieces_that_some_versions_of_python_put_into_formatted_text_do_not_count():
    one, other = (ast.parse("f'{x:{width}}'") for _ in range(2))
    other.body[0].value.values[0].format_spec.values.append(ast.Constant(""))
    assert ast.dump(one) != ast.dump(other) and syntax.meaning(one) == syntax.meaning(other)
    assert syntax.meaning(one) != syntax.meaning(ast.parse("f'{x:{length}}'"))


def test_the_lock_counts_by_its_lines_in_any_order_and_without_comments(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    lock, found = tmp_path / "requirements.txt", []
    for text in (
        "a==1  # via b\nb==2 ; python_version < '3.12'\n",
        "# by hand\n\nb==2  ;  python_version < '3.12'   # via nobody\na==1\n",
        "a==1\nb==3 ; python_version < '3.12'\n",
        "a==1\nb==2\n",
    ):
        lock.write_text(text)
        found.append(freshness.requirements())
    assert found[0] == found[1] and len(set(found)) == 3


def test_a_key_says_nothing_of_the_order_of_its_parts_and_all_of_their_values():
    assert freshness.key(a=1, b={"x": 1, "y": 2}) == freshness.key(b={"y": 2, "x": 1}, a=1)
    assert len({freshness.key(a=a) for a in (1, "1", [1], {"a": 1}, None)}) == 5
    assert freshness.key(a=1) != freshness.key(b=1)
