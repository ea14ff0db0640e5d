"""Faults of what is committed, found without running anything: notebooks and the pages of the repository.

Here are a notebook's anatomy, its code cells and whether its outputs are theirs. What outputs may show is in `outputs`,
typed numbers are in `typed_numbers`, minutes in `reading`, links and spelling in `prose`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.validator import iter_validate

from authoring import boxes, cell_style, committed_form, outputs, prose, reading, typed_numbers
from utils import freshness, settings
from utils.course import runner

Problem = tuple[
    int | None, str
]  # the cell, counted from 0, or None for the whole notebook; what is wrong and what to do

LONGEST_CELL = 15
PARAMETERS = ("PROFILE", "DATASET", "SEED", "OUT")
PAGES = ("README.md", "GLOSSARY.md", "CONTRIBUTING.md", "data/README.md", "docs/results.md", "labs/INSTRUCTOR.md")
RESTORE = "run: course tidy, if only an editor changed it, or make notebooks"
HEADINGS = ("by hand", "Your decision", "Measured", "How it goes wrong", "When to use it")
PARTS = ("Promise", "Check yourself", "Papers")
NEXT = re.compile(r"\*\*Next:\*\* `(\w+)`")


def problems(files: Sequence[Path] = ()) -> list[str]:
    """Every problem of the files; without files, of all notebooks and of the pages that are there.

    Raises:
        ValueError: there is no such file.
    """
    found = []
    for path in files or [*runner.notebooks(), *runner.more(), *pages()]:
        if not path.is_file():
            raise ValueError(f"{path}: no such file; give notebooks or Markdown pages")
        if path.suffix == ".ipynb":
            found += notebook_problems(path)
        if path.suffix != ".ipynb" or _read(path)[0]:
            found += prose.page_problems(path)
        if path.resolve() == settings.ROOT / "README.md":
            found += [f"README.md: {problem}" for problem in _listing_problems(path)]
    return found


def pages() -> list[Path]:
    """The Markdown pages of the repository that readers open."""
    return [path for name in PAGES if (path := settings.ROOT / name).exists()]


def notebook_problems(path: Path) -> list[str]:
    """Faults of a notebook's form, code and outputs, each with its cell; prose that a page could hold is not read."""
    nb, why = _read(path)
    if nb is None:
        return [f"{prose.place_of(path)}: is not a notebook: {why}; restore it from git, or save it in JupyterLab"]
    trees, unparsed = _parsed(nb)
    found: list[Problem] = [*unparsed, *_anatomy_problems(nb, name=path.stem, trees=trees)]
    if path not in runner.more():  # what is there for the curious has any length, and parts of its own
        found += [*_section_problems(nb), *reading.size_problems(nb)]
    found += [*_cell_problems(nb), *_run_problems(nb), *_shown_problems(nb), *boxes.problems(nb)]
    found += typed_numbers.typed_number_problems(nb, trees=trees)
    found += [(None, problem) for problem in outputs.size_problems(path.read_text(encoding="utf-8"))]
    place = prose.place_of(path)
    return [f"{place}: {what}" if cell is None else f"{place} cell {cell}: {what}" for cell, what in found]


def _read(path: Path) -> tuple[NotebookNode | None, str]:
    """The notebook, or why it is none."""
    try:
        nb = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return None, str(error).splitlines()[0]
    wrong = next(iter_validate(nb, version=4), None)
    return (None, str(wrong.message)[:100]) if wrong else (nb, "")


def _parsed(nb: NotebookNode) -> tuple[dict[int, ast.Module], list[Problem]]:
    """The code cells as syntax trees, by index, and those that have none."""
    trees: dict[int, ast.Module] = {}
    unparsed: list[Problem] = []
    for index, cell in _code(nb):
        try:
            trees[index] = ast.parse(freshness.plain(cell.source))
        except SyntaxError as error:
            unparsed.append((index, f"line {error.lineno} is no Python: {error.msg}; correct it"))
    return trees, unparsed


def _code(nb: NotebookNode) -> list[tuple[int, NotebookNode]]:
    return [(index, cell) for index, cell in enumerate(nb.cells) if cell.cell_type == "code"]


def _anatomy_problems(nb: NotebookNode, *, name: str, trees: dict[int, ast.Module]) -> Iterator[Problem]:
    """What every notebook of the course has: title, promise, parameters, beginning, sections, end."""
    yield from _prose_problems(nb, number=name.partition("_")[0])
    tagged = [index for index, cell in enumerate(nb.cells) if "parameters" in cell.metadata.get("tags", [])]
    yield from cell_style.problems(trees, parameters=tagged[0] if tagged else None)
    if len(tagged) != 1:
        yield None, f"has {len(tagged)} cells tagged 'parameters'; tag one"
        return
    for parameter in PARAMETERS:
        if parameter not in _assigned(trees.get(tagged[0])):
            yield tagged[0], f"sets no {parameter}; every notebook has the parameters {', '.join(PARAMETERS)}"
    after = [index for index, _ in _code(nb) if index > tagged[0]]
    if not after:
        yield None, "has no code after its parameters; begin with run = course.begin(...)"
        return
    yield from _begin_problems(nb, name=name, first=after[0], tree=trees.get(after[0]))
    if not _call(trees.get(after[-1]), name="run.finish"):
        yield after[-1], "the last code cell does not call run.finish(recap=[...]); end the notebook with it"


