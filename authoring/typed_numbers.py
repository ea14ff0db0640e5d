"""Numbers that were typed where a cell should compute them: in prose, in a picture's title, in the recap.

The rule. A number *looks measured* when it has a decimal fraction, a dollar sign, or a unit of measure behind it
(95%, 3×, 4 times, 12 ms, 91 MB, 340 pairs/s, 22 M parameters, 3 points). It may be typed only when
something defines it:

- a constant of the notebook's code has the same value (a percentage may be its hundredth): any fraction, or a whole
  number that is given a name by an assignment, an argument or a dictionary, for others coincide too easily;
- the notebook's metadata lists it under `rank_for_less.given`, a list of phrases such as "95%", as given by definition.

All other numbers are free: years, counts of things (8 products, 32 bits), names (notebook 01, step 3, NDCG@10). So is
what stands in code, formulas, links, headers of tables and the list of papers. Not seen: numbers written as words, and
text that a cell prints or passes to a picture otherwise than as `title=`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

from authoring import boxes, prose

UNIT = (
    r"%|per\ cent\b|percent\b|(?<=\d)×(?!\s*\d)|(?<=\d)x\b(?!\s*\d)|times\b"  # a × set apart is a multiplication
    r"|\w+/s\b|[mµn]?s\b|(?:milli)?seconds?\b|minutes?\b|hours?\b|[kKMGT]i?B\b"
    r"|(?:[MGB]|million|billion)\s(?:parameters|MACs|FLOPs|operations)\b|points?\b|dollars?\b|cents?\b|NDCG\b"
)
NUMBER = re.compile(
    r"(?<![\w.@])(?P<money>\$\s?)?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<power>e[+-]?\d+)?(?!\.?\d)"
    rf"(?:[\s-]?(?P<unit>{UNIT}))?"
)
SAME_UNIT = {"×": "times", "x": "times", "per cent": "%", "percent": "%"}


@dataclass(frozen=True)
class Number:
    """A number that looks measured, as it stands (`text`), by its magnitude and its unit, which may be empty."""

    text: str
    value: float
    decimals: int
    unit: str

    def meanings(self) -> set[float]:
        """The values that define it."""
        return {self.value, round(self.value / 100, 12)} if self.unit == "%" else {self.value}


def typed_number_problems(nb: NotebookNode, *, trees: Mapping[int, ast.Module]) -> Iterator[tuple[int | None, str]]:
    """Every typed number that nothing defines, with its cell; `trees` holds the parsed code cells by index."""
    given: list[str] = nb.metadata.get("rank_for_less", {}).get("given", [])
    known = _constants(trees).union(*(number.meanings() for entry in given for number in _numbers(entry)))
    typed = [(index, text) for index, cell in enumerate(nb.cells) for text in _typed(cell, tree=trees.get(index))]
    stated = [(index, number) for index, text in typed for number in _numbers(text)]
    for index, number in stated:
        if not number.meanings() & known:
            yield index, f"says {number.text}, {_against_output(number, nb=nb, index=index)}"
    values = set().union(*(number.meanings() for _, number in stated))
    for entry in given:
        if not any(number.meanings() & values for number in _numbers(entry)):
            yield None, f"rank_for_less.given lists '{entry}', which no text says; remove it"


def _numbers(text: str) -> Iterator[Number]:
    """The numbers of a text that look measured."""
    for found in NUMBER.finditer(text):
        digits, power, unit = found["digits"], found["power"] or "", found["unit"] or ("$" if found["money"] else "")
        decimals = len(digits.partition(".")[2])
        if unit or decimals:
            value = float(digits.replace(",", "") + power)
            yield Number(found.group().strip(), value, decimals, SAME_UNIT.get(unit, unit))


def _typed(cell: NotebookNode, *, tree: ast.Module | None) -> Iterator[str]:
    """What the author typed for readers: the prose of a markdown cell, the titles and the recap of a code cell.

    The numbers of a box are not typed.
    """
    if cell.cell_type == "markdown" and not boxes.is_box(cell):
        for block in prose.blocks(cell.source):
            if block.tag != "th" and not block.is_reference:
                yield block.prose
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.keyword) and node.arg in ("title", "recap"):
            yield from _strings(node.value)


def _strings(node: ast.AST) -> Iterator[str]:
    """The string constants below a node; of an f-string what is typed, with a mark for what is computed."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _strings(child)


def _constants(trees: Mapping[int, ast.Module]) -> set[float]:
    """Magnitudes that the code defines: every fraction, and the whole numbers that it gives a name."""
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    found = {value for tree in trees.values() for value in _literals(tree) if isinstance(value, float)}
    for node in nodes:
        if isinstance(node, ast.Dict):
            found.update(value for child in node.values for value in _literals(child))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.keyword) and node.value:
            found.update(_literals(node.value))
    return {float(value) for value in found}


def _literals(node: ast.AST) -> Iterator[float]:
    """The numbers below a node, those within a subscript aside."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield node.value
    for child in [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node):
        yield from _literals(child)


def _against_output(number: Number, *, nb: NotebookNode, index: int) -> str:
    """What is wrong with a number: the next output contradicts it, or nothing defines it."""
    following = (cell for cell in nb.cells[index + 1 :] if cell.cell_type == "code")
    lines = _printed(next(following, None)) if nb.cells[index].cell_type == "markdown" else []
    rivals = [(rival, line) for line in lines for rival in _numbers(line) if rival.unit == number.unit]
    if not rivals or any(round(rival.value, number.decimals) == number.value for rival, _ in rivals):
        return "which no constant of the code explains; let the code print it, or declare it under rank_for_less.given"
    nearest, line = min(rivals, key=lambda pair: abs(pair[0].value - number.value))
    return f"and the next output says {nearest.text} ({' '.join(line.split())[:60]}); let the code print it"


def _printed(cell: NotebookNode | None) -> list[str]:
    """The lines of a cell's outputs as plain text."""
    outputs = cell.get("outputs", []) if cell else []
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs).splitlines()
