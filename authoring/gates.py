"""The gates that CI holds each notebook to: its parameters, seconds of wall clock, and bounds on its ledger rows.

A gate refuses a broken model on any machine, so it bounds quality, sizes and counts from both sides, and never a time
or what follows from one: those are recorded, not asserted. The gates themselves are in `tests/notebooks.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from utils import disk, settings
from utils.measure.row_groups import Row, group_of

GATES = settings.ROOT / "tests" / "notebooks.yaml"
BOUNDABLE = {
    *("n_params", "n_params_nonzero", "n_params_embedding", "n_params_encoder", "disk_bytes", "peak_rss_bytes"),
    *("macs_per_pair", "n_queries", "ndcg10", "mrr10", "ndcg10_end_to_end", "recall"),
}
Bounds = tuple[float, float]


class Gate(BaseModel):
    """What one notebook must keep to.

    Attributes:
        parameters: of the notebook in CI, beside the run's own (PROFILE, DATASET, SEED, OUT).
        budget_s: seconds of wall clock on the 2 cores that the course is made for.
        rows: of each stage, the least and the greatest value of some fields of its ledger rows.
    """

    model_config = ConfigDict(extra="forbid")
    parameters: dict[str, str | int | float | bool] = {}
    budget_s: float = Field(gt=0)
    rows: dict[str, dict[str, Bounds]]

    @field_validator("rows")
    @classmethod
    def _can_fail(cls, rows: dict[str, dict[str, Bounds]]) -> dict[str, dict[str, Bounds]]:
        if not rows:
            raise ValueError("a notebook writes a row; bound one of its fields")
        for stage, bounds in rows.items():
            if not bounds:
                raise ValueError(f"{stage}: bound a field of this row")
            for metric, (low, high) in bounds.items():
                if metric not in BOUNDABLE:
                    raise ValueError(f"{stage}: {metric} is not one of {', '.join(sorted(BOUNDABLE))}")
                if not 0 < low <= high < float("inf"):
                    raise ValueError(f"{stage}: {metric} needs two bounds, the lower one above 0: [{low}, {high}]")
        return rows


def read() -> dict[str, Gate]:
    """The gate of each notebook in GATES, by the notebook's name.

    Raises:
        ValueError: a gate that could not fail, or one with an unknown key; names the notebook and the key.
    """
    gates = {}
    for name, text in yaml.safe_load(GATES.read_text(encoding="utf-8")).items():
        try:
            gates[name] = Gate.model_validate(text)
        except ValidationError as error:
            raise ValueError(f"{GATES.name}: {name}.{disk.first_error(error, whole='gate')}") from None
    return gates


def problems(name: str, gate: Gate, *, seconds: float, rows: Sequence[Row]) -> list[str]:
    """What a finished notebook broke: its budget, a missing row, a metric that is empty or out of its bounds.

    Args:
        seconds: wall clock of the whole notebook.
        rows: the ledger; rows of other notebooks are passed over.
    """
    own = [row for row in rows if row.identity.notebook == name]
    found = [f"{name}: took {seconds:.0f} s, its budget is {gate.budget_s:.0f} s"] if seconds > gate.budget_s else []
    for stage, bounds in gate.rows.items():
        of_stage = [row for row in own if row.stage == stage]
        if not of_stage:
            found.append(f"{name}: wrote no row of stage '{stage}'")
        for metric, limits in bounds.items() if of_stage else ():
            found += [f"{name}: {stage}: {problem}" for problem in _out_of_bounds(metric, limits, rows=of_stage)]
    return found


def _out_of_bounds(metric: str, limits: Bounds, *, rows: Sequence[Row]) -> list[str]:
    """Every row that has the metric must keep to it; one row at least must have it."""
    values = [value for row in rows if (value := row.value(f"{group_of(metric)}.{metric}")) is not None]
    if not values:
        return [f"{metric} is null in every row"]
    low, high = limits
    return [
        f"{metric} is {value:,.6g}, not within [{low:,.6g}, {high:,.6g}]"
        for value in values
        if not low <= value <= high
    ]
