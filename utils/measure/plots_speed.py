"""Pictures of notebook 07: where a query's time goes, how deep a cascade must look, and what each lever is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from utils.measure.machine import roofline_gflops
from utils.measure.plots_style import COLOURS, MARKERS, WIDE, finish, headed, shown

HATCHES = ("", "///", "...", "\\\\\\", "xx", "--", "++", "oo")
LINES = ("-", "--", ":", "-.")
LEAST_SHARE = 0.06  # of the longest bar, for which a number fits into its part


def stacked_steps(steps: Mapping[str, Mapping[str, float]], *, title: str, unit: str = "ms of one query") -> Figure:
    """The time of each way as one bar of its steps, in the order given; steps differ in hatching and colour.

    Args:
        steps: of each way the time of each step, none below 0.
    """
    names = list(dict.fromkeys(name for parts in steps.values() for name in parts))
    figure, axes = plt.subplots(figsize=(8.0, 1.7 + 0.5 * len(steps)), layout="constrained")
    longest, left = max(sum(parts.values()) for parts in steps.values()), np.zeros(len(steps))
    for number, name in enumerate(names):
        values = np.array([parts.get(name, 0.0) for parts in steps.values()])
        look = {"facecolor": f"{COLOURS[number % 6]}66", "hatch": HATCHES[number % 8], "edgecolor": "black"}
        bars = axes.barh(range(len(steps)), values, left=left, height=0.6, label=shown(name), linewidth=0.5, **look)
        labels = [_short(value) if value > LEAST_SHARE * longest else "" for value in values]
        axes.bar_label(bars, labels, label_type="center", fontsize=8, bbox={"facecolor": "white", "pad": 1, "lw": 0})
        left += values
    for place, whole in enumerate(left):
        axes.text(whole + 0.01 * longest, place, f"{whole:.3g}", va="center", fontsize=9)
    axes.set_yticks(range(len(steps)), [shown(name) for name in steps])
    axes.invert_yaxis()
    axes.set(xlabel=unit, xlim=(0, 1.1 * longest))
    figure.legend(loc="outside lower center", ncols=min(4, len(names)), frameon=False, fontsize=8)
    return headed(figure, title=title)


def quality_by_depth(
    lines: Mapping[str, Sequence[tuple[int, float]]], *, chosen: int, whole: float, title: str
) -> Figure:
    """NDCG@10 on valid against how many of a query's candidates the second ranker scores, a line a first ranker.

    Args:
        lines: (depth, NDCG@10) by first ranker.
        chosen: the depth that was chosen, marked by an upright line.
        whole: NDCG@10 of the second ranker on all candidates.
    """
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, points) in enumerate(lines.items()):
        depths, quality = zip(*sorted(points), strict=True)
        look = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "linestyle": LINES[number % 4]}
        axes.plot(depths, quality, label=shown(name), markersize=6, **look)
    axes.axhline(whole, color="black", linewidth=1, label="the second ranker scores all")
    axes.axvline(chosen, color="black", linewidth=1, linestyle=(0, (1, 2)), label=f"chosen: {chosen}")
    every = sorted({depth for points in lines.values() for depth, _ in points})
    axes.set(xscale="log", xlabel="candidates that the second ranker scores", ylabel="NDCG@10 on valid")
    axes.set_xticks(every, [f"{depth:,}" for depth in every])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max(0.05, (high - low) / 2)  # so that a thousandth does not look like a cliff
    axes.set_ylim(middle - half, middle + half)
    axes.legend(frameon=True, loc="lower right")
    return finish(figure, title=title)


def engines_on_roof(
    points: Mapping[str, tuple[float, float]], *, roofs: Mapping[str, float], gb_per_s: float, title: str
) -> Figure:
    """Several roofs of one machine, such as those of fp32 and int8, and what engines reach under them.

    Args:
        points: (operations a byte moved, G operations a second) by engine.
        roofs: the peak in G operations a second by the kind of number.
        gb_per_s: that memory gives, the slope that all roofs share.
    """
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    least = min([0.3, *(x / 2 for x, _ in points.values())])
    intensity = np.logspace(np.log10(least), np.log10(max([1000.0, *(2 * x for x, _ in points.values())])), 200)
    for number, (name, peak) in enumerate(roofs.items()):
        roof = roofline_gflops(intensity, peak_gflops=peak, gb_per_s=gb_per_s)
        axes.loglog(intensity, roof, color="black", linestyle=LINES[number % 4], label=f"roof of {shown(name)}")
    for number, (name, (x, y)) in enumerate(points.items()):
        look = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "linestyle": "none"}
        axes.loglog([x], [y], label=shown(name), markersize=8, **look)
    axes.set(xlabel="operations a byte moved", ylabel="G operations a second (a MAC counts two)")
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    return headed(figure, title=title)


def levers(factors: Mapping[str, float], *, together: float, title: str) -> Figure:
    """How many times faster each lever makes it, one after the other on a logarithmic axis, and all together measured.

    Each bar begins where the one before ends, so that the last one ends at the product of all; below it stands what was
    measured together. A lever that slows down goes back, and is hatched.
    """
    names, values = list(factors), np.array(list(factors.values()))
    ends = np.cumprod(values)
    starts = np.concatenate([[1.0], ends[:-1]])
    figure, axes = plt.subplots(figsize=(8.0, 1.7 + 0.42 * (len(names) + 2)), layout="constrained")
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        look = (
            {"color": COLOURS[0]} if end >= start else {"facecolor": "white", "hatch": "///", "edgecolor": COLOURS[1]}
        )
        axes.barh(place, max(end, start) - min(end, start), left=min(end, start), height=0.6, **look)
        axes.plot([end, end], [place, place + 1], color="grey", linewidth=0.8)
    whole = ends[-1] if len(ends) else 1.0
    for place, (value, hatch) in enumerate(((whole, ""), (together, "xx")), start=len(names)):
        axes.barh(place, value - 1, left=1, height=0.6, facecolor="#cccccc", edgecolor="black", hatch=hatch)
    tops = [*np.maximum(starts, ends), max(1.0, whole), max(1.0, together)]
    for place, (top, value) in enumerate(zip(tops, [*values, whole, together], strict=True)):
        axes.text(1.06 * top, place, f"× {value:.3g}", va="center", fontsize=9)
    axes.set_yticks(range(len(names) + 2), [*map(shown, names), "their product", "measured together"])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="times as fast (logarithmic)", xlim=(0.8 * min([1.0, *ends]), 2.2 * max(tops)))
    _name_decades(axes)
    return headed(figure, title=title)


def threads_against_processes(
    rates: Mapping[str, Sequence[float]], *, title: str, unit: str = "pairs a second, all processes together"
) -> Figure:
    """Pairs a second of each way to use the cores: a bar to the median of its turns, and a mark for every turn."""
    figure, axes = plt.subplots(figsize=(8.0, 1.5 + 0.45 * len(rates)), layout="constrained")
    most = max(max(samples) for samples in rates.values())
    for place, samples in enumerate(rates.values()):
        median, hatch = float(np.median(samples)), HATCHES[place % 8]
        axes.barh(place, median, height=0.6, facecolor=f"{COLOURS[0]}66", edgecolor="black", hatch=hatch, linewidth=0.5)
        axes.plot(samples, [place] * len(samples), "o", color="black", markersize=4, markerfacecolor="white")
        axes.text(max(samples) + 0.015 * most, place, f"{median:,.0f}", va="center", fontsize=9)
    axes.set_yticks(range(len(rates)), [shown(name) for name in rates])
    axes.invert_yaxis()
    axes.set(xlabel=f"{unit} (marks: single turns)", xlim=(0, 1.15 * most))
    return headed(figure, title=title)


def _short(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _name_decades(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.3g}")
