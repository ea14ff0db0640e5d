"""The picture of a chain of levers: what each step takes away from bytes and from work."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.measure.ledger import Row
from utils.measure.plots_style import COLOURS, headed, shown


def waterfall(rows: Sequence[Row], *, title: str) -> Figure:
    """Bytes and MACs of a chain of rows, one panel each: what is left is filled, what the step took is hatched."""
    names = [shown(row.label) for row in rows]
    panels = {
        "to ship (MB)": [row.size.disk_bytes / 1e6 for row in rows],
        "a pair (M MACs)": [row.work.macs_per_pair / 1e6 for row in rows],
    }
    figure, both = plt.subplots(1, 2, figsize=(8.0, 1.5 + 0.45 * len(rows)), sharey=True, layout="constrained")
    for axes, (xlabel, values), colour in zip(both, panels.items(), COLOURS, strict=False):
        _steps(axes, names, values, colour=colour)
        axes.set(xlabel=xlabel, xlim=(0, 1.75 * max(values)))
    both[0].invert_yaxis()
    figure.supxlabel("in brackets: the share of the step before; hatched: what the step took away", fontsize=8)
    return headed(figure, title=title)


def _steps(axes: Axes, names: Sequence[str], values: Sequence[float], *, colour: str) -> None:
    before, places = [values[0], *values[:-1]], range(len(names))
    axes.set_yticks(places, names)
    axes.barh(places, values, color=colour, height=0.6)
    gone = [max(0.0, was - now) for was, now in zip(before, values, strict=True)]
    axes.barh(places, gone, left=values, height=0.6, fill=False, edgecolor="grey", hatch="///", linewidth=0.5)
    for place, was, now in zip(places, before, values, strict=True):
        share = "" if place == 0 else f" ({now / was:.0%})"
        axes.text(max(was, now) + 0.02 * max(values), place, f"{now:.3g}{share}", va="center", fontsize=8)
