"""What all pictures of the course share: colours, marks, sizes, and how a figure is finished."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = "osD^vP"
WIDE = (8.0, 4.2)
LONGEST = 60  # characters of a name


def headed(figure: Figure, *, title: str) -> Figure:
    """As `finish`, with the title over the whole figure, where the axes are too narrow for it."""
    finish(figure, title="")
    figure.suptitle(plain(title), x=0.01, ha="left", fontsize=11, fontweight="bold", wrap=True)
    return figure


def finish(figure: Figure, *, title: str) -> Figure:
    """Title to the left, light grid, no box; closed, so that a notebook shows the figure once."""
    for axes in figure.axes:
        axes.set_title(plain(title), loc="left", fontsize=11, fontweight="bold", wrap=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    plt.close(figure)
    return figure


def shown(name: str) -> str:
    """A name as a label: on one line, cut where it is long. Names come from data, and may hold anything."""
    line = " ".join(name.split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    return plain(f" {line}" if line.startswith("_") else line)  # a legend leaves out what begins with _


def plain(text: str) -> str:
    """The text as it is: matplotlib reads what stands between two dollar signs as a formula, and stops at a bad one."""
    return text.replace("$", r"\$")
