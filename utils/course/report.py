"""The report of a run: one page that needs nothing beside it, made from the ledger. Nothing is measured here."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils import disk, settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from utils.measure.row_groups import Row
    from utils.rank.metrics import Quality

TEMPLATE = "report.html.j2"
IN_WORDS = {  # fields of a row as footnotes name them
    "model_hash": "hash of its weights",
    **dict.fromkeys(("n_params", "n_params_nonzero", "n_params_embedding", "n_params_encoder"), "count of parameters"),
    "disk_bytes": "bytes to ship",
    "peak_rss_bytes": "peak of memory",
    "macs_per_pair": "arithmetic of a pair",
    "n_candidates": "number of candidates",
    "batch_size": "batch size",
    "latency_ms": "time of a query",
    "pairs_per_s": "pairs a second",
    "split": "split",
    "n_queries": "number of queries",
    "ndcg10": "NDCG@10",
    "random_ndcg10": "NDCG@10 of a random order",
    "mrr10": "MRR@10",
    "ndcg10_delta": "difference to the teacher",
    "ndcg10_end_to_end": "NDCG@10 end to end",
    "end_to_end_is_lower_bound": "word on whether that is a lower bound",
    "recall": "recall of the candidates",
    "instance": "instance",
    "cores": "number of cores",
    "usd_per_million_queries": "dollars for a million queries",
}


def write(folder: Path, *, profile: str, dataset: str, seed: int, out: str = "") -> Path:
    """Write `folder`/report.html from the latest rows of `folder`/ledger.jsonl; returns its path.

    Raises:
        ValueError: there is no such folder, so no run.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from utils.course import verdict
    from utils.measure import ledger

    command = settings.run_command(profile=profile, dataset=dataset, seed=seed, out=out)
    if not folder.is_dir():
        raise ValueError(f"{folder.name}: nothing has run there yet; start with: {command}")
    rows = ledger.current(folder / "ledger.jsonl")
    name = "the embedded shop" if dataset == settings.EMBEDDED else f"the data set '{settings.dataset_name(dataset)}'"
    loader = PackageLoader("utils.course", package_path="")
    page = (
        Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        .get_template(TEMPLATE)
        .render(
            title="Rank for Less: what every step gained and cost",
            about=f"Rankers for {name}, at the sizes of the profile '{profile}', trained with seed {seed}.",
            machines=list(dict.fromkeys(machine_words(row.identity.machine) for row in rows)),
            versions="; ".join(dict.fromkeys(_versions(row) for row in rows)),
            command=command,
            sentences=verdict.sentences(rows, on_test=_kept_qualities(folder)) if rows else [],
            pictures=_pictures(rows),
            **_table(rows),
        )
    )
    return disk.write_whole(folder / "report.html", page)


def machine_words(machine: dict) -> str:
    """A sentence on the machine; what its row does not say is left out."""
    parts = [f"processor {machine['processor']}"] if machine.get("processor") else []
    parts += [f"{machine['cores']} cores"] if machine.get("cores") else []
    parts += [f"vector instructions {' '.join(found)}"] if (found := machine.get("vector_instructions")) else []
    parts += [f"{machine['memory_bytes'] / 2**30:.0f} GiB of memory"] if machine.get("memory_bytes") else []
    parts += [f"GPU {machine['gpu']}"] if machine.get("gpu") else ["no GPU"]
    parts += [str(machine["system"])] if machine.get("system") else []
    return f"Measured on this machine: {', '.join(parts)}."


def _kept_qualities(folder: Path) -> dict[str, Quality]:
    """What `Run.save_quality` kept, by its name; a file that cannot be read is left out."""
    from utils.rank.metrics import Quality

    kept = {path.stem: disk.read_object(path) for path in sorted((folder / "quality").glob("*.json"))}
    names = [field.name for field in dataclasses.fields(Quality)]
    return {
        name: Quality(**{field: found[field] for field in names})
        for name, found in kept.items()
        if set(names) <= found.keys()
    }


def _table(rows: Sequence[Row]) -> dict:
    """Columns, lines and footnotes; rows that lack the same fields for the same reasons share a footnote."""
    from utils.measure import ledger_table

    notes: dict[str, int] = {}
    lines = []
    frame = ledger_table.tabulate(rows)
    for row, cells in zip(rows, frame.itertuples(index=False), strict=True):
        numbers = [notes.setdefault(note, len(notes) + 1) for note in _notes(row)]
        lines.append({"label": row.label, "cells": list(cells), "notes": numbers})
    return {"columns": list(frame.columns), "lines": lines, "notes": list(notes)}


def _notes(row: Row) -> list[str]:
    fields: dict[str, list[str]] = {}
    for group in row.groups().values():
        for field in group.figures():
            if reason := group.reason(field):
                fields.setdefault(reason, []).append(IN_WORDS.get(field, field.replace("_", " ")))
    return [f"No {', '.join(dict.fromkeys(names))}: {reason}." for reason, names in fields.items()]


def _versions(row: Row) -> str:
    return ", ".join(f"{name} {version}" for name, version in row.identity.versions.items())


def _pictures(rows: Sequence[Row]) -> list[dict[str, str]]:
    from utils.course import running_picture
    from utils.measure import plots

    figures = []
    if found := running_picture.of_ledger(rows):
        figures.append({"data": _png(found), "alt": "NDCG@10 of each ranker against dollars for a million queries"})
    sized = [row for row in rows if row.size.disk_bytes is not None]
    if sized:
        second = plots.size_and_work(sized, title="What each step leaves of size and work")
        labels = ", ".join(row.label for row in sized)
        figures.append({"data": _png(second), "alt": f"Bytes on disk and arithmetic per pair, for: {labels}"})
    return figures


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return base64.b64encode(buffer.getvalue()).decode()
