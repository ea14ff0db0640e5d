"""The formats of notebook 12: those that can be made on this machine, their stages, and the tables they stand in.

What needs a converter or a runtime that is not installed is named with its remedy, and shown as it was recorded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from utils import settings
from utils.course import exporting, tables
from utils.course.run import Run
from utils.edge import recorded_edge
from utils.edge.exports import converters, device_matrix, fidelity, in_litert, making
from utils.edge.exports.device_matrix import Line
from utils.edge.recorded_edge import Record, Row
from utils.measure import load
from utils.measure.timing import Timing
from utils.measure.variant import Variant
from utils.rank import runtimes

TITLES = {
    "onnx": "ONNX",
    "ort": "ORT",
    "openvino": "OpenVINO",
    "litert": "LiteRT",
    "executorch": "ExecuTorch",
}
RUNTIMES_REMEDY = in_litert.REMEDY
N_DIGITS = 12  # of a hash that is shown


def missing() -> dict[str, str]:
    """What to do for each format that cannot be made and run here; empty where all can."""
    found = {}
    for to, made in making.FORMATS.items():
        library = runtimes.named(made.runtime).library
        if importlib.util.find_spec(library.partition(".")[0]) is None:
            found[to] = RUNTIMES_REMEDY
        elif made.converter and not converters.CONVERTERS[made.converter].is_installed:
            found[to] = f"course converter {made.converter}"
    return found


def make(run: Run, source: str, *, echo: Callable[[str], object] = print) -> dict[str, Variant]:
    """Export a stage in fp32 and int8 to every format that can be made here, as stages of their own.

    Returns:
        the way of running each, by its name as tables show it, such as "LiteRT int8".
    """
    absent = missing()
    for to, remedy in absent.items():
        echo(f"{TITLES[to]} is shown as it was recorded; to make it here: {remedy}")
    return {
        name_of(to, precision): exporting.stage(run, source, to=to, precision=precision)
        for to in making.FORMATS
        if to not in absent
        for precision in making.PRECISIONS
    }


def measure(run: Run, variants: Mapping[str, Variant], *, reference: np.ndarray) -> dict[str, Line]:
    """The device matrix of exports: peak memory each in a process of its own, then times by turns, then all of valid.

    Args:
        reference: scores (n_pairs,) of valid's judged pairs by the model itself in PyTorch.
    """
    pairs, limits = load.workload(run.catalogue, n_queries=1)[0], {"max_tokens": run.profile.max_tokens}
    own = {"pairs": pairs, "at_once": run.machine["cores"]}
    peaks = device_matrix.peak_memory(variants, run_folder=run.folder, **own, **limits)
    how = {"setting": run.setting, "reference": reference, "peaks": peaks}
    return device_matrix.measure(variants, run_folder=run.folder, **how)


def name_of(to: str, precision: str) -> str:
    """The name of an export in tables."""
    return f"{TITLES[to]} {precision}"


def label_of(name: str) -> str:
    """The label of an export's ledger row; stages of the same model in other notebooks have labels of their own."""
    return f"student, {name}"


def in_int8(variants: Mapping[str, Variant]) -> dict[str, Variant]:
    """What gets a ledger row, by its label: the exports that a device would be sent."""
    return {label_of(name): variant for name, variant in variants.items() if variant.precision == "int8"}


def hold(lines: Mapping[str, Line]) -> None:
    """Hold every export to the tolerance of its precision.

    Raises:
        ValueError: one leaves it; names the first.
    """
    for name, line in lines.items():
        fidelity.require(line.kept, precision=line.variant.precision, name=name)


def costs_table(lines: Mapping[str, Line]) -> pd.DataFrame:
    """A row a format, fp32 beside int8: bytes to ship, peak memory and times on one thread."""
    return tables.from_rows(
        {
            "fp32 / int8": title,
            "MB to ship": _both(of, lambda line: f"{line.n_bytes / 1e6:.1f}"),
            "memory MB": _both(of, lambda line: "–" if line.peak_bytes is None else f"{line.peak_bytes / 1e6:.0f}"),
            "load ms": _both(of, lambda line: f"{line.load.percentile(50):.0f}"),
            "one pair ms": _both(of, lambda line: f"{line.one_pair.percentile(50):.2f}"),
            "20 candidates ms, p95": _both(of, lambda line: f"{line.queries[20].percentile(95):.1f}"),
        }
        for title, of in by_format(lines).items()
    )


def kept_table(lines: Mapping[str, Line]) -> pd.DataFrame:
    """A row a format: how far its scores are from PyTorch's, and what it keeps of the order on valid."""
    return tables.from_rows(
        {
            "format": title,
            "largest difference, fp32": f"{of['fp32'].kept.largest_difference:.0e}",
            "largest difference, int8": f"{of['int8'].kept.largest_difference:.2f}",
            "rank correlation, int8": f"{of['int8'].kept.rank_correlation:.4f}",
            "NDCG@10 less PyTorch, int8 [95%]": of["int8"].kept.change.signed(),
        }
        for title, of in by_format(lines).items()
    )


def query_times(lines: Mapping[str, Line], *, n_candidates: int) -> dict[str, dict[str, Timing]]:
    """The times of a query with so many candidates, by format, then by precision."""
    return {
        title: {precision: line.queries[n_candidates] for precision, line in of.items()}
        for title, of in by_format(lines).items()
    }


def by_format(lines: Mapping[str, Line]) -> dict[str, dict[str, Line]]:
    """The lines of each format by their precision."""
    found: dict[str, dict[str, Line]] = {}
    for name, line in lines.items():
        found.setdefault(name.rpartition(" ")[0], {})[line.variant.precision] = line
    return found


def _both(of: Mapping[str, Line], shown: Callable[[Line], str]) -> str:
    return " / ".join(shown(of[precision]) for precision in making.PRECISIONS)


def record() -> Record | None:
    """The record of the embedded shop's student that the course brings; None where there is none."""
    records = [one for one in recorded_edge.read() if one.dataset == settings.EMBEDDED]
    return records[0] if records else None


def recorded_table(found: Record | None) -> pd.DataFrame:
    """What was recorded on another machine: each row with the start of the hash of the weights that it is of."""
    if found is None:
        return tables.from_rows([{"recorded": "nothing yet; course results --edge records it"}])
    return tables.from_rows(_recorded(row) for row in found.rows)


def _recorded(row: Row) -> dict[str, str]:
    times = next(cell for name, cell in row.cells.items() if name.startswith("ms of 20"))
    return {
        f"recorded, of weights {row.parent_hash[:N_DIGITS]}": row.name,
        "MB to ship": row.cells["MB"],
        "load ms": row.cells["load ms"],
        "20 candidates ms, p50 / p95": times,
        "rank correlation": f"{row.rank_correlation:.4f}",
        "NDCG@10 on valid": f"{row.ndcg10:.3f}",
    }
