"""Run the notebooks in order, skip those whose fingerprint has not changed, and say how each stands.

An executed copy lies in the run's folder under `notebooks/`; the masters in the repository change only by
`utils.course.publish`.
"""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from utils import settings
from utils.course import fingerprint as prints

STAMP = "rank_for_less"


class RunFailed(RuntimeError):
    """A notebook stopped: the message names the notebook, the cell and the error."""


@dataclass(frozen=True)
class NotebookStatus:
    """How a notebook stands in a run: 'fresh', 'changed', 'never run' or 'failed'; seconds of the run that is kept."""

    name: str
    state: str
    seconds: float | None


@dataclass(frozen=True)
class _Job:
    """One notebook in one run: `passed` are the parameters that differ from its own defaults."""

    source: Path
    executed: Path
    run_folder: Path
    passed: dict[str, object]
    fingerprint: str

    @property
    def partial(self) -> Path:
        return self.executed.with_suffix(".partial.ipynb")

    @property
    def failed(self) -> Path:
        return self.executed.with_suffix(".failed.ipynb")


def notebooks(only: str | None = None, from_: str | None = None) -> list[Path]:
    """The notebooks in reading order: one of them, or those from one on; named by number ('1', '01') or by name.

    Raises:
        ValueError: there is no such notebook; names those there are.
    """
    paths = sorted(settings.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if only is not None and from_ is not None:
        raise ValueError("--only and --from exclude each other; give one of them")
    if only is not None:
        return [paths[_position(only, paths=paths)]]
    return paths[_position(from_, paths=paths) :] if from_ is not None else paths


def run(
    *,
    profile: str,
    dataset: str,
    seed: int,
    from_: str | None = None,
    only: str | None = None,
    out: str = "",
    echo: Callable[[str], object] = print,
) -> Path:
    """Execute the notebooks that are not fresh, in order; returns the run's folder.

    Data in a folder is checked before the first notebook is executed, so that bad input makes nothing.

    Raises:
        ValueError: unknown notebook, profile or parameter, unusable data.
        RunFailed: a notebook stopped; what it had done is kept as *.failed.ipynb.
    """
    chosen = notebooks(only, from_)
    if not chosen:
        raise ValueError(f"{settings.NOTEBOOKS.name}/ holds no notebooks; they are named NN_title.ipynb")
    unchecked = dataset != "synthetic"
    for job in _jobs(chosen, profile=profile, dataset=dataset, seed=seed, out=out):
        if _state(job) == "fresh":
            echo(f"{job.source.stem}: unchanged")
            continue
        if unchecked:
            _check_data(dataset, profile=profile)
            unchecked = False
        echo(f"{job.source.stem}: {_execute(job):.0f} s")
    return settings.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out)


def status(*, profile: str, dataset: str, seed: int, out: str = "") -> list[NotebookStatus]:
    """How every notebook stands in this run; nothing is executed."""
    return [
        NotebookStatus(name=job.source.stem, state=_state(job), seconds=_stamp(job.executed).get("seconds"))
        for job in _jobs(notebooks(), profile=profile, dataset=dataset, seed=seed, out=out)
    ]


def _jobs(paths: list[Path], *, profile: str, dataset: str, seed: int, out: str) -> Iterator[_Job]:
    """One at a time, for a notebook's fingerprint depends on the stages that those before it have just made."""
    settings.profile(profile)
    folder = settings.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out)
    dataset, data = _absolute(dataset), prints.data_hashes(dataset)
    deciding = {"PROFILE": profile, "DATASET": dataset, "SEED": seed}
    for path in paths:
        nb = nbformat.read(path, as_version=4)
        stages = prints.stage_hashes(folder)
        needs = nb.metadata.get(STAMP, {}).get("needs", [])
        upstream = data | {f"stage {stage}": stages.get(stage, "missing") for stage in needs}
        yield _Job(
            source=path,
            executed=folder / "notebooks" / path.name,
            run_folder=folder,
            passed=_differing(path, parameters=deciding | ({"OUT": str(folder)} if out else {})),
            fingerprint=prints.fingerprint(nb, parameters=deciding, upstream=upstream),
        )


def _check_data(dataset: str, *, profile: str) -> None:
    from utils.data import catalogue

    catalogue.load(dataset, profile=settings.profile(profile))


def _absolute(dataset: str) -> str:
    """The data set as a notebook needs it, which runs in another folder."""
    return dataset if dataset == "synthetic" else str(Path(dataset).expanduser().resolve())


