"""What decides the outcome of a notebook, as one hash: its code cells, its parameters, the code of ours behind them,
the lock, and the stages and data it builds on. What code means is for `utils.freshness` to say.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbformat import NotebookNode

from utils import disk, freshness, settings
from utils.data import identity

PRICES = {"utils.measure.pricing:load_prices": "prices.csv"}  # the file under data/ that it reads
READERS = {  # of recorded results, and the folder under data/results/ that each reads
    "utils.course.records.recorded:read": "",
    "utils.course.records.recorded_sweep:read": "sweep",
    "utils.speed.gpu.recorded:read": "gpu",
}


def fingerprint(nb: NotebookNode, *, parameters: Mapping[str, object], upstream: Mapping[str, str]) -> str:
    """Hash of all that decides what the notebook gives; `upstream` maps a stage (or the data) to its hash."""
    reached = freshness.reached_by_cells(nb)
    prices = [disk.sha256(settings.DATA / file) for reader, file in PRICES.items() if reader in reached]
    return freshness.key(
        cells=freshness.of_cells(nb),
        parameters=dict(parameters),
        code=freshness.of_definitions(reached),
        prices=prices,
        requirements=freshness.requirements(),
        upstream=dict(upstream),
    )


def data_hashes(dataset: str) -> dict[str, str]:
    """Hashes of the files of a data set; none for the embedded shop, which is code.

    Raises:
        ValueError: there is no such folder, or the public set has not been fetched.
    """
    return {f"data {name}": digest for name, digest in identity.file_hashes(dataset).items()}


def recorded_hashes(nb: NotebookNode, *, dataset: str) -> dict[str, str]:
    """Hashes of the recorded results that the notebook may show; none where it does not reach them."""
    reached = freshness.reached_by_cells(nb)
    folders = [settings.RESULTS / folder for reader, folder in READERS.items() if reader in reached]
    files = sorted(path for folder in folders for path in folder.glob(f"{settings.dataset_name(dataset)}-*.json"))
    return {f"recorded {path.relative_to(settings.RESULTS)}": disk.sha256(path) for path in files}
