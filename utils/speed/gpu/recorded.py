"""What was measured on a card, as it is kept under data/results/gpu/: one file a card, rows with reasons for gaps.

A row is one way of running one model. What could not be had, such as a package that is not there, is null with its
reason; nothing is ever filled in by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from utils import disk, settings

FOLDER = "gpu"
FORMAT = 1
FIGURES = (
    *("pairs_per_s", "pairs_per_s_tokenized", "latency_ms", "mfu", "watts"),
    *("ndcg10", "change_low", "change_high", "score_difference", "steps_per_s"),
)


@dataclass(frozen=True)
class Row:
    """One way of running one model on the card.

    Attributes:
        what: the model and its texts, such as "teacher, pairs of valid".
        how: precision, layout and what else was done.
        pairs_per_s: with tokens known beforehand, and pairs_per_s_tokenized with tokenization.
        latency_ms: the median of one query with its candidates, tokenized.
        mfu: of the data sheet's peak in that precision.
        change_low, change_high: ends of the 95% interval of NDCG@10 less that of fp32 on the CPU.
        score_difference: the largest, to fp32 on the CPU.
        steps_per_s: of training.
        why_null: the reason of every figure that is null.
    """

    what: str
    how: str
    pairs_per_s: float | None = None
    pairs_per_s_tokenized: float | None = None
    latency_ms: float | None = None
    mfu: float | None = None
    watts: float | None = None
    ndcg10: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    score_difference: float | None = None
    steps_per_s: float | None = None
    why_null: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        """ValueError where a figure is null without a reason, or has a reason and is not null."""
        empty = {name for name in FIGURES if getattr(self, name) is None}
        if wrong := sorted(empty ^ set(self.why_null)):
            raise ValueError(f"{self.how}: {wrong[0]} is null without a reason in why_null, or has both")

    @classmethod
    def of(cls, what: str, how: str, *, why_others: str, **figures: float | None) -> Row:
        """A row of these figures; all others are null for one reason."""
        known = {name: value for name, value in figures.items() if value is not None}
        return cls(
            what, how, **known, why_null=dict.fromkeys([name for name in FIGURES if name not in known], why_others)
        )


@dataclass(frozen=True)
class Record:
    """What one command measured on one card.

    Attributes:
        card: its name, as PyTorch has it; `machine` and `versions` are of the host around it.
        ndcg10: of the teacher in fp32 on the CPU, on valid.
    """

    card: str
    machine: dict
    versions: dict[str, str]
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    git_revision: str
    time_utc: str
    command: str
    ndcg10: float
    rows: tuple[Row, ...]


def write(record: Record) -> Path:
    """Keep the record in the file of its card and its data, in the place of an older one."""
    card = re.sub(r"[^a-z0-9]+", "-", record.card.lower()).strip("-")
    path = settings.RESULTS / FOLDER / f"{record.dataset}-{record.profile}-{card}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return disk.write_whole(path, disk.json_text({"format": FORMAT} | asdict(record)) + "\n")


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
        rows: Sequence[dict] = kept.pop("rows")
        return Record(rows=tuple(Row(**row) for row in rows), **kept)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"data/results/{FOLDER}/{path.name}: cannot be read ({error}); record it anew") from None
