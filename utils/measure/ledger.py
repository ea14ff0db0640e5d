"""The ledger: one checked row for every model or way of running one, in `ledger.jsonl`.

A row with a forgotten field, a NaN, or a null without a reason is refused when written. Rows are appended whole.
"""

from __future__ import annotations

import errno
import os
import subprocess
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from utils import settings

CUT = b" #cut short"  # ends a half line left by a crash, so that damage elsewhere stays an error
CODE = ("utils", "notebooks", "data/recipes", "requirements.txt")  # what a run is made by
PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "nncf", "optimum", "numpy")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Latency(_Strict):
    """Milliseconds for one query with all its candidates, over `n` timed queries."""

    p50: float
    p95: float
    p99: float
    n: int


class Delta(_Strict):
    """A difference of NDCG@10 to the teacher with the ends of its 95% interval."""

    mean: float
    low: float
    high: float


class Row(_Strict):
    """One line of the ledger; the design's table of fields, in its order. Every field must be given."""

    stage: str
    parent: str | None
    label: str
    notebook: str
    model_hash: str | None
    runtime: str
    precision: str
    device: str
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    git_revision: str
    time_utc: str
    machine: dict[str, str | bool | int | float | list[str] | None]
    versions: dict[str, str]
    n_params: int | None
    n_params_nonzero: int | None
    n_params_embedding: int | None
    n_params_encoder: int | None
    disk_bytes: int | None
    peak_rss_bytes: int | None
    macs_per_pair: int | None
    threads: int
    n_candidates: int | None
    batch_size: int | None
    latency_ms: Latency | None
    pairs_per_s: float | None
    split: str | None
    n_queries: int | None
    ndcg10: float | None
    mrr10: float | None
    ndcg10_delta: Delta | None
    ndcg10_end_to_end: float | None
    recall: float | None
    instance: str | None
    usd_per_million_queries: float | None
    why_null: dict[str, str]

    @model_validator(mode="after")
    def _nulls_have_reasons(self) -> Row:
        empty = {name for name in type(self).model_fields if getattr(self, name) is None} - {"parent"}
        given = {name for name, reason in self.why_null.items() if reason.strip()}
        optional = {"parent"} if self.parent is None else set()
        wrong = sorted((empty ^ set(self.why_null)) - optional | set(self.why_null) - given)
        if wrong:
            raise ValueError(f"{wrong[0]} is null without a reason in why_null, or has a reason and is not null")
        return self


def append(path: Path, *rows: Row) -> None:
    """Add rows at the end, whole: one write, then flushed to the disk. A half line left by a crash is marked first.

    Raises:
        OSError: the disk took only a part of the rows; `read` passes over what is not a whole row.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(row.model_dump_json().encode() + b"\n" for row in rows)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, 0o644)
    try:
        if os.fstat(file).st_size:
            os.lseek(file, -1, os.SEEK_END)
            if os.read(file, 1) != b"\n":
                lines = CUT + b"\n" + lines
        if os.write(file, lines) != len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> list[Row]:
    """All rows; none when there is no file. A line that a crash cut short is no row and is passed over.

    Lines are split at newlines only: a label may hold other characters that Python's `splitlines` would split at.

    Raises:
        ValueError: a line that was written whole is not a row; names the file and the line.
    """
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.endswith(CUT):
            if line != CUT:
                warnings.warn(f"{path.name} line {number}: cut short by a crash, passed over", stacklevel=2)
            continue
        try:
            rows.append(Row.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "row"
            raise ValueError(f"{path.name} line {number}: {field}: {first['msg']}; delete the line and rerun") from None
    return rows


def latest(rows: Sequence[Row]) -> list[Row]:
    """The last row of each stage, runtime, precision, device, threads and data set, in order of first appearance."""
    last = {(r.stage, r.runtime, r.precision, r.device, r.threads, r.dataset_hash): r for r in rows}
    return list(last.values())


def current(path: Path, *, dataset_hash: str | None = None) -> list[Row]:
    """The latest rows of that data, or of the data measured last; rows of data that has changed since are history."""
    rows = read(path)
    return latest([row for row in rows if row.dataset_hash == (dataset_hash or rows[-1].dataset_hash)])


def tabulate(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a reader wants them: quality, size, work, time and money.

    A dash stands where a row has no value; a column that no row fills is left out, and so are the threads where all
    rows were timed on as many.
    """
    columns = {
        "NDCG@10": lambda r: f"{r.ndcg10:.3f}",
        "to the teacher": lambda r: (
            f"{r.ndcg10_delta.mean:+.3f} [{r.ndcg10_delta.low:+.3f}, {r.ndcg10_delta.high:+.3f}]"
        ),
        "end to end": lambda r: f"{r.ndcg10_end_to_end:.3f}",
        "M parameters": lambda r: f"{r.n_params / 1e6:.1f}",
        "MB": lambda r: f"{r.disk_bytes / 1e6:.1f}",
        "G MACs a pair": lambda r: f"{r.macs_per_pair / 1e9:.2f}",
        "threads": lambda r: f"{r.threads}" if r.latency_ms else "–",
        "ms a query of 100 (p50)": lambda r: f"{r.latency_ms.p50:,.0f}",
        "pairs/s": lambda r: f"{r.pairs_per_s:,.0f}",
        "$ a million queries": lambda r: f"{r.usd_per_million_queries:,.2f}",
    }
    data = {title: [_or_dash(cell, row) for row in rows] for title, cell in columns.items()}
    data = {title: cells for title, cells in data.items() if set(cells) != {"–"}}
    if len(set(data.get("threads", [])) - {"–"}) == 1:
        del data["threads"]
    return pd.DataFrame(data, index=pd.Index([row.label for row in rows], name="row"))


def _or_dash(cell, row: Row) -> str:
    try:
        return cell(row)
    except (TypeError, AttributeError):
        return "–"


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a measurement."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_revision() -> str:
    """The checkout's commit, with '-dirty' where code differs from it; 'unknown' outside a checkout."""
    try:
        revision = _git("rev-parse", "--short=12", "HEAD")
        return f"{revision}-dirty" if _git("status", "--porcelain", "--", *CODE) else revision
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    command = ["git", "-C", str(settings.ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def now() -> str:
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
