"""Beginning a notebook: from the template, which is a whole small run that runs and passes every check as it is."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from authoring import committed_form, gates
from authoring.results_page import README
from utils import disk, settings
from utils.course import runner

TEMPLATE = Path(__file__).with_name("template.ipynb")
LISTED = "| [`{name}`](notebooks/{name}.ipynb) | how many tokens of a pair a ranker needs | 3 |\n"
GATE = """{name}:
  budget_s: 120
  rows:
    {title}: {{ndcg10: [0.55, 0.85], n_params: [22700000, 22720000]}}
"""


def create(name: str) -> list[Path]:
    """Write notebooks/<name>.ipynb, its gate and its line in README.md; returns what was written.

    Args:
        name: two digits and a title, such as 15_shorter_pairs.

    Raises:
        ValueError: the name has another form, or the number or the gate is taken.
    """
    parts = re.fullmatch(r"(\d\d)_([a-z][a-z0-9_]*)", name)
    if not parts:
        raise ValueError(f"'{name}' is no name of a notebook; write two digits and a title, such as 15_shorter_pairs")
    number, title = parts.groups()
    taken = [path.stem for path in runner.notebooks() if path.stem.startswith(f"{number}_")]
    if taken or name in gates.read():
        raise ValueError(f"the number of '{name}' is taken by {taken[0] if taken else 'a gate'}; take the next one")
    path = settings.NOTEBOOKS / f"{name}.ipynb"
    disk.write_whole(path, _notebook(name=name, number=number, title=title))
    gate = gates.GATES.read_text(encoding="utf-8") + GATE.format(name=name, title=title)
    disk.write_whole(gates.GATES, gate)
    disk.write_whole(README, _listed(README.read_text(encoding="utf-8"), name=name))
    return [path, gates.GATES, README]


def _notebook(*, name: str, number: str, title: str) -> str:
    nb = nbformat.read(TEMPLATE, as_version=4)
    words = title.replace("_", " ").capitalize()
    new = {
        "# NN Name of the notebook": f"# {number} {words}",
        '"NN_name"': f'"{name}"',
        'Variant("name",': f'Variant("{title}",',
    }
    for cell in nb.cells:
        for old, text in new.items():
            cell.source = cell.source.replace(old, text)
    return committed_form.text(nb)


def _listed(page: str, *, name: str) -> str:
    """The page with a line for the notebook after the last one of its table."""
    lines = page.splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if line.startswith("| [`"))
    return "".join([*lines[: last + 1], LISTED.format(name=name), *lines[last + 1 :]])
