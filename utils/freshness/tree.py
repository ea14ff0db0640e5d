"""Where names lead across the files of our packages: from some code to every definition that it reaches."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from utils import settings
from utils.freshness import definitions
from utils.freshness.definitions import PACKAGES, RUN, Definitions

SOURCE = settings.ROOT  # where the packages lie
FACTS = {"__name__", "__file__", "__doc__", "__package__", "__path__", "__spec__"}  # that every module has
ITSELF = "utils.freshness*"  # says what is made again, and decides nothing that is made


class Tree:
    """The packages of ours as they are now; every file is read once.

    A definition is written "module:name"; "module:import" is what importing the module runs.
    """

    def __init__(self) -> None:
        self.module = cache(self._read)
        self._split = cache(self._split_now)

    def follow(self, names: Iterable[str], *, without: Iterable[str] = ()) -> set[str]:
        """The definitions that dotted names lead to, and all that those reach.

        Args:
            without: patterns of modules or definitions that do not count, and through which nothing is reached.
        """
        passed_over = (*without, ITSELF)
        found: set[str] = set()
        waiting = set().union(*map(self._leads_to, names))
        while waiting:
            one = waiting.pop()
            module, _, name = one.partition(":")
            if one not in found and not any(fnmatch(which, each) for each in passed_over for which in (one, module)):
                found.add(one)
                for reference in (f"{RUN} {module}", *self.module(module).references(name)):
                    waiting |= self._leads_to(reference)
        return found

    def meanings(self, found: Iterable[str]) -> dict[str, str]:
        """What each definition says; an import that runs nothing of its own, and a name passed on, say nothing."""
        said = {one: self.module(one.partition(":")[0]).meaning(one.partition(":")[2]) for one in found}
        return {one: meaning for one, meaning in said.items() if meaning}

    def require(self, start: str) -> str:
        """The dotted name of a module ("utils.rank.models") or of a definition in it ("utils.rank.models:load").

        Raises:
            ValueError: there is no such module, or no such definition in it.
        """
        module, rest = self._split(dotted := start.replace(":", "."))
        if not module or len(rest) > 1 or (rest and rest[0] not in self.module(module).bound):
            raise ValueError(f"'{start}' is no module or definition of {' or '.join(PACKAGES)}; correct the name")
        return dotted

    def _leads_to(self, name: str, *, through: frozenset[str] = frozenset()) -> set[str]:
        """The definitions that a dotted name stands for; all of a module that is used whole or lacks the name.

        Args:
            through: names that led here, for names that are imported from one another.
        """
        module, rest = self._split(name.removeprefix(f"{RUN} "))
        if not module:
            return set()
        if name.startswith(f"{RUN} ") or (rest and rest[0] in FACTS):
            parts = module.split(".")
            return {f"{'.'.join(parts[:n])}:{RUN}" for n in range(1, len(parts) + 1)}
        here = self.module(module)
        if not rest or not {rest[0], "__getattr__"} & (here.bound.keys() | here.imported):
            return self._whole(module)
        if rest[0] not in here.imported:
            return {f"{module}:{rest[0] if rest[0] in here.bound else '__getattr__'}"}
        found = {f"{module}:{rest[0]}"} if rest[0] in here.bound else set()
        further = {".".join([target, *rest[1:]]) for target in here.imported[rest[0]]} - through
        return found.union(*(self._leads_to(one, through=through | {name}) for one in further))

    def _whole(self, module: str) -> set[str]:
        """All that a module binds, and what it imports one by one; of modules that it imports, what it uses."""
        here = self.module(module)
        passed_on = [name for name, targets in here.imported.items() if any(self._split(one)[1] for one in targets)]
        every = {RUN, *here.bound, *passed_on, *({"*"} & here.imported.keys())}
        return {f"{module}:{name}" for name in every}

    def _split_now(self, dotted: str) -> tuple[str, tuple[str, ...]]:
        """The module that a dotted name begins with, empty where it is not of ours, and what follows."""
        parts, n = dotted.split("."), 0
        while n < len(parts) and (found := self.module(".".join(parts[: n + 1]))):
            n += 1
            if not found.is_package:
                break
        return ".".join(parts[:n]), tuple(parts[n:])

    def _read(self, name: str) -> Definitions | None:
        first, *rest = name.split(".")
        if first not in PACKAGES:
            return None
        place = Path(SOURCE, first, *rest)
        for path, package in ((place / "__init__.py", name), (place.with_suffix(".py"), name.rpartition(".")[0])):
            if path.is_file():
                return definitions.parse(path.read_text(encoding="utf-8"), name=name, package=package)
        return None
