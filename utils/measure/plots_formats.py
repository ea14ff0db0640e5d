"""The picture of notebook 12: one model in the formats of many devices, and how long each takes for a query."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from utils.measure.plots_style import COLOURS, finish, shown
from utils.measure.timing import Timing

LOOKS = ({"hatch": ""}, {"hatch": "///"})
HEIGHT = 0.38  # of a bar; two lie side by side


def query_times(times: Mapping[str, Mapping[str, Timing]], *, n_candidates: int, title: str) -> Figure:
    """A pair of bars a format: the median of a query's time in fp32 and in int8; a line reaches to the 95th percentile.

    Args:
        times: by format, then by precision; every format has the same precisions.

    Raises:
        ValueError: there is no format.
    """
    if not times:
        raise ValueError("no format to draw; give at least one")
    figure, axes = plt.subplots(figsize=(8.0, 1.4 + 0.55 * len(times)), layout="constrained")
    places = np.arange(len(times))
    longest = max(of.percentile(95) for one in times.values() for of in one.values())
    for number, precision in enumerate(next(iter(times.values()))):
        middle, high = (np.array([one[precision].percentile(p) for one in times.values()]) for p in (50, 95))
        at = places + (number - 0.5) * HEIGHT
        look = {"color": f"{COLOURS[number]}99", "edgecolor": "black", "linewidth": 0.5, **LOOKS[number % 2]}
        axes.barh(at, middle, height=HEIGHT, label=precision, xerr=[0 * high, high - middle], capsize=3, **look)
        for place, value, end in zip(at, middle, high, strict=True):
            axes.text(end + 0.012 * longest, place, f"{value:.1f}", va="center", fontsize=8)
    axes.set_yticks(places, [shown(name) for name in times])
    axes.invert_yaxis()
    axes.set(xlabel=f"ms of one query with {n_candidates} candidates, one thread", xlim=(0, 1.12 * longest))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return finish(figure, title=title)