def _differing(path: Path, *, parameters: dict[str, object]) -> dict[str, object]:
    """The parameters whose value is not the notebook's own default; a parameter it does not have is an error."""
    import papermill

    known = papermill.inspect_notebook(str(path).replace("{", "{{").replace("}", "}}"))
    for name in parameters:
        if name not in known:
            has = ", ".join(known) or "none"
            raise ValueError(f"{path.name}: no parameter {name} (has: {has}); add it to the cell tagged 'parameters'")
    return {name: value for name, value in parameters.items() if _literal(known[name]["default"]) != value}


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _state(job: _Job) -> str:
    if job.failed.exists():
        return "failed"
    if not job.executed.exists():
        return "never run"
    stamp = _stamp(job.executed)
    made = all((job.run_folder / stage / "stage.json").exists() for stage in stamp.get("made", []))
    return "fresh" if made and stamp.get("fingerprint") == job.fingerprint else "changed"


def _stamp(path: Path) -> dict:
    return nbformat.read(path, as_version=4).metadata.get(STAMP, {}) if path.exists() else {}


def _execute(job: _Job) -> float:
    """Run the notebook, stamp it, put it in place of the last copy; returns seconds."""
    from nbclient.exceptions import DeadKernelError

    job.executed.parent.mkdir(parents=True, exist_ok=True)
    before, start = prints.stage_hashes(job.run_folder), time.perf_counter()
    try:
        _papermill(job)
    except DeadKernelError as error:
        raise _failure(job, f"its kernel stopped, perhaps for want of memory: {error}") from error
    seconds = round(time.perf_counter() - start, 1)
    nb = nbformat.read(job.partial, as_version=4)
    made = [stage for stage, value in prints.stage_hashes(job.run_folder).items() if before.get(stage) != value]
    stamp = {"cells": prints.cells_hash(nb), "fingerprint": job.fingerprint, "seconds": seconds, "made": made}
    nb.metadata[STAMP] = dict(nb.metadata.get(STAMP, {})) | stamp
    nbformat.write(nb, job.partial)
    os.replace(job.partial, job.executed)
    job.failed.unlink(missing_ok=True)
    return seconds


def _papermill(job: _Job) -> None:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            str(job.source).replace("{", "{{").replace("}", "}}"),  # papermill fills braces in paths
            str(job.partial).replace("{", "{{").replace("}", "}}"),
            parameters=job.passed,
            kernel_name="python3",
            language="python",
            kernel_manager_class=_own_kernel(),
            cwd=str(settings.NOTEBOOKS),
            progress_bar={"desc": job.source.stem, "leave": False, "disable": None},
        )
    except PapermillExecutionError as error:
        raise _failure(job, f"cell {_failing_cell(job.partial)}: {error.ename}: {error.evalue}") from error


def _own_kernel() -> type:
    """A kernel of this very interpreter, whatever kernels the user has installed under the same name."""
    import zmq
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager

    class OwnKernel(AsyncKernelManager):
        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

        def _transport_encryption_default(self) -> str:
            return "auto" if zmq.has("curve") else "disabled"  # "auto" keeps the kernel from warning

    return OwnKernel


def _failing_cell(path: Path) -> int:
    """Index of the cell that failed, counted from 0 in the master, which lacks the cells that papermill adds."""
    added = {"injected-parameters", "papermill-error-cell-tag"}
    nb = nbformat.read(path, as_version=4)
    cells = [cell for cell in nb.cells if not added & set(cell.metadata.get("tags", []))]
    failed = (any(output.output_type == "error" for output in cell.get("outputs", [])) for cell in cells)
    return list(failed).index(True)


def _failure(job: _Job, what: str) -> RunFailed:
    if job.partial.exists():
        os.replace(job.partial, job.failed)
    return RunFailed(f"{job.source.name} {what} (kept as {job.failed.name}; correct it, then 'course run' goes on)")


def _position(name: str, *, paths: list[Path]) -> int:
    wanted = name.removesuffix(".ipynb")
    for position, path in enumerate(paths):
        number, _, title = path.stem.partition("_")
        if wanted in (path.stem, title) or (wanted.isdecimal() and int(wanted) == int(number)):
            return position
    known = ", ".join(path.stem for path in paths) or "none"
    raise ValueError(f"notebook '{name}' is not one of {known}")
