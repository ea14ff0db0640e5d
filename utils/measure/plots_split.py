"""Pictures of notebook 11's split model: what each place of meeting keeps, against work and against bytes."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from utils.measure.plots_style import COLOURS, MARKERS, WIDE, finish, shown

LEAST_HEIGHT = 0.1  # of the quality's axis, so that a thousandth does not look like a cliff


def quality_by_macs(points: Mapping[str, tuple[float, float]], *, whole: tuple[float, float], title: str) -> Figure:
    """NDCG@10 on valid against the MACs of a query when it comes, a mark for each place of meeting.

    Args:
        points: (MACs, NDCG@10) by place of meeting.
        whole: the same of the student, which reads every pair whole.

    Raises:
        ValueError: no points, or MACs that are not above 0, which a logarithmic axis cannot show; names the place.
    """
    figure, axes = _scatter(points, what="MACs")
    axes.plot(*whole, marker="*", markersize=15, color="black", linestyle="", label="the student, pair by pair")
    axes.axhline(whole[1], color="black", linewidth=1, linestyle=(0, (1, 2)))
    axes.set_xlabel("MACs of a query with its candidates, when it comes (log scale)")
    return _finished(figure, axes, title=title)


def quality_by_bytes(points: Mapping[str, tuple[float, float]], *, whole: float, title: str) -> Figure:
    """NDCG@10 on valid against the bytes that are stored of a product, a mark for each place of meeting.

    Args:
        points: (bytes, NDCG@10) by place of meeting.
        whole: NDCG@10 of the student, which stores nothing.

    Raises:
        ValueError: no points, or bytes that are not above 0; names the place.
    """
    figure, axes = _scatter(points, what="bytes")
    axes.axhline(whole, color="black", linewidth=1, linestyle=(0, (1, 2)), label="the student, nothing stored")
    axes.set_xlabel("bytes stored of a product (log scale)")
    return _finished(figure, axes, title=title)


def _scatter(points: Mapping[str, tuple[float, float]], *, what: str) -> tuple[Figure, Axes]:
    if not points:
        raise ValueError("no places of meeting to draw; give at least one")
    if wrong := [name for name, (across, _) in points.items() if not across > 0]:
        raise ValueError(f"{wrong[0]}: {points[wrong[0]][0]} {what}; give a number above 0")
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, (across, quality)) in enumerate(points.items()):
        look = {"marker": MARKERS[number % 6], "color": COLOURS[number % 6], "markeredgecolor": "black"}
        axes.plot(across, quality, linestyle="", markersize=9, label=shown(name), **look)
    return figure, axes


def _finished(figure: Figure, axes: Axes, *, title: str) -> Figure:
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(LEAST_HEIGHT, 1.2 * (high - low)) / 2
    axes.set_ylim(middle - half, middle + half)
    axes.set(xscale="log", ylabel="NDCG@10 on valid")
    axes.xaxis.set_major_locator(LogLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.1)
    figure.legend(loc="outside right center", frameon=False, fontsize=9, title="query and product meet")
    return finish(figure, title=title)
