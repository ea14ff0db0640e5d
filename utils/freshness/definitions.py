"""One file of ours, or the code of a notebook: the statements that bind each of its names, and what they refer to.

It is read and never executed. Which file a dotted name leads to is for `tree` to say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from utils.freshness import syntax
from utils.freshness.syntax import MAIN, Function

PACKAGES = ("utils", "authoring")  # those of ours
RUN = "import"  # a keyword, so nobody's name: stands for what runs whenever the file is imported
PURE = {  # decorators that register nothing
    *("dataclass", "contextmanager", "wraps", "overload", "cache", "lru_cache", "cached_property", "total_ordering"),
    *("property", "setter", "staticmethod", "classmethod", "abstractmethod", "no_grad", "inference_mode"),
    *("field_validator", "model_validator", "field_serializer", "model_serializer", "computed_field"),
}
BY_ANY_NAME = {"globals", "eval", "exec"}  # builtins that may use any name of the file
DOTTED = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+(?::\w+)?")
Import = ast.Import | ast.ImportFrom


@lru_cache(maxsize=1024)
def parse(source: str, *, name: str, package: str) -> Definitions:
    """The definitions of a file that is imported as `name` and whose relative imports start from `package`.

    One that is no Python counts by its text; whoever runs it is told what is wrong.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        source = f"raise SyntaxError({source!r})"
        tree = ast.parse(source)
    return Definitions(syntax.without_docstrings(tree), lines=source.split("\n"), name=name, package=package)


