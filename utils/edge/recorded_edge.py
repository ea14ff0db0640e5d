"""Exports that were measured where their converters are, as they are kept under data/results/edge/: a file a run.

A machine without a converter shows these rows, with the hash of the weights that they are of.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from utils import disk, settings
from utils.edge.exports.device_matrix import Line
from utils.rank import runtimes

FOLDER = "edge"
FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One export, in plain values.

    Attributes:
        cells: its line of the device matrix, as `device_matrix.Line.as_row` writes it.
        model_hash: of the export's own weights; parent_hash: of the model.safetensors that it was made from.
    """

    name: str
    runtime: str
    precision: str
    model_hash: str
    parent_hash: str
    n_bytes: int
    rank_correlation: float
    ndcg10: float
    cells: dict[str, str]


@dataclass(frozen=True)
class Record:
    """What one command measured on one machine."""

    machine: dict
    versions: dict[str, str]
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    git_revision: str
    time_utc: str
    command: str
    rows: tuple[Row, ...]


def row_of(name: str, line: Line, *, run_folder: Path) -> Row:
    """A measured line as it is kept."""
    folder, variant = run_folder / line.variant.stage, line.variant
    hashes = [runtimes.weights_hash(folder, runtime=runtime) for runtime in (variant.runtime, "pytorch")]
    kept = (line.n_bytes, line.kept.rank_correlation, line.kept.ndcg10, line.as_row(name))
    return Row(name, variant.runtime, variant.precision, *hashes, *kept)


def write(record: Record) -> Path:
    """Keep the record in the file of its run, in the place of an older one."""
    path = settings.RESULTS / FOLDER / f"{record.dataset}-{record.profile}-{record.seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text({"format": FORMAT} | asdict(record)))


def read() -> list[Record]:
    """All records, by their files' names.

    Raises:
        ValueError: a file that is damaged or of another format; names it, and what makes it anew.
    """
    return [_read(path) for path in sorted((settings.RESULTS / FOLDER).glob("*.json"))]


def _read(path: Path) -> Record:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.pop("format") != FORMAT:
            raise ValueError("another format")
        rows = kept.pop("rows")
        return Record(rows=tuple(Row(**row) for row in rows), **kept)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        words = f"data/results/{FOLDER}/{path.name}: cannot be read ({error})"
        raise ValueError(f"{words}; record it anew: course results --edge") from None
