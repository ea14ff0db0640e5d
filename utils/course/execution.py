"""Executing one notebook with papermill: a kernel of this very environment, a stamped copy, failures in plain words.

Which notebooks are run, and in what order, is decided in `utils.course.runner`.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat

from utils import disk, environment, freshness, settings
from utils.course import stages

STAMP = "rank_for_less"
REMEDIES = {  # by what the system says
    os.strerror(errno.ENOSPC): "free some space",
    os.strerror(errno.EMFILE): f"let more files be open with: ulimit -n {environment.N_FILES}",
}


class RunFailed(RuntimeError):
    """A notebook stopped: the message names the notebook, the cell and the error."""


@dataclass(frozen=True)
class Job:
    """One notebook in one run: `passed` are the parameters that differ from its own defaults."""

    source: Path
    executed: Path
    run_folder: Path
    passed: dict[str, object]
    fingerprint: str

    @property
    def partial(self) -> Path:
        return disk.partial(self.executed)

    @property
    def failed(self) -> Path:
        return self.executed.with_suffix(".failed.ipynb")


def execute(job: Job) -> float:
    """Run the notebook, stamp it, put it in place of the last copy; returns seconds.

    Raises:
        RunFailed: a cell failed, or the kernel died or did not start; what was done is kept as *.failed.ipynb.
        KeyboardInterrupt: Ctrl-C; the kernel is stopped.
    """
    job.executed.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        _papermill(job)
        seconds = round(time.perf_counter() - start, 1)
        nb = nbformat.read(job.partial, as_version=4)
        made = stages.made_by(job.run_folder, notebook=job.source.stem)
        stamp = {"cells": freshness.of_cells(nb), "fingerprint": job.fingerprint, "seconds": seconds, "made": made}
        nb.metadata[STAMP] = dict(nb.metadata.get(STAMP, {})) | stamp
        nbformat.write(nb, job.partial)
        os.replace(job.partial, job.executed)
    finally:
        job.partial.unlink(missing_ok=True)
    job.failed.unlink(missing_ok=True)
    return seconds


def stamp(path: Path) -> dict:
    """What an executed copy says of its run; nothing where there is no copy, or one that cannot be read."""
    try:
        return nbformat.read(path, as_version=4).metadata.get(STAMP, {})
    except (OSError, ValueError, AttributeError, KeyError, TypeError):  # missing, cut short, or not a notebook
        return {}


def _papermill(job: Job) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("tornado").setLevel(logging.CRITICAL)  # a socket that is closed under it logs a traceback
    try:
        papermill.execute_notebook(
            str(job.source).replace("{", "{{").replace("}", "}}"),  # papermill fills braces in paths
            str(job.partial).replace("{", "{{").replace("}", "}}"),
            parameters=job.passed,
            kernel_name="python3",
            language="python",
            kernel_manager_class=own_kernel(),
            extra_arguments=["--log-level=CRITICAL"],  # a kernel that is stopped at work logs a traceback
            cwd=str(settings.NOTEBOOKS),
            progress_bar={"desc": job.source.stem, "leave": False, "disable": None},
        )
    except PapermillExecutionError as error:
        raise _failure(job, f"{_failing_cell(job.partial)}: {error.ename}: {error.evalue}") from error
    except DeadKernelError as error:
        raise _failure(job, f"its kernel stopped, perhaps for want of memory: {error}") from error
    except RuntimeError as error:
        raise _failure(job, f"its kernel did not start: {error}") from error


def own_kernel() -> type:
    """A kernel of this very interpreter, whatever kernels the user has installed under the same name.

    MPLBACKEND is not for it: with a window's or a file's backend its pictures would not be in the notebook.
    """
    import zmq
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpecManager

    class OwnKernel(AsyncKernelManager):
        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

        def _transport_encryption_default(self) -> str:
            return "auto" if zmq.has("curve") else "disabled"  # "auto" keeps the kernel from warning

        async def start_kernel(self, **how) -> None:
            env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
            await super().start_kernel(**{"env": env} | how)

    return OwnKernel


def _failing_cell(path: Path) -> str:
    """The cell that failed, counted from 0 in the master, which lacks the cells that papermill adds.

    Where the kernel could not even say what went wrong, as with too few files, no cell holds an error.
    """
    added = {"injected-parameters", "papermill-error-cell-tag"}
    nb = nbformat.read(path, as_version=4)
    cells = [cell for cell in nb.cells if not added & set(cell.metadata.get("tags", []))]
    failed = [any(output.output_type == "error" for output in cell.get("outputs", [])) for cell in cells]
    return f"cell {failed.index(True)}" if True in failed else "stopped"


def _failure(job: Job, what: str) -> RunFailed:
    remedy = next((remedy for said, remedy in REMEDIES.items() if said in what), "correct it")
    kept = ""
    if job.partial.exists():
        os.replace(job.partial, job.failed)
        kept = f"kept as {job.failed.name}; "
    return RunFailed(f"{job.source.name} {what} ({kept}{remedy}, then 'course run' goes on)")
