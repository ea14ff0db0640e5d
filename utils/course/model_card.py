"""What a model folder says of itself: `model_card.md`, written from a row of the ledger."""

from __future__ import annotations

from pydantic import BaseModel

from utils.measure.row_groups import Row

LEFT_OUT = ("machine", "versions", "label", "stage", "notebook")


def text(row: Row, *, made_by: str) -> str:
    """What a model folder says of itself, from its latest ledger row and the notebook that made it."""
    lines = [f"# {row.stage}", "", f"A stage of Rank for Less, made by notebook `{made_by}`.", ""]
    lines += [
        "A cross-encoder: it reads a query and a product text together and gives one score, higher is better.",
        f"The figures are those of the ledger row '{row.label}', written by notebook `{row.identity.notebook}`.",
        "",
    ]
    lines += ["| field | value |", "|---|---|"]
    for group in row.groups().values():
        for name, value in group.figures().items():
            if name not in LEFT_OUT:
                lines.append(f"| {name} | {_cell(value, group.reason(name))} |")
    return "\n".join(lines) + "\n"


def _cell(value: object, reason: str) -> str:
    """A figure, or why there is none, as a cell of a Markdown table."""
    if isinstance(value, BaseModel):
        value = ", ".join(f"{name} {part:.6g}" for name, part in value)
    return str(reason or "–" if value is None else value).replace("|", "\\|")
