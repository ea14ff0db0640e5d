"""Pictures of pruning: how important each part of a model is, and what quality is left as parts go."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from utils.measure.plots_style import COLOURS, MARKERS, WIDE, finish, headed, shown

Curve = Mapping[float, float]  # the share of parts kept, or of zeros, to the NDCG@10 that is left


def importance_map(importance: np.ndarray, *, part: str, title: str) -> Figure:
    """Importance (n_layers, n_parts) as shades, black for the largest of all; a layer's parts from most to least."""
    ordered = -np.sort(-np.asarray(importance, dtype=float), axis=1)
    shares = ordered / ordered.max()
    figure, axes = plt.subplots(figsize=(8.0, 1.4 + 0.42 * len(shares)), layout="constrained")
    image = axes.imshow(shares, cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="importance (largest = 1)")
    axes.set(xlabel=f"{part} of a layer, the most important first (rank)", ylabel="layer")
    axes.set_yticks(range(len(shares)))
    n_parts = shares.shape[1]
    axes.set_xticks(np.arange(n_parts), [str(place + 1) for place in range(n_parts)])
    finish(figure, title=title)
    axes.grid(False)
    figure.axes[-1].set_title("", loc="left")
    return figure


def size_against_use(size: np.ndarray, share_on: np.ndarray, *, kept: Mapping[str, np.ndarray], title: str) -> Figure:
    """Neurons of the layer on which two choices agree least: the size of their weights against how often they are on.

    Args:
        size, share_on: (n_layers, d_ff); the share is of tokens.
        kept: the neurons of each layer that either choice keeps, (n_layers, n_kept), by its name.
    """
    (first, ours), (second, theirs) = ((name, [set(map(int, row)) for row in rows]) for name, rows in kept.items())
    layer = min(range(len(ours)), key=lambda i: len(ours[i] & theirs[i]))
    a, b = ours[layer], theirs[layer]
    groups = {f"kept by {first} alone": a - b, f"kept by {second} alone": b - a, "kept by both": a & b}
    groups["kept by neither"] = set(range(size.shape[1])) - a - b
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, chosen) in enumerate(groups.items()):
        places = sorted(chosen)
        style = {"color": (*COLOURS[:3], "#b8bec5")[number], "marker": "os^."[number], "s": (16, 16, 16, 9)[number]}
        label = f"{shown(name)} ({len(places):,})"
        axes.scatter(size[layer, places], share_on[layer, places], label=label, alpha=0.7, **style)
    xlabel = f"size of a neuron's weights: norm in × norm out (layer {layer})"
    axes.set(xlabel=xlabel, ylabel="share of tokens on which it is on", ylim=(-0.02, None))
    axes.legend(frameon=True)
    return finish(figure, title=title)


def quality_curves(panels: Mapping[str, Mapping[str, Curve]], *, before: float, floor: float, title: str) -> Figure:
    """NDCG@10 against what was cut, a panel for each x label and a line for each way of choosing.

    A way with a single point is drawn as a large mark; level lines are `before`, the quality when nothing is cut, and
    `floor`, that of a random order.
    """
    figure, row = plt.subplots(1, len(panels), figsize=WIDE, sharey=True, squeeze=False, layout="constrained")
    for axes, (xlabel, curves) in zip(row[0], panels.items(), strict=True):
        for number, (name, curve) in enumerate(curves.items()):
            style = {"color": COLOURS[number], "marker": MARKERS[number], "label": shown(name)}
            style |= (
                {"markersize": 11, "linestyle": "none"}
                if len(curve) == 1
                else {"linestyle": ("-", "--", ":")[number % 3]}
            )
            axes.plot(list(curve), list(curve.values()), **style)
        axes.axhline(before, color="black", linewidth=1, label="nothing cut")
        axes.axhline(floor, color="grey", linewidth=1, linestyle=(0, (1, 1)), label="random order")
        axes.set(xlabel=shown(xlabel))
    row[0][0].set(ylabel="judged NDCG@10 on valid", ylim=(0, 1.02))
    handles, names = row[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    return headed(figure, title=title)
