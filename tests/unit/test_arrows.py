"""The rule of arrows: a package of `utils` imports only from those above it in `ORDER`, no modules import each other
in a circle, and nothing touches `sys.path`. The imports are read with `ast`, those inside functions included; nothing
is executed, so a module named only in a string (`importlib`, `python -m`) is not seen.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ORDER = ("settings", "disk", "environment", "freshness", "data", "rank", "measure", "shrink", "speed", "edge", "course")


def parse_modules(root: Path) -> dict[str, ast.Module]:
    """Every module of `root`/utils, parsed, by its dotted name; a package goes by the name of its folder."""
    modules = {}
    for path in sorted((root / "utils").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return modules


def imported_names(tree: ast.Module, *, package: str) -> Iterator[str]:
    """Dotted names that a module in `package` imports; `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def module_of(name: str, *, known: set[str]) -> str | None:
    """The module of ours that `name` lies in or is; None for other people's. An unknown one of ours keeps its name."""
    if name.split(".")[0] != "utils":
        return None
    parts = name.split(".")
    candidates = (".".join(parts[:n]) for n in range(len(parts), 1, -1))
    return next((candidate for candidate in candidates if candidate in known), name if len(parts) > 1 else "utils")


def import_graph(root: Path) -> dict[str, set[str]]:
    """For each module of `root`/utils, those of ours that it imports."""
    modules = parse_modules(root)
    graph = {}
    for name, tree in modules.items():
        is_package = (root / Path(*name.split(".")) / "__init__.py").exists()
        package = name if is_package else name.rpartition(".")[0]
        found = {module_of(imported, known=set(modules)) for imported in imported_names(tree, package=package)}
        graph[name] = found - {None, name, "utils"}
    return graph


def rank_of(module: str) -> int:
    """The place of the module's package in ORDER; `utils` itself may see settings alone. ValueError when unlisted."""
    return ORDER.index(module.split(".")[1]) if "." in module else 0


def arrow_problems(root: Path) -> list[str]:
    """One sentence for every import that points the wrong way, and one for a circle."""
    graph = import_graph(root)
    problems = [
        f"{name} is in no package of {', '.join(ORDER)}"
        for name in sorted(graph.keys() | set().union(*graph.values()))
        if "." in name and name.split(".")[1] not in ORDER
    ]
    folders = {path.parent for path in (root / "utils").rglob("*.py")}
    problems += [
        f"{folder.relative_to(root)} has no __init__.py, so nobody sees which notebooks reach it; add one"
        for folder in sorted(folders)
        if not (folder / "__init__.py").exists()
    ]
    if problems:
        return problems
    problems = [
        f"{name} imports {imported}, which lies below it"
        for name, found in graph.items()
        for imported in sorted(found)
        if rank_of(imported) > rank_of(name)
    ]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        problems.append("circle: " + " -> ".join(error.args[1]))
    return problems


def path_problems(root: Path) -> list[str]:
    """Modules that read or change `sys.path`, under whatever name `sys` was imported."""
    problems = []
    for name, tree in parse_modules(root).items():
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
        aliases = {alias.asname or alias.name for node in imports for alias in node.names if alias.name == "sys"}
        for node in ast.walk(tree):
            attribute = isinstance(node, ast.Attribute) and node.attr == "path" and isinstance(node.value, ast.Name)
            named = isinstance(node, ast.ImportFrom) and node.module == "sys"
            if (attribute and node.value.id in aliases) or (named and any(a.name == "path" for a in node.names)):
                problems.append(f"{name} line {node.lineno} touches sys.path")
    return problems


def make_tree(root: Path, files: dict[str, str]) -> Path:
    """A made-up `utils` under `root`: every file of `files`, and an empty __init__.py in each folder."""
    for relative, source in files.items():
        path = root / "utils" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        for folder in [path.parent, *path.parent.parents]:
            if folder == root:
                break
            (folder / "__init__.py").touch()
    return root


def test_every_package_imports_only_from_those_above_it_and_none_in_a_circle():
    assert len(import_graph(ROOT)) > 1, "no module was found, so nothing was checked"
    assert arrow_problems(ROOT) == []


def test_nothing_touches_sys_path():
    assert path_problems(ROOT) == []


def test_the_gate_passes_a_made_up_tree_whose_arrows_all_point_up(tmp_path):
    tree = {
        "__init__.py": "from utils import settings",
        "settings.py": "import os\nHERE = os.path.abspath('.')",
        "data/catalogue.py": "from utils import settings\nfrom .words import WORDS",
        "data/words.py": "WORDS = ()",
        "rank/models.py": "import numpy\nimport utils.data.catalogue\nfrom utils.settings import HERE",
        "course/cli.py": "import sys\nfrom ..rank.models import numpy\nfrom utils.data import words\nsys.exit",
    }
    root = make_tree(tmp_path, tree)
    assert import_graph(root)["utils.course.cli"] == {"utils.rank.models", "utils.data.words"}
    assert arrow_problems(root) == path_problems(root) == []


def test_the_gate_refuses_a_package_without_init_which_the_fingerprint_would_pass_over(tmp_path):
    root = make_tree(tmp_path, {"shrink/pruning.py": "", "data/a.py": ""})
    (root / "utils" / "shrink" / "__init__.py").unlink()
    (problem,) = arrow_problems(root)
    assert problem.startswith("utils/shrink has no __init__.py")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        pytest.param(
            {"data/a.py": "from utils.rank import b", "rank/b.py": ""},
            "utils.data.a imports utils.rank.b, which lies below it",
            id="downward",
        ),
        pytest.param(
            {"rank/a.py": "def load():\n    import utils.course.b", "course/b.py": ""},
            "utils.rank.a imports utils.course.b, which lies below it",
            id="downward inside a function",
        ),
        pytest.param(
            {"rank/a.py": "from ..speed.b import c", "speed/b.py": "c = 1"},
            "utils.rank.a imports utils.speed.b, which lies below it",
            id="downward and relative",
        ),
        pytest.param(
            {"__init__.py": "from utils.data import a", "data/a.py": ""},
            "utils imports utils.data.a, which lies below it",
            id="downward from the root",
        ),
        pytest.param(
            {"settings.py": "from utils import data", "data/a.py": ""},
            "utils.settings imports utils.data, which lies below it",
            id="downward to a package",
        ),
        pytest.param(
            {"data/a.py": "from utils.data import b", "data/b.py": "from . import a"},
            "circle: utils.data.a -> utils.data.b -> utils.data.a",
            id="circle of two",
        ),
        pytest.param(
            {
                "rank/a.py": "from .b import x",
                "rank/b.py": "from .c import x",
                "rank/c.py": "def f():\n from .a import x",
            },
            "circle: utils.rank.a -> utils.rank.c -> utils.rank.b -> utils.rank.a",
            id="circle of three",
        ),
        pytest.param(
            {"helpers/a.py": "", "data/b.py": ""},
            "utils.helpers is in no package of " + ", ".join(ORDER),
            id="package that the list does not name",
        ),
    ],
)
def test_the_gate_refuses_a_made_up_tree_with_a_wrong_arrow(tmp_path, files, problem):
    problems = arrow_problems(make_tree(tmp_path, files))
    if problem.startswith("circle"):
        assert len(problems) == 1 and problems[0].startswith("circle: ")
        assert set(problems[0].removeprefix("circle: ").split(" -> ")) == set(
            problem.removeprefix("circle: ").split(" -> ")
        )
    else:
        assert problem in problems


@pytest.mark.parametrize(
    "source",
    ["import sys\nsys.path.insert(0, '.')", "import sys as s\nprint(s.path)", "def f():\n    from sys import path"],
)
def test_the_gate_refuses_a_made_up_module_that_touches_sys_path(tmp_path, source):
    problems = path_problems(make_tree(tmp_path, {"data/a.py": source}))
    assert len(problems) == 1 and problems[0].startswith("utils.data.a line ")
