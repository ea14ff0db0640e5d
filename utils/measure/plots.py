"""The pictures of the course. Each function draws one figure whose title the caller writes, as a finding.

Marks differ in shape as well as in colour, so that a figure is legible in black and white.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from utils.measure.ledger import Row
from utils.measure.machine import roofline_gflops
from utils.measure.plots_style import COLOURS, MARKERS, WIDE, finish, headed, shown

MOST_KINDS = 24  # lines of a picture by kind
GREY = "#6e7781"
BESIDE = [  # where a name may stand beside its mark: an offset in points, and which of its sides is there
    *(((8, 6), "left"), ((8, -12), "left"), ((-8, 6), "right"), ((-8, -12), "right")),
    *(((0, 10), "center"), ((0, -17), "center"), ((8, 18), "left"), ((8, -24), "left")),
    *(((-8, 18), "right"), ((-8, -24), "right"), ((12, 30), "left"), ((-12, -36), "right")),
]


def quality_bars(means: Mapping[str, float], *, title: str) -> Figure:
    """Judged NDCG@10 of several rankers, one bar each, in the order given."""
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    bars = axes.barh(range(len(means)), list(means.values()), color=COLOURS[0], height=0.6)
    axes.bar_label(bars, fmt="%.3f", padding=4)
    axes.set_yticks(range(len(means)), [shown(name) for name in means])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.08), xlabel="judged NDCG@10 (1 is a perfect order)")
    return finish(figure, title=title)


def spread(values: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """How NDCG@10 is spread over queries: one outlined histogram a ranker, its mean as a vertical line."""
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, sample) in enumerate(values.items()):
        style = {"color": COLOURS[number], "linestyle": ("-", "--", ":", "-.")[number % 4]}
        label = f"{shown(name)}, mean {np.mean(sample):.3f}"
        axes.hist(sample, bins=np.linspace(0, 1, 21), histtype="step", linewidth=2, label=label, **style)
        axes.axvline(float(np.mean(sample)), linewidth=1, **style)
    axes.set(xlim=(0, 1), xlabel="judged NDCG@10 of one query", ylabel="queries")
    axes.legend(frameon=True)
    return finish(figure, title=title)


def quality_by_kind(slices: Mapping[str, Mapping[str, tuple[float, int]]], *, title: str) -> Figure:
    """NDCG@10 by kind of query, the 24 kinds with most queries; `slices` maps a ranker's name to `metrics.by_kind`."""
    counts = {kind: n for kind, (_, n) in next(iter(slices.values())).items()}
    kept = set(sorted(counts, key=counts.get, reverse=True)[:MOST_KINDS])
    kinds = [kind for kind in counts if kind in kept]
    figure, axes = plt.subplots(figsize=(8.0, 2.0 + 0.42 * len(kinds)), layout="constrained")
    for number, (name, by_kind) in enumerate(slices.items()):
        values = [by_kind[kind][0] for kind in kinds]
        axes.plot(values, range(len(kinds)), MARKERS[number], color=COLOURS[number], label=shown(name), markersize=7)
    nameless = "not given" if len(counts) > 1 else "all"
    axes.set_yticks(range(len(kinds)), [f"{shown(kind or nameless)} ({counts[kind]:,})" for kind in kinds])
    which = "queries" if len(kinds) == len(counts) else f"queries of the {MOST_KINDS} most frequent kinds"
    axes.set(xlim=(0, 1.02), ylim=(len(kinds) - 0.4, -0.6), xlabel="judged NDCG@10", ylabel=which)
    figure.legend(loc="outside lower center", ncols=len(slices), frameon=False)
    return finish(figure, title=title)