class Definitions:
    """What the names of one file stand for.

    Attributes:
        is_package: whether modules lie below it.
        bound: the statements that bind each name, an import of other people's code among them; under MAIN, a block
            that runs only when the file itself is run.
        imported: the dotted names of ours that a name was imported as.
        runs: the statements that importing the file runs, whoever uses its names.
    """

    def __init__(self, tree: ast.Module, *, lines: list[str], name: str, package: str) -> None:
        self._lines, self._name, self._package = lines, name, package
        self.is_package = name == package
        self.bound: dict[str, list[ast.stmt]] = {}
        self.imported: dict[str, set[str]] = {}
        self.runs: list[ast.stmt] = []
        self._brought: set[str] = set()  # dotted names that the file's imports bring in
        for statement in syntax.at_run_time(tree.body):
            self._add(statement)
        self.meaning = cache(self._meaning)
        self.references = cache(self._references)

    def everything(self) -> set[str]:
        """The dotted names that any statement refers to."""
        return set().union(*map(self.references, (RUN, *self.bound)))

    def _meaning(self, name: str) -> str:
        """The statements behind a name, as text; the order of imports does not count."""
        statements = self.runs if name == RUN else self.bound.get(name, [])
        imports = sorted(syntax.meaning(one) for one in statements if isinstance(one, Import))
        return "\n".join([*imports, *(syntax.meaning(one) for one in statements if not isinstance(one, Import))])

    def _references(self, name: str) -> frozenset[str]:
        """The dotted names that the statements behind a name refer to; after `RUN` and a space, those they import."""
        statements = self.runs if name == RUN else self.bound.get(name, [])
        brought = {f"{RUN} {target}" for target in self._brought} if name == RUN else set()
        return frozenset(brought | self.imported.get(name, set())).union(*map(self._referred, statements))

    def _add(self, statement: ast.stmt) -> None:
        if syntax.is_text(statement) or isinstance(statement, ast.Pass):
            return
        if not isinstance(statement, Function | ast.ClassDef):
            for node in ast.walk(statement):
                if isinstance(node, Import):
                    self._add_import(node)
        if isinstance(statement, Import):
            return
        is_main = syntax.is_main_block(statement)
        for name in [MAIN] if is_main else syntax.bound_names(statement):
            self.bound.setdefault(name, []).append(statement)
        if not is_main and (not syntax.is_definition(statement) or self._may_register(statement)):
            self.runs.append(statement)

    def _add_import(self, statement: Import) -> None:
        for alias, found in zip(statement.names, _imported(statement, package=self._package), strict=True):
            if found.is_ours:
                self.imported.setdefault(found.name, set()).add(found.target)
                self._brought.add(found.brought)
            else:
                self.bound.setdefault(found.name, []).append(_of_one(alias, statement=statement))

    def _may_register(self, statement: ast.stmt) -> bool:
        """Whether defining this may do more than bind a name: tell somebody of it, or change something of ours."""
        if isinstance(statement, Function | ast.ClassDef):
            parts = [statement, *(statement.body if isinstance(statement, ast.ClassDef) else [])]
            decorators = [one for part in parts for one in getattr(part, "decorator_list", [])]
            has_metaclass = bool(getattr(statement, "keywords", []))
            return has_metaclass or any(syntax.last_name(one) not in PURE for one in decorators)
        calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
        return any(self._is_our_function(call) for call in calls)

    def _is_our_function(self, called: ast.AST) -> bool:
        """Whether it is a function of ours, as far as its name tells; a class has a capital letter."""
        first = syntax.dotted_name(called).partition(".")[0]
        is_here = any(isinstance(one, Function) for one in self.bound.get(first, []))
        return (is_here or first in self.imported) and syntax.last_name(called).lstrip("_")[:1].islower()

    def _targets(self, name: str) -> set[str]:
        """What a name of the whole file stands for; one that nothing here binds may come from an `import *`."""
        own = {f"{self._name}.{name}"} if name in self.bound else set()
        found = own | self.imported.get(name, set())
        return found or {f"{module}.{name}" for module in self.imported.get("*", set())}

    def _referred(self, statement: ast.stmt) -> set[str]:
        if isinstance(statement, Import):
            return set()
        first = min(node.lineno for node in (statement, *getattr(statement, "decorator_list", [])))
        visible = syntax.global_names("\n".join(self._lines[first - 1 : statement.end_lineno]))
        nodes = list(ast.walk(statement))
        imports = (one for node in nodes if isinstance(node, Import) for one in _imported(node, package=self._package))
        inner = [one for one in imports if one.is_ours]
        found = {f"{RUN} {one.brought}" for one in inner} | _named_in_strings(nodes)
        for name in syntax.used_names(statement):
            root, _, rest = name.partition(".")
            targets = {one.target for one in inner if one.name == root}
            targets |= self._targets(root) if root in visible else set()
            found |= {f"{target}.{rest}".rstrip(".") for target in targets}
            found |= {self._name} if root in BY_ANY_NAME else set()
        return found


class _Imported(NamedTuple):
    """The name that an import binds, the dotted name it stands for, and the dotted name that is brought in."""

    name: str
    target: str
    brought: str

    @property
    def is_ours(self) -> bool:
        return self.brought.split(".")[0] in PACKAGES


def _imported(statement: Import, *, package: str) -> list[_Imported]:
    """What each name of an import statement in `package` is about."""
    if isinstance(statement, ast.Import):
        first = [alias.name.split(".")[0] for alias in statement.names]
        return [
            _Imported(alias.asname or short, alias.name if alias.asname else short, alias.name)
            for alias, short in zip(statement.names, first, strict=True)
        ]
    above = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
    base = ".".join([*above, *([statement.module] if statement.module else [])])
    targets = [base if alias.name == "*" else f"{base}.{alias.name}" for alias in statement.names]
    names = [alias.asname or alias.name for alias in statement.names]
    return [_Imported(name, target, target) for name, target in zip(names, targets, strict=True)]


def _of_one(alias: ast.alias, *, statement: Import) -> Import:
    """The part of an import statement that is about one name."""
    if isinstance(statement, ast.Import):
        return ast.Import([alias])
    return ast.ImportFrom(statement.module, [alias], statement.level)


def _named_in_strings(nodes: Iterable[ast.AST]) -> set[str]:
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    found = {name for text in texts if isinstance(text, str) for name in DOTTED.findall(text)}
    return {name.replace(":", ".") for name in found}
