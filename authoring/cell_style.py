"""How the code of a cell may be written: few statements, one thing a line, so that a learner reads it once.

What the code does is not judged here; `lint` has the anatomy of a notebook.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

MOST_STATEMENTS = 8  # of a cell, those within functions and loops too; imports and the parameters do not count
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Problem = tuple[int, str]


def problems(trees: Mapping[int, ast.Module], *, parameters: int | None) -> Iterator[Problem]:
    """What is hard to read in the code cells of a notebook, each with its cell.

    Args:
        trees: the code cells as syntax trees, by index.
        parameters: the index of the cell that is tagged so, in which each line is one parameter.
    """
    for index, tree in trees.items():
        n_statements = sum(_counts(node) for node in ast.walk(tree))
        if n_statements > MOST_STATEMENTS and index != parameters:
            yield index, f"has {n_statements} statements, more than {MOST_STATEMENTS}; make two cells of it"
        for node in ast.walk(tree):
            if problem := _problem(node):
                yield index, f"line {node.lineno}: {problem}"


def _counts(node: ast.AST) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom) and not is_docstring


def _problem(node: ast.AST) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple):
        return "several names get their values at once; give each a line"
    if isinstance(node, COMPREHENSIONS):
        inner = [child for child in ast.walk(node) if isinstance(child, COMPREHENSIONS) and child is not node]
        if inner or len(node.generators) > 1:
            return "a comprehension stands within another; write a loop, or name the inner one"
    return ""