def _prose_problems(nb: NotebookNode, *, number: str) -> Iterator[Problem]:
    if not nb.cells or nb.cells[0].cell_type != "markdown" or not nb.cells[0].source.startswith(f"# {number} "):
        yield 0, f"is no title; open the notebook with a markdown cell '# {number} ...', the number of its file"
    yield from reading.problems(nb)


def _section_problems(nb: NotebookNode) -> Iterator[Problem]:
    """The parts of a notebook in the reading order, and that what comes next is there."""
    for wanted in PARTS:
        if not any(block.text.startswith(wanted) for block in _blocks(nb)):
            yield None, f"nothing begins with '{wanted}'; add that part"
    there = {path.stem for path in runner.notebooks()}
    for index, cell in enumerate(nb.cells):
        for name in NEXT.findall(cell.source):
            if name not in there:
                yield index, f"says that {name} comes next, which is not there; correct it"
    headings = [block.text.lower() for block in _blocks(nb) if block.tag.startswith("h")]
    for wanted in HEADINGS:
        if not any(wanted.lower() in heading for heading in headings):
            yield None, f"no heading says '{wanted}'; add that section"


def _blocks(nb: NotebookNode) -> list[prose.Block]:
    return [block for cell in nb.cells if cell.cell_type == "markdown" for block in prose.blocks(cell.source)]


def _begin_problems(nb: NotebookNode, *, name: str, first: int, tree: ast.Module | None) -> Iterator[Problem]:
    """The first cell after the parameters names the notebook and the stages that it needs."""
    begin = _call(tree, name="course.begin")
    if begin is None:
        yield first, f'does not call course.begin("{name}", ...); the first cell after the parameters does'
        return
    called = ast.literal_eval(begin.args[0]) if begin.args and isinstance(begin.args[0], ast.Constant) else None
    if called != name:
        yield first, f"begins the notebook '{called}', but the file is called {name}; write the file's name"
    needs = next((ast.unparse(keyword.value) for keyword in begin.keywords if keyword.arg == "needs"), "()")
    listed = nb.metadata.get(committed_form.STAMP, {}).get("needs", [])
    if needs != ast.unparse(ast.parse(repr(tuple(listed)))):
        yield first, f"needs={needs}, but the metadata rank_for_less.needs is {listed}; make them the same"


def _cell_problems(nb: NotebookNode) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, cell in enumerate(nb.cells):
        if (other := first.setdefault(cell.get("id", f"none {index}"), index)) != index:
            yield index, f"shares its id '{cell.id}' with cell {other}; give it one of its own"
        if path := outputs.private_path(cell.source):
            yield index, f"the source holds a path of this machine, {path}; take a path from a parameter"
    for index, cell in _code(nb):
        if (lines := len(cell.source.splitlines())) > LONGEST_CELL:
            yield index, f"has {lines} lines, more than {LONGEST_CELL}; make two cells of it"


def _run_problems(nb: NotebookNode) -> Iterator[Problem]:
    """Whether one run from top to bottom of these very cells gave the outputs."""
    for expected, (index, cell) in enumerate(_code(nb), start=1):
        if cell.execution_count is None:
            yield index, "was never run; run: make notebooks"
            return
        if cell.execution_count != expected:
            yield index, f"ran as number {cell.execution_count}, not {expected}; {RESTORE}"
            return
    if nb.metadata.get(committed_form.STAMP, {}).get("cells") != freshness.of_cells(nb):
        yield None, "outputs are not those of the cells; run: make notebooks"
    elif not committed_form.is_published(nb):
        yield None, f"outputs are not those that were published; {RESTORE}"


def _shown_problems(nb: NotebookNode) -> Iterator[Problem]:
    yield from outputs.leftovers(nb)
    for index, cell in _code(nb):
        for output in cell.outputs:
            yield from ((index, problem) for problem in outputs.output_problems(output))


def _assigned(tree: ast.Module | None) -> set[str]:
    nodes = ast.walk(tree) if tree else ()
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _call(tree: ast.Module | None, *, name: str) -> ast.Call | None:
    calls = (node for node in (ast.walk(tree) if tree else ()) if isinstance(node, ast.Call))
    return next((call for call in calls if ast.unparse(call.func) == name), None)


def _listing_problems(readme: Path) -> Iterator[str]:
    """The tables of notebooks name those that there are."""
    paths = {path.relative_to(settings.ROOT).as_posix(): path for path in [*runner.notebooks(), *runner.more()]}
    cells = [block for block in prose.blocks(readme.read_text(encoding="utf-8")) if block.tag == "td"]
    links = [link for block in cells for link in block.links if link.endswith(".ipynb")]
    listed = {link for link in links if settings.NOTEBOOKS in (settings.ROOT / link).parents}
    for name in sorted(paths.keys() - listed):
        yield f"no table lists {name}; add its line"
    for name in sorted(listed - paths.keys()):
        yield f"a table lists {name}, which is not there; remove its line"
    by_link = {link: nb for link, path in paths.items() if (nb := _read(path)[0])}
    yield from reading.listing_problems(readme.read_text(encoding="utf-8"), notebooks=by_link)
