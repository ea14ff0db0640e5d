"""Run the notebooks in order, skip those whose fingerprint has not changed, and say how each stands.

An executed copy lies in the run's folder under `notebooks/`; the masters in the repository change only by
`authoring.publish`.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat

from utils import disk, settings
from utils.course import execution, stages
from utils.course import fingerprint as prints
from utils.course.execution import STAMP, Job
from utils.data import identity


class Interrupted(RuntimeError):
    """Somebody stopped the run with Ctrl-C."""


@dataclass(frozen=True)
class NotebookStatus:
    """How a notebook stands in a run, and the seconds of the run that is kept.

    Attributes:
        state: 'fresh', 'changed', 'never run', 'failed', or 'damaged' when a stage it made is.
    """

    name: str
    state: str
    seconds: float | None


def notebooks(only: str | None = None, from_: str | None = None) -> list[Path]:
    """The notebooks in reading order: one of them, or those from one on; named by number ('1', '01') or by name.

    One alone may be of those for the curious, too ('03b').

    Raises:
        ValueError: there is no such notebook; names those there are.
    """
    paths = sorted(settings.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if only is not None and from_ is not None:
        raise ValueError("--only and --from exclude each other; give one of them")
    if only is not None:
        every = [*paths, *more()]
        return [every[_position(only, paths=every)]]
    return paths[_position(from_, paths=paths) :] if from_ is not None else paths


def more() -> list[Path]:
    """The notebooks for the curious, which belong to no run and make no stage that another starts from."""
    return sorted((settings.NOTEBOOKS / "more").glob("[0-9][0-9][a-z]_*.ipynb"))


def run(
    *,
    profile: str,
    dataset: str,
    seed: int,
    from_: str | None = None,
    only: str | None = None,
    out: str = "",
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    echo: Callable[[str], object] = print,
) -> Path:
    """Execute the notebooks that are not fresh, in order; returns the run's folder.

    Data in a folder is checked before the first notebook is executed, so that bad input makes nothing.

    Args:
        parameters: further parameters of single notebooks, by the notebook's name.

    Raises:
        ValueError: unknown notebook, profile or parameter, unusable data or seed, a folder that cannot be written, or
            one in which another run is working.
        execution.RunFailed: a notebook stopped; what it had done is kept as *.failed.ipynb.
        Interrupted: somebody stopped the run.
    """
    plan = _plan(profile=profile, dataset=dataset, seed=seed, out=out, parameters=parameters or {})
    return _execute_stale(notebooks(only, from_), plan=plan, echo=echo)


def make_stages(
    *, profile: str, dataset: str, seed: int, only: str, out: str, echo: Callable[[str], object] = print
) -> Path:
    """As `run`, for whoever wants a notebook's stages alone: results recorded since leave it fresh that shows them."""
    plan = _plan(profile=profile, dataset=dataset, seed=seed, out=out, parameters={})
    return _execute_stale(notebooks(only), plan=replace(plan, shown=_nothing), echo=echo)


def _execute_stale(chosen: list[Path], *, plan: _Plan, echo: Callable[[str], object]) -> Path:
    if not chosen:
        raise ValueError(f"{settings.NOTEBOOKS.name}/ holds no notebooks; they are named NN_title.ipynb")
    if strange := set(plan.parameters) - {path.stem for path in [*notebooks(), *more()]}:
        raise ValueError(f"parameters are given for '{strange.pop()}', which is no notebook")
    stale = [job.source.stem for job in _jobs(chosen, plan=plan) if _state(job)[0] != "fresh"]
    if stale and plan.dataset != settings.EMBEDDED:
        _check_data(plan.dataset, profile=plan.profile)
    busy = f"{plan.folder}: another run is working there; wait for it, or give another --out"
    with disk.lock(plan.folder / ".lock", busy=busy):
        disk.sweep(plan.folder)
        for job in _jobs(chosen, plan=plan):
            _bring_up_to_date(job, echo=echo)
    return plan.folder


def _bring_up_to_date(job: Job, *, echo: Callable[[str], object]) -> None:
    state, problem = _state(job)
    if state == "damaged":
        echo(f"{job.source.stem}: {problem}; it is made again")
    try:
        done = "unchanged" if state == "fresh" else f"{execution.execute(job):.0f} s"
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped in {job.source.name}; finished notebooks are kept, and the same command goes on from there"
        ) from None
    echo(f"{job.source.stem}: {done}")


