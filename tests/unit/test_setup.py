"""The files that set the course up agree: requirements.in, its lock, the dev lock, environment.yml, pyproject.toml.

Whether the locked packages install and import together is not shown here: whoever reads this has just installed them.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from utils.edge.exports.converters import CONVERTERS

ROOT = Path(__file__).resolve().parents[2]
EXPORTS = ROOT / "utils" / "edge" / "exports"
CUDA = re.compile(r"^(nvidia|cuda|triton|pytorch-triton)\b")
PINNED = re.compile(r"^[A-Za-z0-9._-]+==(?P<version>[A-Za-z0-9.!+_-]+)( ; .+)?$")


def read(name: str) -> str:
    """The text of a file at the root of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def lines_of(text: str) -> list[str]:
    """The lines of a requirements file without its comments and blank lines."""
    stripped = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def direct(text: str) -> list[Requirement]:
    """The requirements that a file names, its options (`-e .`) aside."""
    return [Requirement(line) for line in lines_of(text) if not line.startswith("-")]


def locked_versions(text: str) -> dict[str, set[str]]:
    """The versions that a lock holds of each package: several when Python versions or systems differ."""
    versions: dict[str, set[str]] = {}
    for requirement in direct(text):
        version = str(requirement.specifier).removeprefix("==")
        versions.setdefault(canonicalize_name(requirement.name), set()).add(version)
    return versions


def lock_problems(text: str, *, ours: str = "-e .") -> list[str]:
    """What keeps one lock from serving every machine: an open version, a local build, a CUDA package, an address."""
    problems = [] if lines_of(text)[-1:] == [ours] else [f"the last line is not '{ours}'"]
    for line in lines_of(text)[:-1]:
        match = PINNED.match(line)
        if not match:
            problems.append(f"'{line}' is not a package at one exact version")
        elif "+" in match["version"]:
            problems.append(f"'{line}' names a local build")
        elif CUDA.match(line):
            problems.append(f"'{line}' is a CUDA package")
    return problems + (["the lock holds an address"] if "://" in text or "index-url" in text else [])


def unlocked(wanted: str, *, lock: str) -> list[str]:
    """The requirements of `wanted` that `lock` lacks, or holds at a version outside their range."""
    versions = locked_versions(lock)
    return [
        str(requirement)
        for requirement in direct(wanted)
        if not (held := versions.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version) for version in held)
    ]


def environment_problems(text: str, *, requires_python: str) -> list[str]:
    """Where a conda environment holds more or less than a supported Python, pip and the lock."""
    environment = yaml.safe_load(text)
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    pip = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    problems = [] if environment["name"] == "rank-for-less" else [f"it is called {environment['name']}"]
    pythons = [entry.removeprefix("python=") for entry in conda if entry.startswith("python=")]
    if len(pythons) != 1 or not SpecifierSet(requires_python).contains(pythons[0]):
        problems.append(f"its python is {pythons}, not one of {requires_python}")
    if others := [entry for entry in conda if not entry.startswith("python=") and entry != "pip"]:
        problems.append(f"conda installs {others}, which the lock does not pin")
    if "pip" not in conda or pip != [["-r requirements.txt"]]:
        problems.append(f"pip installs {pip}, not the lock alone")
    return problems


OURS = {"utils", "authoring"}


def imported_names(paths: Iterable[Path]) -> set[str]:
    """The top-level names that modules import."""
    names = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    return names


def requires_python() -> str:
    return tomllib.loads(read("pyproject.toml"))["project"]["requires-python"]


def test_environment_yml_installs_the_lock_and_nothing_beside_it():
    assert environment_problems(read("environment.yml"), requires_python=requires_python()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  - pip\n", "  - pip\n  - numpy=2.4\n"),
        ("- -r requirements.txt", "- torch==2.13.0"),
        ("- -r requirements.txt", "- -r requirements.txt\n      - wandb"),
        ("python=3.11", "python=3.10"),
        ("python=3.11", "python"),
        ("rank-for-less", "base"),
    ],
)
def test_the_gate_refuses_an_environment_that_drifts(old, new):
    text = read("environment.yml")
    assert old in text
    assert environment_problems(text.replace(old, new), requires_python=requires_python())


