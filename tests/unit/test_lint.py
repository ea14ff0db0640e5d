"""The lint: a made repository passes, each problem alone is named with its place, what only looks like one passes."""

import json
import re
from types import SimpleNamespace

import nbformat
import pytest
from made import whole_notebook

from authoring import committed_form, lint
from utils import settings
from utils.course import cli

GLOSSARY = (
    "# Words\n\n## How we write it\n\n| we write | not |\n|---|---|\n| PyTorch | `pytorch` |\n| nDCG, NDCG | `ndcg` |\n"
)
README = "# Made\n\nSee [a word](GLOSSARY.md#words).\n\n| notebook |\n|---|\n| [01](notebooks/01_made.ipynb) |\n"
OUTPUT = {"output_type": "stream", "name": "stdout"}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A repository of two pages and a notebook; `write` changes it before or after its run and gives problems."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    monkeypatch.setattr(settings, "NOTEBOOKS", tmp_path / "notebooks")
    settings.NOTEBOOKS.mkdir()
    (tmp_path / "GLOSSARY.md").write_text(GLOSSARY)
    (tmp_path / "README.md").write_text(README)

    def write(change=lambda nb: None, *, afterwards=lambda nb: None):
        nb = whole_notebook()
        change(nb)
        for count, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), start=1):
            cell.execution_count = count
        committed_form.stamp(nb)
        afterwards(nb)
        (settings.NOTEBOOKS / "01_made.ipynb").write_text(json.dumps(nb))
        return lint.problems()

    assert write() == []
    return SimpleNamespace(folder=tmp_path, write=write)


def source(index, text):
    return lambda nb: nb.cells[index].update(source=text)


def added(index, text):
    """Text at the end of a cell."""
    return lambda nb: nb.cells[index].update(source=f"{nb.cells[index].source}\n{text}")


def shown(text, **output):
    """A text as the output of cell 6."""
    return lambda nb: nb.cells[6].outputs.append(nbformat.from_dict(OUTPUT | {"text": text} | output))


def data(**bundle):
    return lambda nb: nb.cells[6].outputs.append(nbformat.v4.new_output("display_data", data=bundle))


def empty(number):
    return nbformat.v4.new_markdown_cell("", id=f"empty-{number}")


def without(index, text):
    """The cell less a text that it holds."""

    def change(nb):
        assert text in nb.cells[index].source
        nb.cells[index].source = nb.cells[index].source.replace(text, "")

    return change


def given(*entries):
    return lambda nb: nb.metadata.rank_for_less.update(given=list(entries))


def all_of(*changes):
    return lambda nb: [change(nb) for change in changes]


def error(nb):
    nb.cells[6].outputs.append(nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]))


def swap(nb):
    nb.cells[4], nb.cells[6] = nb.cells[6], nb.cells[4]


