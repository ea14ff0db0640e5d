"""`course results --edge`: the student in the formats of devices and in a browser, recorded in data/results/edge/."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from authoring import browser_record
from utils import course, settings
from utils.course import exporting, formats
from utils.course.run import Run
from utils.data import identity
from utils.edge import recorded_edge
from utils.edge.exports import converters, device_matrix
from utils.edge.recorded_edge import Record
from utils.measure import ledger

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
    return recorded_edge.write(measured(run, targets=RECORDED, echo=echo))


def measured(run: Run, *, targets: tuple[str, ...], echo: Callable[[str], object] = print) -> Record:
    """The record of the run's student in these formats, in fp32 and int8."""
    variants = {}
    for to in targets:
        for precision in ("fp32", "int8"):
            echo(f"{STAGE} to {to} in {precision}")
            variants[formats.name_of(to, precision)] = exporting.stage(run, STAGE, to=to, precision=precision)
    reference = device_matrix.reference_scores(run.stage(STAGE), setting=run.setting)
    lines = formats.measure(run, variants, reference=reference)
    echo(f"{STAGE} in a browser")
    in_browser = browser_record.measured(run, STAGE, reference=reference)
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
        rows=(*(recorded_edge.row_of(name, line, run_folder=run.folder) for name, line in lines.items()), in_browser),
    )
