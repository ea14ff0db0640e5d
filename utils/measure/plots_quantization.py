"""Pictures of notebook 06: what rounding loses, which layers mind, and whether a moved score moves a ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from utils.measure.plots_style import COLOURS, MARKERS, headed, shown

N_BARS = 128  # of a histogram
EVEN = 0.005  # up to this change of NDCG@10 the axis is linear
SIDES = ((5, 4), (-11, -11), (5, -11), (-11, 4), (-3, 9), (-3, -16), (10, -3), (-18, -3), (-3, 18), (-3, -26))  # points
CHANGES = (-0.5, -0.2, -0.1, -0.05, -0.02, -0.01, -0.005, -0.002, 0, 0.002, 0.005, 0.01, 0.02, 0.05)  # of NDCG@10


def outlier(
    counts: np.ndarray,
    edges: np.ndarray,
    *,
    ends: Mapping[str, tuple[float, float]],
    values: np.ndarray,
    scores: np.ndarray,
    title: str,
) -> Figure:
    """How often each value of an activation occurs, and below it one feature's value in each pair beside its score.

    Args:
        counts: (n_bins,) between edges (n_bins + 1,); neighbouring bins are put together, so that bars can be seen.
        ends: the lower and upper end of each range of that tensor, by its name.
        values: (n_pairs,), of the feature; scores: (n_pairs,).
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(8.0, 5.2), sharex=True, layout="constrained")
    starts = np.arange(0, len(counts), max(1, len(counts) // N_BARS))
    widths = np.diff(np.append(edges[starts], edges[-1]))
    above.bar(edges[starts], np.add.reduceat(counts, starts), widths, align="edge", color="#999999")
    below.scatter(values, scores, s=12, color="#999999", edgecolor="black", linewidth=0.3)
    for number, (name, both) in enumerate(ends.items()):
        style = {"color": COLOURS[number], "linestyle": ("-", "--", ":")[number % 3], "linewidth": 2}
        for axes in (above, below):
            axes.axvline(both[0], **style)
            axes.axvline(both[1], label=f"ends of the range: {shown(name)}", **style)
    above.set(yscale="log", ylabel="values (logarithmic)")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    below.set(
        xlabel="value of the activation; below, of one feature of one token in each pair", ylabel="score of a pair"
    )
    return headed(figure, title=title)


def layer_drifts(alone: Mapping[str, float], *, without: Mapping[str, float], whole: float, title: str) -> Figure:
    """How far scores drift when only a layer rounds, and when all but it do; `whole` is the drift of all of them."""
    names = list(alone)
    figure, axes = plt.subplots(figsize=(8.0, 1.2 + 0.24 * len(names)), layout="constrained")
    rows = np.arange(len(names))
    axes.barh(rows, [alone[name] for name in names], color=COLOURS[0], height=0.6, label="only this layer rounds")
    axes.plot([without[name] for name in names], rows, MARKERS[1], color=COLOURS[1], label="every layer but this one")
    axes.axvline(whole, color="black", linestyle="--", linewidth=1, label="every layer")
    axes.set_yticks(rows, [shown(name) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="drift of the scores (root mean square difference over their spread)")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return headed(figure, title=title)


def drift_against_quality(points: Mapping[str, tuple[float, float]], *, title: str) -> Figure:
    """Each way as (drift of its scores, change of NDCG@10), with its number; the names stand beside the picture.

    Ways at one place share a label that has the numbers of all of them.
    """
    figure, axes = plt.subplots(figsize=(8.0, 4.8), layout="constrained")
    for number, (name, (drift, change)) in enumerate(points.items(), start=1):
        turn = number + number // 6  # so that no two ways have both colour and marker in common
        style = {"color": COLOURS[number % 6], "marker": MARKERS[turn % 6], "label": f"{number} {shown(name)}"}
        axes.scatter([drift], [change], s=50, **style)
    axes.axhline(0, color="black", linewidth=1)
    axes.set(
        xscale="log",
        xlabel="drift of the scores (share of their spread)",
        ylabel=f"change of NDCG@10 (logarithmic beyond ±{EVEN})",
    )
    axes.set_yscale("symlog", linthresh=EVEN)  # so that one way that loses much does not press the others together
    changes = [change for _, change in points.values()]
    low, high = min(-0.004, 1.4 * min(changes)), max(0.004, 1.4 * max(changes))
    axes.set_yticks([tick for tick in CHANGES if low <= tick <= high])
    axes.yaxis.set_major_formatter("{x:+.3g}")
    axes.set_ylim(low, high)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    figure = headed(figure, title=title)
    _number(axes, {", ".join(map(str, numbers)): place for place, numbers in _shared(points.values()).items()})
    return figure


def _number(axes: Axes, labels: Mapping[str, tuple[float, float]]) -> None:
    """Write each label beside its place, where it covers no other label and no marker if there is such a side."""
    figure = axes.figure
    figure.draw_without_rendering()  # only then is the layout known
    scale, places = figure.dpi / 72, axes.transData.transform(list(labels.values()))
    taken = [Bbox.from_extents(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in places]
    for (label, place), (x, y) in zip(labels.items(), places, strict=True):
        boxes = {
            side: Bbox.from_bounds(x + side[0] * scale, y + side[1] * scale, 5 * len(label) * scale, 8 * scale)
            for side in SIDES
        }
        side = min(boxes, key=lambda side: boxes[side].count_overlaps(taken))
        taken.append(boxes[side])
        axes.annotate(label, place, xytext=side, textcoords="offset points", fontsize=8)


def _shared(points: Iterable[tuple[float, float]]) -> dict[tuple[float, float], list[int]]:
    """The numbers, from 1, of the points at each place; what a reader could not tell apart is one place."""
    places: dict[tuple[str, float], tuple[tuple[float, float], list[int]]] = {}
    for number, (drift, change) in enumerate(points, start=1):
        _, numbers = places.setdefault((f"{drift:.2g}", round(change, 4)), ((drift, change), []))
        numbers.append(number)
    return dict(places.values())
