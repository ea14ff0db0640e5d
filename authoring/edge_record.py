"""`course results --edge`: the student in the formats of devices, recorded under data/results/edge/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from utils import course, settings
from utils.course import exporting
from utils.course.run import Run
from utils.data import identity
from utils.edge import recorded_edge
from utils.edge.exports import converters, device_matrix
from utils.edge.recorded_edge import Record
from utils.measure import ledger, load

NOTEBOOK = "results"  # as recorded studies are called
STAGE = "student"
RECORDED = ("litert", "executorch")  # formats whose converters a reader may not have


def record(*, dataset: str, profile: str, seed: int, echo: Callable[[str], object] = print) -> Path:
    """Export the student of a run, measure every export by turns, and write the record.

    Raises:
        FileNotFoundError: the run has no student yet.
        ValueError: a converter could not be installed, or failed. Nothing is written then.
    """
    chosen = {"profile": profile, "dataset": dataset, "seed": seed}
    out = str(identity.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=""))
    run = course.begin(NOTEBOOK, **chosen, out=out, needs=(STAGE,))
    for name in RECORDED:
        converters.install(name, echo=echo)
    return recorded_edge.write(measured(run, formats=RECORDED, echo=echo))


def measured(run: Run, *, formats: tuple[str, ...], echo: Callable[[str], object] = print) -> Record:
    """The record of the run's student in these formats, in fp32 and int8."""
    variants = {}
    for to in formats:
        for precision in ("fp32", "int8"):
            echo(f"{STAGE} to {to} in {precision}")
            variants[f"{to} {precision}"] = exporting.stage(run, STAGE, to=to, precision=precision)
    sizes = {"run_folder": run.folder, "setting": run.setting}
    pairs = load.workload(run.catalogue, n_queries=1)[0]
    peaks = device_matrix.peak_memory(variants, run_folder=run.folder, pairs=pairs, max_tokens=run.profile.max_tokens)
    reference = device_matrix.reference_scores(run.stage(STAGE), setting=run.setting)
    lines = device_matrix.measure(variants, reference=reference, peaks=peaks, **sizes)
    return Record(
        machine=run.machine,
        versions=ledger.versions(),
        dataset=run.catalogue.name,
        dataset_hash=run.catalogue.hash,
        profile=run.profile.name,
        seed=run.seed,
        git_revision=ledger.git_revision(),
        time_utc=ledger.now(),
        command=f"course results --edge --dataset {settings.dataset_name(run.dataset)} "
        f"--seed {run.seed} --profile {run.profile.name}",
        rows=tuple(recorded_edge.row_of(name, line, run_folder=run.folder) for name, line in lines.items()),
    )
