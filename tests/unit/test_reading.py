"""Minutes to read grow with what there is to read, and the tables that say them are held against it."""

import nbformat
import pytest
from made import whole_notebook

from authoring import reading

LIST = """# Made

| word | meaning |
|---|---|
| one | two |

| notebook | minutes to read | minutes to run on 2 cores |
|---|---|---|
| [01](notebooks/01_made.ipynb) | {read} | {run} |

| other | table |
|---|---|
| three | 3 |
"""


def said(read="1", run="1"):
    """A made notebook whose table says these minutes."""
    nb = whole_notebook()
    nb.cells[0].source = nb.cells[0].source.replace("| 1 | 1 |", f"| {read} | {run} |")
    return nb


def test_prose_code_and_outputs_take_time_and_papers_do_not():
    def minutes(*cells):
        return reading.minutes_to_read(nbformat.v4.new_notebook(cells=list(cells)))

    words, line = nbformat.v4.new_markdown_cell("word " * 1_500), nbformat.v4.new_code_cell("a = 1\n" * 100)
    output = nbformat.v4.new_output("stream", text="1")
    shown = [nbformat.v4.new_code_cell("a", outputs=[output] * 3) for _ in range(10)]
    assert minutes() == 0
    assert minutes(words) == 10
    assert minutes(line) == 5
    assert minutes(*shown) == 3  # ten outputs of a quarter of a minute, and ten lines
    assert minutes(nbformat.v4.new_markdown_cell("**Papers.** " + "A and B, 2009. " * 500)) == 0


@pytest.mark.parametrize(
    ("nb", "words"),
    [
        (said(read="9"), "says 9 minutes to read, but its text, code and outputs take 1; write 1"),
        (said(read="some"), "add the column 'minutes to read' with a whole number"),
        (said(run=""), "add the column 'minutes to run on 2 cores'"),
    ],
)
def test_minutes_that_are_not_so_are_named(nb, words):
    ((cell, problem),) = reading.problems(nb)
    assert cell == 0 and words in problem


@pytest.mark.parametrize(
    ("n_words", "n_cells", "said"),
    [
        (1_800, 45, []),
        (1_801, 1, ["has 1,801 words, more than 1,800"]),
        (1, 46, ["has 46 cells, more than 45"]),
        (5_300, 1, ["has 5,300 words, more than 1,800", "has 36 minutes to read, more than 35"]),
    ],
)
def test_a_notebook_that_is_too_long_is_told_where_to_put_the_rest(n_words, n_cells, said):
    texts = ["word " * n_words, *[""] * (n_cells - 1)]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text) for text in texts])
    found = [problem for _, problem in reading.size_problems(nb)]
    assert found == [f"{what}; move what does not carry the story to notebooks/more/" for what in said]


@pytest.mark.parametrize(
    ("run", "seconds", "is_so"), [(5, 290, True), (5, 244, True), (5, 400, False), (9, 244, False)]
)
def test_minutes_to_run_are_near_those_of_the_published_run(run, seconds, is_so):
    nb = said(run=str(run))
    nb.metadata.rank_for_less["seconds"] = seconds
    assert [problem for _, problem in reading.problems(nb)] == (
        []
        if is_so
        else [
            f"says {run} minutes to run on 2 cores, but the published run took {seconds} s; write {-(-seconds // 60)}"
        ]
    )


def test_the_list_says_what_the_notebooks_say():
    def problems(read, run):
        return list(
            reading.listing_problems(LIST.format(read=read, run=run), notebooks={"notebooks/01_made.ipynb": said()})
        )

    assert problems(1, 1) == []
    assert problems(3, 1) == [
        "lists notebooks/01_made.ipynb with 3 and 1 minutes to read and to run; the notebook says 1 and 1"
    ]
    assert len(problems(1, 7)) == 1