def training(log: Sequence[Mapping], *, title: str) -> Figure:
    """The trainer's log: training loss by step, and below it NDCG@10 on valid whenever it was looked at."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(8.0, 4.8), sharex=True, layout="constrained")
    losses = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    judged = [(entry["step"], entry["eval_ndcg10"]) for entry in log if "eval_ndcg10" in entry]
    upper.plot(*zip(*losses, strict=True), color=COLOURS[0], marker=".")
    lower.plot(*zip(*judged, strict=True), color=COLOURS[1], marker="s")
    upper.set(ylabel="training loss")
    lower.set(xlabel="training step", ylabel="NDCG@10 on valid")
    finish(figure, title=title)
    lower.set_title("")
    lower.set_title("", loc="left")
    return figure


def quality_against_dollars(
    points: Mapping[str, tuple[float, float]],
    *,
    title: str,
    earlier: Mapping[str, tuple[float, float]] | None = None,
    known: Sequence[str] = (),
) -> Figure:
    """Each ranker at (dollars for a million queries, NDCG@10), named beside its mark; dollars on a logarithmic axis.

    Args:
        earlier: points that were there before, drawn in grey; of one name the new point counts.
        known: names whose colour and mark are the same in every picture.
    """
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    every = {name: point for name, point in (earlier or {}).items() if name not in points} | dict(points)
    dollars, quality = zip(*every.values(), strict=True)
    names = list(dict.fromkeys((*known, *every)))
    for name, (x, y) in every.items():
        number = names.index(name)
        style = {"color": COLOURS[number % 6], "s": 60} if name in points else {"color": GREY, "s": 30}
        axes.scatter(x, y, marker=MARKERS[(number + number // 6) % 6], **style)
    axes.set(xscale="log", xlabel="dollars for a million queries", ylabel="judged NDCG@10")
    axes.set_xlim(min(dollars) / 1.5, 1.5 * max(dollars))
    axes.set_ylim(_at_least_a_tenth(quality))
    _name_beside(axes, every, grey=set(every) - set(points))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,.2g}")
    return finish(figure, title=title)


def _name_beside(axes: Axes, points: Mapping[str, tuple[float, float]], *, grey: Collection[str]) -> None:
    """Write each name where it covers least of the marks and of the names before it; limits must be set."""
    figure = axes.figure
    figure.draw_without_rendering()
    marks = axes.transData.transform(list(points.values()))
    taken: list[Bbox] = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    for name, point in points.items():
        font = {"fontsize": 8, "color": GREY} if name in grey else {"fontsize": 9}
        text = axes.annotate(shown(name), point, xytext=(0, 0), textcoords="offset points", **font)
        places = {}
        for number, (offset, side) in enumerate(BESIDE):
            text.set(position=offset, ha=side)
            box = text.get_window_extent()
            outside = axes.bbox.width * axes.bbox.height if not _holds(axes.bbox, box) else 0
            places[number] = (outside + _covered(box, taken=taken), number)
        best = min(places, key=places.get)
        text.set(position=BESIDE[best][0], ha=BESIDE[best][1])
        taken.append(text.get_window_extent())


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


def _covered(box: Bbox, *, taken: Sequence[Bbox]) -> float:
    """The area that a box shares with others, in square pixels."""
    shared = (Bbox.intersection(box, other) for other in taken)
    return sum(one.width * one.height for one in shared if one is not None)


def quality_by_judged(lines: Mapping[str, Sequence[tuple[float, float]]], *, title: str) -> Figure:
    """NDCG@10 on valid against the number of judged train queries, a line for each way to learn from them."""
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, points) in enumerate(lines.items()):
        judged, quality = zip(*sorted(points), strict=True)
        style = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6]}
        style |= {"linestyle": ("-", "--", ":", "-.")[number % 4]}
        axes.plot(judged, quality, label=shown(name), markersize=7, **style)
    sizes = sorted({n for points in lines.values() for n, _ in points})
    axes.set(xscale="log", xlabel="judged train queries", ylabel="judged NDCG@10 on valid")
    axes.set_ylim(_at_least_a_tenth([quality for points in lines.values() for _, quality in points]))
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=True)
    return finish(figure, title=title)


def agreement_by_repetition(lines: Mapping[str, Sequence[tuple[float, float]]], *, title: str) -> Figure:
    """How well students copy their teacher against how often they met each of their pairs, a line for each set tried.

    Args:
        lines: of every set of pairs on which students are tried, (times that each pair came, rank correlation) of each.
    """
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, points) in enumerate(lines.items()):
        times, correlation = zip(*sorted(points), strict=True)
        style = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6]}
        style |= {"linestyle": ("-", "--", ":", "-.")[number % 4]}
        axes.plot(times, correlation, label=shown(name), markersize=7, **style)
    met = sorted({times for points in lines.values() for times, _ in points})
    axes.set(xscale="log", xlabel="how often each pair to learn from came (mean)", ylabel="agreement (Spearman)")
    axes.set_ylim(_at_least_a_tenth([correlation for points in lines.values() for _, correlation in points]))
    axes.set_xticks(met, [f"{times:.2g}" for times in met])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=True)
    return finish(figure, title=title)


def _at_least_a_tenth(values: Sequence[float]) -> tuple[float, float]:
    """Limits around all values, 0.1 apart or more, so that a difference of a thousandth does not look like a cliff."""
    middle, half = (min(values) + max(values)) / 2, (max(values) - min(values)) / 2
    reach = max(0.05, 1.15 * half)
    return middle - reach, middle + reach


def size_and_work(rows: Sequence[Row], *, title: str) -> Figure:
    """Bytes to ship and MACs a pair of every row that has both, as two bars side by side."""
    drawn = [row for row in rows if row.size.disk_bytes is not None and row.work.macs_per_pair is not None]
    names = [shown(row.label) for row in drawn]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 1.2 + 0.4 * len(drawn)), sharey=True, layout="constrained")
    _bars(left, names, [row.size.disk_bytes / 1e6 for row in drawn], colour=COLOURS[0], xlabel="to ship (MB)")
    _bars(right, names, [row.work.macs_per_pair / 1e9 for row in drawn], colour=COLOURS[1], xlabel="a pair (G MACs)")
    left.invert_yaxis()
    return headed(figure, title=title)


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], *, colour: str, xlabel: str) -> None:
    places = range(len(names))
    axes.bar_label(axes.barh(places, values, color=colour, height=0.6), fmt="%.3g", padding=4)
    axes.set_yticks(places, names)
    axes.set(xlabel=xlabel, xlim=(0, 1.2 * max(values, default=1.0)))


def roofline(points: Mapping[str, tuple[float, float]], *, peak_gflops: float, gb_per_s: float, title: str) -> Figure:
    """The machine's roof and what rankers reach under it: (FLOPs a byte moved, GFLOP/s) for each name."""
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    intensity = np.logspace(-1, 3, 200)
    roof = roofline_gflops(intensity, peak_gflops=peak_gflops, gb_per_s=gb_per_s)
    axes.loglog(intensity, roof, color="black", label="roof: memory, then arithmetic")
    for number, (name, (x, y)) in enumerate(points.items()):
        axes.loglog([x], [y], MARKERS[number % 6], color=COLOURS[number % 6], label=shown(name), markersize=8)
    axes.set(xlabel="arithmetic intensity (FLOPs a byte moved)", ylabel="GFLOP/s")
    axes.legend(loc="lower right", frameon=True)
    return finish(figure, title=title)