def test_the_lock_fits_every_machine():
    assert lock_problems(read("requirements.txt")) == []
    assert locked_versions(read("requirements.txt"))["torch"] == {"2.13.0"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("torch==2.13.0+cpu", "names a local build"),
        ("numpy>=2", "is not a package at one exact version"),
        ("numpy==2.*", "is not a package at one exact version"),
        ("nvidia-cublas==13.1.0.3 ; sys_platform == 'linux'", "is a CUDA package"),
        ("cuda-toolkit==13.0.2", "is a CUDA package"),
        ("triton==3.7.0", "is a CUDA package"),
        ("torch @ https://example.org/torch.whl", "the lock holds an address"),
        ("--extra-index-url https://example.org/simple", "the lock holds an address"),
    ],
)
def test_the_gate_refuses_a_lock_with_a_line_that_fits_some_machines_only(line, problem):
    problems = lock_problems(f"{line}\n{read('requirements.txt')}")
    assert any(problem in found for found in problems)


def test_the_gate_refuses_a_lock_without_our_package():
    assert lock_problems("numpy==2.4.6\ntorch==2.13.0\n") == ["the last line is not '-e .'"]


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_direct_dependency_is_locked_within_its_range(name):
    assert direct(read(f"{name}.in"))
    assert unlocked(read(f"{name}.in"), lock=read(f"{name}.txt")) == []


def test_the_gate_refuses_a_dependency_that_was_added_or_raised_without_a_new_lock():
    lock = "numpy==2.4.6\ntorch==2.13.0 ; sys_platform == 'linux'\n-e .\n"
    assert unlocked("numpy>=2.4  # arrays\ntorch<2.13\nwandb\n", lock=lock) == ["torch<2.13", "wandb"]


def test_the_development_lock_pins_exactly_and_agrees_with_the_lock():
    locked, development = (locked_versions(read(name)) for name in ("requirements.txt", "requirements-dev.txt"))
    assert lock_problems(read("requirements-dev.txt"), ours="-e ./authoring") == []
    assert {name: development[name] for name in development.keys() & locked.keys()} == {
        name: locked[name] for name in development.keys() & locked.keys()
    }


def test_what_we_import_is_a_direct_dependency():
    for_learners = {ROOT / "rank_for_less.py", *(ROOT / "utils").rglob("*.py")}
    for_authors = set((ROOT / "authoring").rglob("*.py"))
    for_learners -= {EXPORTS / converter.script for converter in CONVERTERS.values()}  # they have lists of their own
    assert unnamed(for_learners, files=["requirements.in", "requirements-edge.txt"]) == set()
    assert unnamed(for_learners, files=["requirements.in"]) == {"ai_edge_litert", "executorch"}
    assert unnamed(for_authors, files=["requirements.in", "requirements-dev.in"]) == set()
    assert unnamed(for_authors, files=["requirements.in"]) == {"PIL", "markdown_it", "nbgrader", "playwright", "yaml"}


def test_what_learners_install_never_imports_the_authors_tools(tmp_path):
    for_learners = {ROOT / "rank_for_less.py", *(ROOT / "utils").rglob("*.py")}
    assert "authoring" not in imported_names(for_learners)
    (tmp_path / "a.py").write_text("def publish():\n    from authoring import publish\n")
    assert imported_names([tmp_path / "a.py"]) == {"authoring"}, "what is imported inside a function would be seen"


def test_the_wheel_holds_the_package_and_where_the_command_begins_and_not_the_authors_tools():
    written = tomllib.loads(read("pyproject.toml"))
    tools = written["tool"]["setuptools"]
    assert (tools["py-modules"], tools["packages"]["find"]["include"]) == (["rank_for_less"], ["utils*"])
    module, _, function = written["project"]["scripts"]["course"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def unnamed(modules: Iterable[Path], *, files: Iterable[str]) -> set[str]:
    """What modules import and none of the files of direct dependencies names."""
    named = {canonicalize_name(requirement.name) for name in files for requirement in direct(read(name))}
    distributions = metadata.packages_distributions()
    return {
        name
        for name in imported_names(modules) - set(sys.stdlib_module_names) - OURS
        if not named & {canonicalize_name(found) for found in distributions.get(name, [name])}
    }
