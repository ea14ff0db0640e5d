"""What all pictures of the course share: colours, marks, sizes, and how a figure is finished."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "osD^vP"
WIDE = (8.0, 4.2)


def headed(figure: Figure, *, title: str) -> Figure:
    """As `_finish`, with the title over the whole figure, where the axes are too narrow for it."""
    finish(figure, title="")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", wrap=True)
    return figure


def finish(figure: Figure, *, title: str) -> Figure:
    """Title to the left, light grid, no box; closed, so that a notebook shows the figure once."""
    for axes in figure.axes:
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", wrap=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    plt.close(figure)
    return figure