def layer_to_scale(*, d_model: int, d_ff: int, n_heads: int, title: str) -> Figure:
    """The six matrices of a transformer layer to scale, as PyTorch stores them: a row for each output.

    The weights of one head are hatched, those of one neuron are a thick line.
    """
    d_head, third = d_model / n_heads, d_ff / 3
    shapes = dict.fromkeys(("Q", "K", "V", "output"), (d_model, d_model))
    shapes |= {"feed-forward 1": (d_ff, d_model), "feed-forward 2": (d_model, d_ff)}
    parts = dict.fromkeys(("Q", "K", "V"), (0, 0, d_model, d_head)) | {"output": (0, 0, d_head, d_model)}
    parts |= {"feed-forward 1": (0, third, d_model, 1), "feed-forward 2": (third, 0, 1, d_model)}
    figure, axes = plt.subplots(figsize=(8.0, 3.3), layout="constrained")
    marks, left = {}, 0.0
    for name, (n_out, n_in) in shapes.items():
        axes.add_patch(Rectangle((left, 0), n_in, n_out, facecolor="#eceff1", edgecolor=GREY))
        x, y, width, height = parts[name]
        of_neuron, of_head = {"edgecolor": COLOURS[1], "linewidth": 3}, {"edgecolor": COLOURS[0], "hatch": "////"}
        look = of_neuron if name.startswith("feed-forward") else of_head
        marks[name] = axes.add_patch(Rectangle((left + x, y), width, height, fill=False, **look))
        axes.text(left, -0.1 * d_model, f"{name}\n{n_out:,} × {n_in:,}", fontsize=8)
        left += n_in + 0.5 * d_model
    axes.set(xlim=(-0.05 * d_model, left), ylim=(1.02 * d_ff, -0.7 * d_model), aspect="equal")
    axes.set(xlabel="inputs (columns)", ylabel="outputs (rows)", xticks=[], yticks=[])
    named = {f"one of {n_heads} heads": marks["Q"], f"one of {d_ff:,} neurons": marks["feed-forward 1"]}
    axes.legend(named.values(), named.keys(), loc="lower right", frameon=True)
    return finish(figure, title=title)


def times_by_turn(samples_ms: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """Milliseconds of every turn, a line for each thing that was timed."""
    figure, axes = plt.subplots(figsize=WIDE, layout="constrained")
    for number, (name, times) in enumerate(samples_ms.items()):
        style = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "linestyle": ("-", "--", ":")[number % 3]}
        axes.plot(range(1, len(times) + 1), times, label=shown(name), **style)
    axes.set(xlabel="turn: one query with its candidates", ylabel="time (ms)", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=True)
    return finish(figure, title=title)
