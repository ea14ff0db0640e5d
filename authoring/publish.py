"""Putting the outputs of a default run into the notebooks of the repository, without what only holds on one machine."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat

from authoring import boxes, committed_form, outputs
from utils import disk
from utils.course import execution, runner
from utils.course.execution import RunFailed

COLOURS = 256  # of a published picture
DEFAULTS = {"profile": "laptop", "dataset": "synthetic", "seed": 0}


def publish(*, from_: str | None = None, only: str | None = None, echo: Callable[[str], object] = print) -> list[Path]:
    """Run with the notebooks' own parameters, put the outputs into the masters.

    All of them or none; without a choice those for the curious as well.

    Raises:
        RunFailed: an output must not be committed: a warning, a path of this machine, too many bytes.
        ValueError: a notebook's defaults are not those of the command line.
    """
    folder = runner.run(**DEFAULTS, from_=from_, only=only, echo=echo)
    chosen = runner.notebooks(only, from_)
    for path in runner.more() if only is None and from_ is None else ():
        runner.run(**DEFAULTS, only=path.stem, echo=echo)
        chosen.append(path)
    published = {path: _published(path, executed=folder / "notebooks" / path.name) for path in chosen}
    for path, nb in published.items():
        disk.write_whole(path, committed_form.text(nb))
        echo(f"{path.name}: published")
    return list(published)


def _published(path: Path, *, executed: Path) -> nbformat.NotebookNode:
    """The executed copy without papermill's metadata, timings and what else would differ on the next machine.

    Widgets are left out: they live only in a running notebook.
    """
    master, nb = nbformat.read(path, as_version=4), nbformat.read(executed, as_version=4)
    if len(nb.cells) != len(master.cells):
        raise ValueError(f"{path.name}: its defaults are not those of the command line ({DEFAULTS}); set them so")
    for index, (cell, own) in enumerate(zip(nb.cells, master.cells, strict=True)):
        if cell.cell_type == "code":
            kept = [output for output in cell.outputs if outputs.WIDGET not in output.get("data", {})]
            for output in kept:
                output.get("metadata", {}).pop("papermill", None)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _small(output.data["image/png"])
                _refuse(outputs.output_problems(output), place=f"{path.name} cell {index}")
            own.update(outputs=kept, execution_count=cell.execution_count)
    _refuse((f"cell {index}: {problem}" for index, problem in boxes.fill(master)), place=path.name)
    committed_form.stamp(master, seconds=execution.stamp(executed).get("seconds"))
    _refuse(outputs.size_problems(committed_form.text(master)), place=path.name)
    return master


def _small(picture: str) -> str:
    """A picture (PNG, base64) with at most COLOURS colours: drawings look the same in half of the bytes."""
    from PIL import Image  # a tool of those who publish, in requirements-dev.txt

    with Image.open(io.BytesIO(base64.b64decode(picture))) as found:
        few = found.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(small := io.BytesIO(), format="PNG", optimize=True)
    return min(picture, base64.b64encode(small.getvalue()).decode(), key=len)


def _refuse(problems: Iterable[str], *, place: str) -> None:
    for problem in problems:
        raise RunFailed(f"{place}: {problem}")
