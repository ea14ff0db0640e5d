"""The boxes "On our machine": sentences with numbers in them, filled when the notebooks are published.

A box is a markdown cell. Its metadata holds a `template`, in which `{{name:format}}` stands for a value that a cell
before it told (`utils.course.telling`), and the condition under which the sentence `holds`. Prose types no number that
a cell computes; here the numbers come from the outputs that are committed with them, and a check compares both.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping

from nbformat import NotebookNode

from utils.course.execution import STAMP
from utils.course.telling import VALUES

BEGIN = "> **On our machine** "
PLACE = re.compile(r"\{\{\s*(\w+)\s*(?::([^}]*))?\}\}")
COMPARED = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
COMPUTED = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

Values = Mapping[str, float | str | bool]


def is_box(cell: NotebookNode) -> bool:
    """Whether a cell is a box."""
    return cell.cell_type == "markdown" and "template" in cell.metadata.get(STAMP, {})


def fill(nb: NotebookNode) -> list[tuple[int, str]]:
    """Write the sentences of all boxes, in place, from the values that cells before them told.

    Returns:
        What is wrong, each with its cell: a value that nobody told, or a sentence that does not hold. Such a box stays.
    """
    problems = []
    for index, cell, values in _boxes(nb):
        try:
            cell.source = _sentence(cell, values=values)
        except ValueError as error:
            problems.append((index, str(error)))
    return problems


def problems(nb: NotebookNode) -> Iterator[tuple[int, str]]:
    """What is wrong with the boxes of a committed notebook: as in `fill`, or a text that was not filled from them."""
    for index, cell, values in _boxes(nb):
        try:
            if cell.source != _sentence(cell, values=values):
                yield index, "the box does not say what the outputs say; run: make notebooks"
        except ValueError as error:
            yield index, str(error)


def _boxes(nb: NotebookNode) -> Iterator[tuple[int, NotebookNode, Values]]:
    """Every box with the values told so far; a later value of the same name counts."""
    values: dict[str, float | str | bool] = {}
    for index, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            values |= output.get("data", {}).get(VALUES, {})
        if is_box(cell):
            yield index, cell, dict(values)


def _sentence(cell: NotebookNode, *, values: Values) -> str:
    """The text of a box.

    Raises:
        ValueError: a value is missing, or the sentence does not hold.
    """
    box = cell.metadata[STAMP]
    if not box.get("holds"):
        raise ValueError("the box has no condition; say in its metadata when it holds")
    if not _value(ast.parse(box["holds"], mode="eval").body, values=values):
        told = ", ".join(f"{name} = {values[name]}" for name in sorted(_names(box["holds"])))
        raise ValueError(f"the box does not hold: {box['holds']} ({told}); write what was found")
    return BEGIN + PLACE.sub(lambda found: format(_told(found[1], values=values), found[2] or ""), box["template"])


def _names(condition: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(condition, mode="eval")) if isinstance(node, ast.Name)}


def _told(name: str, *, values: Values) -> float | str | bool:
    if name not in values:
        raise ValueError(f"no cell before the box told '{name}'; add it to a call of tell(...)")
    return values[name]


def _value(node: ast.expr, *, values: Values) -> float | str | bool:
    """The value of a condition: names, numbers, comparisons, `and`, `or`, `not`, and the four operations."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _told(node.id, values=values)
    if isinstance(node, ast.BoolOp):
        parts = (bool(_value(part, values=values)) for part in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        value = _value(node.operand, values=values)
        return not value if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
        return COMPUTED[type(node.op)](_value(node.left, values=values), _value(node.right, values=values))
    if isinstance(node, ast.Compare) and {type(one) for one in node.ops} <= set(COMPARED):
        sides = [_value(side, values=values) for side in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        return all(COMPARED[type(one)](left, right) for one, left, right in pairs)
    raise ValueError(f"a condition cannot hold {ast.unparse(node)}; use names, numbers and comparisons")
