"""What can be read off a piece of Python's syntax tree alone: what it says, which names it binds, which it uses."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator

MAIN = "__main__"  # what a module is called when it is run and not imported
UNSAID = ("ctx", "kind", "type_comment")  # fields of a syntax tree that follow from others, or change nothing
Function = ast.FunctionDef | ast.AsyncFunctionDef


def meaning(node: object) -> str:
    """A syntax tree as text without positions, the same in every version of Python that can read it."""
    if isinstance(node, list):
        return f"[{', '.join(map(meaning, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    if isinstance(node, ast.JoinedStr):  # some versions put empty pieces into it
        node = ast.JoinedStr([piece for piece in node.values if getattr(piece, "value", None) != ""])
    fields = ((name, value) for name, value in ast.iter_fields(node) if name not in UNSAID)
    said = [f"{name}={meaning(value)}" for name, value in fields if value is not None and value != []]
    return f"{type(node).__name__}({', '.join(said)})"


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The same tree, changed in place: functions and classes lose the strings that stand alone in them."""
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            node.body = [statement for statement in node.body if not is_text(statement)]
    return tree


def at_run_time(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements; of those that ask whether a type checker reads them, what is for everybody else."""
    for statement in statements:
        is_for_checkers = isinstance(statement, ast.If) and last_name(statement.test) == "TYPE_CHECKING"
        yield from at_run_time(statement.orelse) if is_for_checkers else [statement]


def is_text(statement: ast.stmt) -> bool:
    """Whether it is a string that stands alone."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def is_main_block(statement: ast.stmt) -> bool:
    """Whether it runs only when the file is run by its name."""
    is_alone = isinstance(statement, ast.If) and not statement.orelse
    return is_alone and ast.unparse(statement.test) == f"__name__ == '{MAIN}'"


def is_definition(statement: ast.stmt) -> bool:
    """Whether it binds plain names, and changes nothing that exists."""
    if isinstance(statement, Function | ast.ClassDef):
        return True
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    parts = [node for target in targets for node in ast.walk(target)]
    return not any(isinstance(node, ast.Attribute | ast.Subscript) for node in parts)


def bound_names(statement: ast.stmt) -> set[str]:
    """The names that it may bind, those in nested blocks included."""
    if isinstance(statement, Function | ast.ClassDef):
        return {statement.name}
    nodes = list(ast.walk(statement))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    return names | {node.name for node in nodes if isinstance(node, Function | ast.ClassDef)}


def dotted_name(node: ast.AST) -> str:
    """`a.b.c` where the node is just that; empty where it does not begin with a name."""
    if isinstance(node, ast.Attribute):
        return f"{start}.{node.attr}" if (start := dotted_name(node.value)) else ""
    return node.id if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c` and of the call `a.b.c(d)`; empty for what has no name."""
    return dotted_name(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def used_names(node: ast.AST) -> Iterator[str]:
    """Every name with the attributes that follow it: `a.b` and `d` of `a.b(d).c`."""
    if name := dotted_name(node):
        yield name
    else:
        for child in ast.iter_child_nodes(node):
            yield from used_names(child)


def global_names(source: str) -> set[str]:
    """The names in a statement that belong to the whole file; a function's own variables do not."""
    try:
        top = symtable.symtable(source, "statement", "exec")
    except SyntaxError:  # such as `nonlocal` outside of a function
        return set(re.findall(r"\w+", source))
    found, inner = set(top.get_identifiers()), list(top.get_children())
    while inner:
        table = inner.pop()
        found |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        inner += table.get_children()
    return found
