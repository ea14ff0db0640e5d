"""Recording a card: the run whose teacher is measured, the study, and the file that is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from authoring import gpu_study
from utils import course, settings
from utils.course import runner
from utils.course.run import Run
from utils.data import identity
from utils.measure import ledger
from utils.speed.gpu import device as devices
from utils.speed.gpu import recorded
from utils.speed.gpu.device import Device
from utils.speed.gpu.recorded import Record

NOTEBOOK = "results"  # as recorded studies are called
NEEDED = "01"  # the notebook that makes the teacher


def record(*, dataset: str, profile: str, seed: int, echo: Callable[[str], object] = print) -> Path:
    """Measure the card of this machine with a run's teacher, which is made first where it is not there.

    Raises:
        ValueError: there is no card, or the data cannot be used. Nothing is written then.
    """
    device = devices.choose("cuda")
    chosen = {"profile": profile, "dataset": dataset, "seed": seed}
    out = str(identity.run_folder(dataset=dataset, profile_name=profile, seed=seed, out=""))
    runner.make_stages(**chosen, only=NEEDED, out=out, echo=echo)
    run = course.begin(NOTEBOOK, **chosen, out=out, needs=("teacher",))
    return recorded.write(measured(run, device=device, echo=echo))


def measured(run: Run, *, device: Device, echo: Callable[[str], object] = print) -> Record:
    """The record of a device with the run's teacher."""
    ndcg10, rows = gpu_study.measure(run, device=device, echo=echo)
    return Record(
        card=device.name,
        machine=run.machine,
        versions=ledger.versions(),
        dataset=run.catalogue.name,
        dataset_hash=run.catalogue.hash,
        profile=run.profile.name,
        seed=run.seed,
        git_revision=ledger.git_revision(),
        time_utc=ledger.now(),
        command=f"course results --gpu --dataset {settings.dataset_name(run.dataset)} "
        f"--seed {run.seed} --profile {run.profile.name}",
        ndcg10=ndcg10,
        rows=tuple(rows),
    )
