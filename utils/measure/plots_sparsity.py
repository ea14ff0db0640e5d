"""The pictures of notebook 05: bytes, quality and time against the share of zeros. The style is that of `plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from utils.measure.plots_style import COLOURS, MARKERS, finish, headed, shown
from utils.measure.timing import Ratio

Curve = Sequence[tuple[float, float]]
LINES = ("-", "--", ":", "-.")


def storage(
    *, derived: Mapping[str, Curve], plain: Mapping[str, Curve], zstd: Mapping[str, Curve], least: Curve, title: str
) -> Figure:
    """Bytes of each layout over those of the dense file, against the share of zeros; before zstd and after.

    Args:
        derived: (share of zeros, bytes over dense) by layout, drawn as lines.
        plain, zstd: the same as measured, drawn as marks.
        least: what no layout can go below that stores the values as they are, when the zeros lie at random.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 4.2), layout="constrained")
    for number, name in enumerate(plain):
        style = {"color": COLOURS[number], "marker": MARKERS[number]}
        left.plot(*_percent(derived[name]), color=COLOURS[number], linewidth=1.2)
        left.plot(*_percent(plain[name]), linestyle="none", label=shown(name), **style)
        right.plot(*_percent(zstd[name]), linestyle=LINES[number % 4], linewidth=1.2, **style)
    left.plot(*_percent(least), color="grey", linewidth=1, linestyle=(0, (1, 1)), label="the least, values as they are")
    headed(figure, title=title)
    for axes, what, top in ((left, "as stored (marks; lines are derived)", 2.25), (right, "after zstd", 1.1)):
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(xlabel="zeros (%)", ylabel="bytes / bytes of the plain dense file", xlim=(25, 100), ylim=(0, top))
        axes.set_title(what, loc="left", fontsize=10)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return figure


def quality_by_sparsity(
    lines: Mapping[str, Curve],
    *,
    points: Mapping[str, tuple[float, float]],
    whole: float,
    floor: float,
    title: str,
    break_evens: Mapping[str, float] | None = None,
) -> Figure:
    """NDCG@10 on valid against the share of zeros: one line a method, single points beside them.

    Args:
        lines, points: (share of zeros, NDCG@10). whole: NDCG@10 without zeros. floor: that of a random order.
        break_evens: the share of zeros from which on something pays, by its name; 0 and 1 stand for none and are left
            out.
    """
    figure, axes = plt.subplots(figsize=(8.0, 4.8), layout="constrained")
    for number, (name, curve) in enumerate(lines.items()):
        style = {"color": COLOURS[number], "marker": MARKERS[number], "linestyle": LINES[number % 4]}
        axes.plot(*_percent(curve), label=shown(name), **style)
    for number, (name, (share, value)) in enumerate(points.items(), start=len(lines)):
        style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 11, "markerfacecolor": "none"}
        style |= {"markeredgewidth": 2}  # hollow, for they may lie on each other
        axes.plot([100 * share], [value], linestyle="none", label=shown(name), **style)
    axes.axhline(whole, color="black", linewidth=0.8, label="no zeros")
    axes.axhline(floor, color="grey", linewidth=1, linestyle=(0, (1, 1)), label="random order")
    axes.set(xlabel="zeros among the encoder's weights (%)", ylabel="judged NDCG@10 on valid")
    axes.set_xlim(right=102)  # with room for a name beside the last line
    _uprights(axes, {name: share for name, share in (break_evens or {}).items() if 0 < share < 1})
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return finish(figure, title=title)


def speed_by_density(speeds: Mapping[str, Mapping[float, Ratio]], *, title: str) -> Figure:
    """How many times as fast as PyTorch's dense product each way is, against the share of zeros; logarithmic axes."""
    figure, axes = plt.subplots(figsize=(8.0, 4.6), layout="constrained")
    for number, (name, by_density) in enumerate(speeds.items()):
        shares = [100 * density for density in by_density]
        ratios = list(by_density.values())
        spread = [[r.median - r.low for r in ratios], [r.high - r.median for r in ratios]]
        style = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "linestyle": LINES[number % 4]}
        axes.errorbar(shares, [r.median for r in ratios], yerr=spread, capsize=2, label=shown(name), **style)
    axes.axhline(1, color="black", linewidth=1.2)
    _log_ticks(axes, densities=next(iter(speeds.values())))
    axes.set(xlabel="zeros (%)", ylabel="times as fast as PyTorch's dense product")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return finish(figure, title=title)


def _log_ticks(axes: Axes, *, densities: Mapping[float, Ratio]) -> None:
    """The axis counts what is left, from much to little, and says what is gone."""
    axes.set(xscale="log", yscale="log")
    axes.set_xticks([100 * density for density in densities], [f"{100 - 100 * density:g}" for density in densities])
    axes.invert_xaxis()
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")


def _uprights(axes: Axes, shares: Mapping[str, float]) -> None:
    """A line at each share of zeros, with its name along it."""
    for name, share in shares.items():
        axes.axvline(100 * share, color="grey", linewidth=1.2, linestyle="--")
        place = {"xy": (100 * share, 0.2), "xycoords": ("data", "axes fraction")}
        offset = {"xytext": (3, 0), "textcoords": "offset points"}  # to the right, where it holds
        axes.annotate(shown(name), **place, **offset, rotation=90, ha="left", va="bottom", fontsize=9)


def _percent(curve: Curve) -> tuple[list[float], list[float]]:
    return [100 * share for share, _ in curve], [value for _, value in curve]
