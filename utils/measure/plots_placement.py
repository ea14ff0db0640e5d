"""Pictures of notebook 11: where a device answers sooner than a server, and what a cache of some size is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from utils.measure.plots_style import COLOURS, MARKERS, WIDE, finish, shown

LINES = ("-", "--", ":", "-.")
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100)
LEVELS = (1, 2, 5, 10, 20, 50, 100)  # times sooner


def when_local_wins(
    speedups: np.ndarray,
    *,
    round_trips_ms: Sequence[float],
    slowdowns: Sequence[float],
    points: Mapping[str, tuple[float, float]],
    title: str,
) -> Figure:
    """How many times sooner the device answers, over the round trip and its slowness; in the hatched part it loses.

    Args:
        speedups: (n_slowdowns, n_round_trips), as `placement.speedups` gives them.
        points: (round trip in ms, slowdown) of what was measured, by name.
    """
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    axes.set(xscale="log", yscale="log", xlabel="round trip to the server, ms (logarithmic)")
    where = (np.asarray(round_trips_ms), np.asarray(slowdowns), speedups)
    axes.contourf(*where, levels=[0, 1], colors=["#e8e8e8"], hatches=["///"])
    levels = [level for level in LEVELS if speedups.min() < level < speedups.max()]
    if levels:
        widths = [2.5 if level == 1 else 1.0 for level in levels]
        drawn = axes.contour(*where, levels=levels, colors="black", linewidths=widths)
        axes.clabel(drawn, fmt={level: f"{level} ×" for level in levels}, fontsize=8, inline_spacing=2)
    for number, (name, (round_trip, slowdown)) in enumerate(points.items()):
        look = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "markeredgecolor": "black"}
        axes.plot([round_trip], [slowdown], linestyle="none", markersize=9, clip_on=False, label=shown(name), **look)
    axes.set_ylabel("device, times slower than this machine")
    axes.set_yticks([tick for tick in TICKS if min(slowdowns) <= tick <= max(slowdowns)])
    if (speedups < 1).any():
        corner = {"xy": (0.02, 0.95), "xycoords": "axes fraction", "va": "top", "bbox": {"facecolor": "white", "lw": 0}}
        axes.annotate("the server answers sooner", **corner, fontsize=9)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    if points:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return finish(figure, title=title)


def hit_rates(
    lines: Mapping[str, Mapping[int, float]], *, most_possible: float, title: str, unit_bytes: int = 1_000
) -> Figure:
    """The share of searches that a cache answers, by its size, a line a way of keeping it.

    Args:
        lines: the hit rate by the cache's size in bytes, by name.
        most_possible: of a cache that forgets nothing.
        unit_bytes: of the sizes on the axis; 1,000 for kB.
    """
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, rates) in enumerate(lines.items()):
        sizes = np.array(sorted(rates))
        look = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "linestyle": LINES[number % 4]}
        axes.plot(sizes / unit_bytes, [rates[size] for size in sizes], label=shown(name), markersize=6, **look)
    axes.axhline(most_possible, color="black", linewidth=1, linestyle=(0, (1, 2)), label="forgets nothing")
    unit = {1: "bytes", 1_000: "kB", 1_000_000: "MB"}.get(unit_bytes, f"{unit_bytes:,} bytes")
    axes.set(
        xscale="log", xlabel=f"size of the cache, {unit} (logarithmic)", ylabel="share of searches that it answers"
    )
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.legend(frameon=True, loc="upper left", fontsize=8)
    return finish(figure, title=title)