def status(*, profile: str, dataset: str, seed: int, out: str = "") -> list[NotebookStatus]:
    """How every notebook stands in this run; nothing is executed."""
    plan = _plan(profile=profile, dataset=dataset, seed=seed, out=out, parameters={})
    return [
        NotebookStatus(name=job.source.stem, state=_state(job)[0], seconds=execution.stamp(job.executed).get("seconds"))
        for job in _jobs(notebooks(), plan=plan)
    ]


@dataclass(frozen=True)
class _Plan:
    """What all notebooks of a run share.

    Attributes:
        dataset: as a notebook needs it, which runs in another folder: a name stays, a path is absolute.
        passes_out: whether the notebooks must be told of `folder`, which is not the one they would choose.
        shown: gives the hashes of the recorded results that a notebook shows.
    """

    profile: str
    dataset: str
    seed: int
    folder: Path
    passes_out: bool
    data: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, object]]
    shown: Callable[..., Mapping[str, str]] = prints.recorded_hashes

    def given(self, notebook: str) -> dict[str, object]:
        """The parameters of a notebook."""
        chosen = {"PROFILE": self.profile, "DATASET": self.dataset, "SEED": self.seed}
        return chosen | self.parameters.get(notebook, {})


def _plan(*, profile: str, dataset: str, seed: int, out: str, parameters: Mapping[str, Mapping[str, object]]) -> _Plan:
    settings.profile(profile)
    settings.check_seed(seed)
    return _Plan(
        profile=profile,
        dataset=dataset if dataset in settings.NAMED_SETS else os.path.abspath(settings.data_folder(dataset)),
        seed=seed,
        folder=identity.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=out),
        passes_out=bool(out),
        data=prints.data_hashes(dataset),
        parameters=parameters,
    )


def _jobs(paths: list[Path], *, plan: _Plan) -> Iterator[Job]:
    """One at a time, for a notebook's fingerprint depends on the stages that those before it have just made."""
    for path in paths:
        nb, given = nbformat.read(path, as_version=4), plan.given(path.stem)
        made, needs = stages.hashes(plan.folder), nb.metadata.get(STAMP, {}).get("needs", [])
        upstream = dict(plan.data) | {f"stage {stage}": made.get(stage, "missing") for stage in needs}
        upstream |= plan.shown(nb, dataset=plan.dataset)
        deciding = given | {"DATASET": settings.dataset_name(str(given["DATASET"]))}  # wherever the data lie
        yield Job(
            source=path,
            executed=plan.folder / "notebooks" / path.name,
            run_folder=plan.folder,
            passed=_differing(path, parameters=given | ({"OUT": str(plan.folder)} if plan.passes_out else {})),
            fingerprint=prints.fingerprint(nb, parameters=deciding, upstream=upstream),
        )


def _nothing(nb: nbformat.NotebookNode, *, dataset: str) -> Mapping[str, str]:
    """The hashes of the recorded results that count where none does."""
    return {}


def _check_data(dataset: str, *, profile: str) -> None:
    from utils.data import catalogue

    catalogue.load(dataset, profile=settings.profile(profile))


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


def _state(job: Job) -> tuple[str, str]:
    """How the notebook stands, and what is wrong with a stage it made."""
    if job.failed.exists():
        return "failed", ""
    if not job.executed.exists():
        return "never run", ""
    stamp = execution.stamp(job.executed)
    if stamp.get("fingerprint") != job.fingerprint:
        return "changed", ""
    for name in stamp.get("made", []):
        if problem := stages.problem(job.run_folder / name):
            return "damaged", f"stage '{name}' cannot be used: {problem}"
    return "fresh", ""


def _position(name: str, *, paths: list[Path]) -> int:
    wanted = name.removesuffix(".ipynb")
    for position, path in enumerate(paths):
        number, _, title = path.stem.partition("_")
        if wanted in (path.stem, title, number) or (wanted.isdecimal() and wanted.lstrip("0").zfill(2) == number):
            return position
    known = ", ".join(path.stem for path in paths) or "none"
    raise ValueError(f"notebook '{name}' is not one of {known}")
