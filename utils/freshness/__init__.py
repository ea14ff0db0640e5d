"""The meaning of code, as hashes by which all that is kept is known to be fresh: notebooks, stages, records, scores.

Code counts by its syntax tree without docstrings: comments, layout and the order of imports change nothing. It counts
by definition (a function, a class with all its methods, a name with all its assignments), as far as the starting code
reaches it by name: attributes of modules (`models.load`), imported names, aliases, imports inside functions, types in
annotations, and dotted names of ours in strings ("utils.rank.models", "utils.rank.models:load"). A module that is
passed on counts whole. Wherever a module is imported, what that runs counts too: statements that are no definitions,
definitions that a decorator, a metaclass or a call of ours may register, and the packages above it.

Not seen are files that code reads (give their hashes to `key`), names put together while running, code in strings,
classes registered by a base (`__init_subclass__`), imports under `if TYPE_CHECKING`, folders without `__init__.py`.

One statement is read in `syntax`, one file in `definitions`; where a name leads, across files, is in `tree`.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import keyword
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from utils import settings
from utils.freshness import definitions, syntax
from utils.freshness.tree import Tree

if TYPE_CHECKING:
    from nbformat import NotebookNode

MAGIC = ("run_line_magic", "run_cell_magic")  # what IPython's %magic becomes


def key(**parts: object) -> str:
    """One hash of named parts, each of which JSON can hold; their order does not count."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def requirements() -> str:
    """One hash of the lock: names, versions and conditions, in any order and without comments."""
    lock = settings.ROOT / "requirements.txt"
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.exists() else []
    said = {" ".join(re.sub(r"(^|\s)#.*", "", line).split()) for line in lines}
    return key(lines=sorted(said - {""}))


def of_cells(nb: NotebookNode) -> str:
    """One hash of the code cells, in order; prose, outputs and a cell of injected parameters do not count.

    A semicolon that ends a cell counts: it keeps an output from being shown.
    """
    return key(cells=[_cell_meaning(source) for source in _sources(nb)])


def of_code(*starts: str, without: Iterable[str] = ()) -> str:
    """One hash of definitions ("utils.rank.models:load") or whole modules ("utils.rank.models"), with all they reach.

    Args:
        without: as in `reached`.

    Raises:
        ValueError: there is no such module or definition.
    """
    tree = Tree()
    found = tree.follow([tree.require(start) for start in starts], without=without)
    return key(**tree.meanings(found))


def of_definitions(found: Iterable[str]) -> str:
    """One hash of just these definitions, such as `reached` gives."""
    return key(**Tree().meanings(found))


def reached(*sources: str, without: Iterable[str] = ()) -> set[str]:
    """The definitions that some code reaches, each as "module:name"; "module:import" is what importing a module runs.

    Args:
        without: patterns of modules ("utils.measure.plots*") or definitions ("utils.rank.models:load") that do not
            count, and through which nothing is reached.
    """
    return Tree().follow(_references(sources), without=without)


def reached_by_cells(nb: NotebookNode, *, without: Iterable[str] = ()) -> set[str]:
    """The definitions that the code cells of a notebook reach, as in `reached`."""
    return reached(*_sources(nb), without=without)


def plain(source: str) -> str:
    """A code cell as Python: IPython's own syntax (%magic, !command) is turned into calls where there is some."""
    try:
        ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        with contextlib.suppress(SyntaxError):
            return TransformerManager().transform_cell(source)
    return source


def _sources(nb: NotebookNode) -> list[str]:
    code = (cell for cell in nb.cells if cell.cell_type == "code")
    return [cell.source for cell in code if "injected-parameters" not in cell.metadata.get("tags", [])]


def _cell_meaning(source: str) -> str:
    text = plain(source)
    try:
        tree = ast.parse(text)
    except SyntaxError:  # the run will say so, naming the cell
        return source
    return syntax.meaning(syntax.without_docstrings(tree)) + ";" * _ends_quietly(tree, text=text)


def _ends_quietly(tree: ast.Module, *, text: str) -> bool:
    """Whether a semicolon follows the last statement."""
    if not tree.body:
        return False
    line, column = tree.body[-1].end_lineno, tree.body[-1].end_col_offset  # in bytes
    return text.split("\n")[line - 1].encode()[column:].lstrip().startswith(b";")


def _references(sources: Iterable[str]) -> set[str]:
    """The dotted names that some code refers to, whose pieces see one another's names, as a notebook's cells do."""
    parsed = []
    for source in map(plain, sources):
        with contextlib.suppress(SyntaxError):
            tree = ast.parse(source)
            parsed += [*(_names_in_magic(tree) if "_magic(" in source else ()), source]
    return definitions.parse("\n".join(parsed), name="", package="").everything()


def _names_in_magic(tree: ast.Module) -> list[str]:
    """The names in what a cell gives to IPython's magic, such as `models.load` in `%time models.load(folder)`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    given = [one for call in calls if getattr(call.func, "attr", "") in MAGIC for one in call.args]
    texts = [one.value for one in given if isinstance(one, ast.Constant)]
    names = [name for text in texts for name in re.findall(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*", text)]
    return [name for name in names if not any(map(keyword.iskeyword, name.split(".")))]