ANATOMY = [
    (lambda nb: nb.cells[1].metadata.clear(), None, "has 0 cells tagged 'parameters'; tag one"),
    (lambda nb: nb.cells[4].metadata.update(tags=["parameters"]), None, "has 2 cells tagged 'parameters'"),
    (without(1, 'DATASET = "synthetic"\n'), 1, "sets no DATASET"),
    (source(2, "run = 1"), 2, 'does not call course.begin("01_made", ...)'),
    (without(2, "made"), 2, "begins the notebook '01_', but the file is called 01_made"),
    (source(8, "1"), 8, "the last code cell does not call run.finish"),
    (without(0, "01 "), 0, "is no title; open the notebook with a markdown cell '# 01 ...'"),
    (without(0, "minutes to read"), 0, "no table says how many minutes it takes; add the column 'minutes to read'"),
    (without(0, "Promise"), None, "nothing begins with 'Promise'"),
    (without(3, "By hand"), None, "no heading says 'by hand'"),
    (without(5, "Your decision"), None, "no heading says 'Your decision'"),
    (added(9, "\n\n**Next:** `02_gone`."), 9, "says that 02_gone comes next, which is not there; correct it"),
    (lambda nb: nb.cells.extend(map(empty, range(40))), None, "has 50 cells, more than 45; move what does not carry"),
    (without(5, "Measured"), None, "no heading says 'Measured'"),
    (without(7, "How it goes wrong"), None, "no heading says 'How it goes wrong'"),
    (without(7, "When to use it"), None, "no heading says 'When to use it'"),
    (without(9, "Check yourself"), None, "nothing begins with 'Check yourself'"),
    (source(9, "**Check yourself.**"), None, "nothing begins with 'Papers'"),
    (without(2, ', needs=("teacher",)'), 2, "needs=(), but the metadata rank_for_less.needs is ['teacher']"),
    (lambda nb: nb.metadata.rank_for_less.needs.clear(), 2, "needs=('teacher',), but the metadata"),
]
CELLS = [
    (source(4, "k1 = 1.5\n" + "# a\n" * 15), 4, "has 16 lines, more than 15"),
    (source(4, "k1 = 1.5\n" + "a = 1\n" * 8), 4, "has 9 statements, more than 8; make two cells of it"),
    (source(4, "k1 = 1.5\nfor i in j:\n" + "    a = 1\n" * 7), 4, "has 9 statements, more than 8"),
    (added(4, "a, b = 1, 2"), 4, "line 3: several names get their values at once; give each a line"),
    (added(4, "a = [x for y in z for x in y]"), 4, "line 3: a comprehension stands within another"),
    (added(4, "a = {x: sum(y for y in x) for x in z}"), 4, "line 3: a comprehension stands within another"),
    (added(6, "for for"), 6, "line 2 is no Python"),
    (lambda nb: nb.cells[6].update(id=nb.cells[4].id), 6, "with cell 4; give it one of its own"),
    (added(4, "folder = '/home/ann/shop'"), 4, "the source holds a path of this machine, /home/ann/shop"),
    (added(5, "Look into `C:\\Users\\ann`."), 5, "the source holds a path of this machine, C:/Users/ann"),
]
OUTPUTS = [
    (error, 6, "stopped with ValueError"),
    (shown("careful\nnow", name="stderr"), 6, "standard error: careful; remove its cause"),
    (lambda nb: shown(f"in {settings.ROOT}/artifacts")(nb), 6, "an output holds a path of this machine"),
    (shown("open file:///data/x"), 6, "an output holds a path of this machine, file:///data/x"),
    (shown("at lib/site-packages/torch"), 6, "a path of this machine, site-packages"),
    (data(**{"text/html": "<td>/Users/ann/shop</td>"}), 6, "a path of this machine, /Users/ann/shop"),
    (data(**{"application/json": {"at": "C:\\Users\\ann"}}), 6, "a path of this machine, C://Users//ann"),
    (data(**{"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}), 6, "an output is a widget"),
    (shown("x" * 500_000), None, "the file has 50"),
    (lambda nb: nb.metadata.update(papermill={"duration": 1}), None, "metadata 'papermill' differs from run to run"),
    (lambda nb: nb.cells[4].metadata.update(execution={}), 4, "metadata 'execution' differs from run to run"),
    (lambda nb: nb.cells[6].metadata.update(tags=["injected-parameters"]), None, "a cell of injected parameters"),
]
TYPED = [
    (added(3, "It gets 0.912."), 3, "says 0.912, and the next output says 0.887 (NDCG@10 0.887 in 12.5 ms)"),
    (added(3, "It takes 14 ms."), 3, "says 14 ms, and the next output says 12.5 ms"),
    (added(3, "It gets 0.887."), 3, "says 0.887, which no constant of the code explains"),
    (added(3, "It is **3.1** times faster."), 3, "says 3.1 times, which no constant of the code explains"),
    (added(5, "It is 4× faster."), 5, "says 4×, which"),
    (added(5, "It keeps 99% of it."), 5, "says 99%, which"),
    (added(5, "It does 1,340 pairs/s."), 5, "says 1,340 pairs/s, which"),
    (added(5, "It costs $11 a month."), 5, "says $11, which"),
    (added(5, "It has 22 M parameters."), 5, "says 22 M parameters, which"),
    (added(5, "\n\n| a |\n|---|\n| 91 MB |"), 5, "says 91 MB, which"),
    (added(7, "It costs 3 points, see queries[:3]."), 7, "says 3 points, which"),
    (all_of(added(4, "queries[:3]"), added(5, "It is 3 times faster.")), 5, "says 3 times, which"),
    (source(6, 'plots.spread(a, title="It gets 0.89")'), 6, "says 0.89, which"),
    (source(6, 'plots.spread(a, title=f"{a} is 3.1 times it")'), 6, "says 3.1 times, which"),
    (source(8, 'run.finish(recap=[f"{a} and 59% of it"])'), 8, "says 59%, which"),
    (given("60%"), None, "rank_for_less.given lists '60%', which no text says"),
]
PROSE = [
    (added(3, "See [that](no.md)."), 3, "link 'no.md' leads nowhere"),
    (added(3, "![that](no.png)"), 3, "link 'no.png' leads nowhere"),
    (added(3, "See [that](../GLOSSARY.md#phrases)."), 3, "link '../GLOSSARY.md#phrases' names no heading"),
    (added(3, "See [that](#by-foot)."), 3, "link '#by-foot' names no heading of 01_made.ipynb"),
    (added(3, "See [that](../../x.md)."), 3, "link '../../x.md' leads out of the repository"),
    (added(3, "See [that](/etc/hosts)."), 3, "link '/etc/hosts' leads out of the repository"),
    (added(3, "See <http://example.org>."), 3, "link 'http://example.org' is not encrypted; write https"),
    (added(3, "See [that](https:///abs)."), 3, "link 'https:///abs' names no host"),
    (added(3, "See https://example.org/abs."), 3, "is no link that every reader can follow"),
    (added(3, "See [that](https://example.org/a b)."), 3, "is no link that every reader can follow"),
    (added(3, "In pytorch."), 3, "'pytorch' is not how we write it; write 'PyTorch'"),
    (added(3, "Pytorch's own."), 3, "'Pytorch' is not how we write it"),
    (added(3, "See [pytorch](https://example.org)."), 3, "'pytorch' is not how we write it"),
]


@pytest.mark.parametrize(("change", "cell", "problem"), [*ANATOMY, *CELLS, *OUTPUTS, *TYPED, *PROSE])
def test_a_single_fault_of_a_notebook_is_named_with_its_place(house, change, cell, problem):
    [found] = house.write(change)
    place = "notebooks/01_made.ipynb" + ("" if cell is None else f" cell {cell}")
    assert found.startswith(f"{place}: ") and problem in found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (added(4, "other = 1"), "notebooks/01_made.ipynb: outputs are not those of the cells; run: make notebooks"),
        (swap, "notebooks/01_made.ipynb cell 4: ran as number 4, not 3; run: course tidy"),
        (shown("NDCG@10 0.9"), "notebooks/01_made.ipynb: outputs are not those that were published"),
        (lambda nb: nb.cells[4].update(execution_count=9), "notebooks/01_made.ipynb cell 4: ran as number 9, not 3"),
        (lambda nb: nb.cells[4].update(execution_count=None), "notebooks/01_made.ipynb cell 4: was never run"),
    ],
)
def test_outputs_that_are_not_those_of_one_run_of_these_cells_are_refused(house, change, problem):
    found = house.write(afterwards=change)
    assert len(found) == 1 and found[0].startswith(problem)


@pytest.mark.parametrize(
    "change",
    [
        added(3, "In 2009, at step 3 of notebook 01, 8 products of 32 bits; NDCG@10, log2, 4 × P, 1 / (60 + rank)."),
        added(
            3,
            "Take `0.912`, or\n\n    x = 0.912  # 3.1 times\n\nor $y = 0.912 x$, see [0.912](https://example.org/0.912).",
        ),
        added(3, "\n\n| 0.912 |\n|---|\n| a |"),
        all_of(added(3, "With 60% use and 0.6 of it."), added(4, "use = 0.6")),
        all_of(added(3, "It has 3 points."), added(4, "points = 3")),
        all_of(added(3, "A 95% interval holds it 95 times in 100."), given("95%")),
        all_of(added(3, "It rose by 0.004 [−0.002, +0.010]."), given("0.004 [−0.002, +0.010]")),
        all_of(added(3, "Python 3.11.2 and p99.9 are names.")),
        source(6, 'plots.spread(a, title=f"{a:.2f} times, {quality[0.5]:.1%}; 100 candidates, k1 1.5")'),
        source(6, "%matplotlib inline\na = 1"),
        source(6, "\n".join(["a = 1"] * 8 + ["# a"] * 7)),
        source(6, "from a import b\nimport c\n" + "a = 1\n" * 8),
        source(6, "a, b = c()\nd = [x for x in a if x]\ne, f = [g, h]"),
        shown("saved in artifacts/home/x, see https://example.org/home/ann/tmp and notebooks/tmp/x"),
        data(**{"image/png": "+/tmp/aa", "text/plain": "a picture"}),
        added(
            3,
            "Call `pytorch`, see <https://pytorch.org/> and [here](../GLOSSARY.md#how-we-write-it), [above](#by-hand).",
        ),
        added(3, "NDCG and nDCG are right here, mypytorch is another word; see [it](http://localhost:8888)."),
    ],
)
def test_what_only_looks_like_a_fault_passes(house, change):
    assert house.write(change) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", ""),
        ("{}", ""),
        ('{"cells": [], "metadata": {}}', "nbformat"),
    ],
)
def test_a_file_that_is_no_notebook_is_one_problem(house, text, why):
    (settings.NOTEBOOKS / "01_made.ipynb").write_text(text)
    [problem] = lint.problems()
    assert problem.startswith("notebooks/01_made.ipynb: is not a notebook: ") and why in problem


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("README.md", "| [01](notebooks/01_made.ipynb) |", "", "README.md: no table lists notebooks/01_made.ipynb"),
        ("README.md", "01_made", "02_more", "README.md: a table lists notebooks/02_more.ipynb, which is not there"),
        ("README.md", "GLOSSARY.md#words", "GLOSSARY.md#names", "README.md line 3: link 'GLOSSARY.md#names' names no"),
        ("README.md", "See", "Pytorch: see", "README.md line 3: 'Pytorch' is not how we write it"),
        ("GLOSSARY.md", "How we write it", "Words", "GLOSSARY.md: no table under 'How we write it'"),
    ],
)
def test_a_fault_of_a_page_is_named_with_its_line(house, name, old, new, problem):
    page = house.folder / name
    assert old in page.read_text()
    page.write_text(page.read_text().replace(old, new))
    assert any(found.startswith(problem) for found in lint.problems())


def test_the_second_heading_of_a_name_has_an_anchor_of_its_own(house):
    (house.folder / "GLOSSARY.md").write_text(f"{GLOSSARY}\n# Words\n\n# The `C++` & Co.\n")
    (house.folder / "README.md").write_text(f"{README}\n[a](GLOSSARY.md#words-1) [b](GLOSSARY.md#the-c--co)\n")
    assert lint.problems() == []


def test_the_command_prints_every_fault_on_standard_error_and_exits_with_status_1(house, capsys):
    def status(*files):
        with pytest.raises(SystemExit) as stop:
            cli.main(["lint", *map(str, files)])
        return stop.value.code, *capsys.readouterr()

    assert status() == (0, "", "")
    found = house.write(all_of(added(3, "It gets 0.912 in pytorch."), error))
    assert len(found) == 3 and status() == (1, "", "".join(f"{problem}\n" for problem in found))
    assert status(house.folder / "GLOSSARY.md") == (0, "", "")
    code, _, err = status(house.folder / "none.md")
    assert code == 2 and re.search("none.md: no such file", err)
