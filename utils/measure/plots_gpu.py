"""Pictures of notebook 08: what of a batch is filler, and from which traffic a card is the cheaper machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from utils.measure.plots_style import COLOURS, headed, shown

LINES = ("-", "--", ":", "-.")
HATCH = "////"


def batches(tokens: Mapping[str, Sequence[tuple[int, int]]], *, title: str) -> Figure:
    """The tokens of every batch by how the batches are made: what says something, and the filler on top of it.

    Args:
        tokens: by layout, (real tokens, tokens that are computed) of each batch, in the order in which they are made.
    """
    figure, panels = plt.subplots(1, len(tokens), figsize=(8.0, 3.4), sharey=True, layout="constrained", squeeze=False)
    for axes, (name, of_batches) in zip(panels[0], tokens.items(), strict=True):
        real, computed = np.array(of_batches).T
        places = np.arange(1, len(real) + 1)
        axes.bar(places, real, color=COLOURS[0], label="tokens of the pairs")
        filler = {"color": "white", "edgecolor": COLOURS[1], "hatch": HATCH, "linewidth": 0.5, "label": "filler"}
        axes.bar(places, computed - real, bottom=real, **filler)
        axes.set(xlabel=f"batch\n{shown(name)}: {1 - real.sum() / computed.sum():.0%} filler in these")
    panels[0][0].set_ylabel("tokens that are multiplied")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return headed(figure, title=title)


def fleets(
    dollars: Mapping[str, Sequence[float]],
    *,
    queries_per_day: Sequence[float],
    crossings: Mapping[str, tuple[float, float]],
    title: str,
) -> Figure:
    """Dollars an hour of the machines that a day's traffic needs, a line for each kind of machine and model.

    Args:
        dollars: by name, at each of `queries_per_day`; names in pairs, of one model on either machine, share a colour.
        crossings: (traffic, dollars an hour) where a card becomes the cheaper machine, by what it is of.
    """
    figure, axes = plt.subplots(figsize=(8.0, 4.6), layout="constrained")
    for number, (name, of_fleet) in enumerate(dollars.items()):
        style = {"color": COLOURS[number // 2 % 6], "linestyle": LINES[number % 4], "linewidth": 2.4 - 0.3 * number}
        axes.plot(queries_per_day, of_fleet, label=shown(name), **style)
    for number, (name, (traffic, height)) in enumerate(crossings.items()):
        axes.scatter([traffic], [height], s=90, facecolor="white", edgecolor="black", zorder=3)
        words = f"{shown(name)}: the card pays\nfrom {traffic:,.0f} queries a day"
        place, side = (((-10, 14), "right"), ((10, -28), "left"))[number % 2]  # on either side, for they may lie close
        axes.annotate(words, (traffic, height), xytext=place, textcoords="offset points", fontsize=8, ha=side)
    axes.set(xscale="log", yscale="log", xlabel="queries a day", ylabel="dollars an hour for whole machines")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.margins(x=0)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return headed(figure, title=title)
