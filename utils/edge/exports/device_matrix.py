"""The device matrix: every format of a model side by side, its bytes, its times on one thread, and what it keeps.

Caveats that belong beside it: times are of this machine's processor and stand for a phone only in their order; loading
includes the tokenizer; LiteRT pads to fixed shapes; files of the operating system are warm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from utils.data.catalogue import texts_of
from utils.edge import engines
from utils.edge.exports import fidelity
from utils.edge.exports.fidelity import Fidelity
from utils.measure import cost, load, memory, timing
from utils.measure.timing import Timing
from utils.measure.variant import Variant
from utils.rank import runtimes
from utils.rank.ranker import Pair
from utils.rank.setting import Setting

N_CANDIDATES = (20, 100)
N_LOADS = 3
N_SINGLE = 10  # single pairs that are timed
engines.register_engines()


@dataclass(frozen=True)
class Line:
    """One format in one precision.

    Attributes:
        n_bytes: to ship, tokenizer and configuration included.
        load: of opening the folder; one_pair: of a single pair; queries: of one query, by its number of candidates.
        peak_bytes: of a process that only scores, beyond its imports; None: not measured.
        kept: beside PyTorch on valid.
    """

    variant: Variant
    n_bytes: int
    load: Timing
    one_pair: Timing
    queries: Mapping[int, Timing]
    kept: Fidelity
    peak_bytes: int | None = None

    def as_row(self, name: str) -> dict[str, str]:
        """Its line of a table."""
        times = {
            f"ms of {n} candidates, p50 / p95": f"{of.percentile(50):.1f} / {of.percentile(95):.1f}"
            for n, of in self.queries.items()
        }
        peak = "–" if self.peak_bytes is None else f"{self.peak_bytes / 1e6:.0f}"
        sizes = {"format": name, "MB": f"{self.n_bytes / 1e6:.1f}", "memory MB": peak}
        first = {"load ms": f"{self.load.percentile(50):.0f}", "one pair ms": f"{self.one_pair.percentile(50):.2f}"}
        return sizes | first | times | self.kept.as_row()


def measure(
    variants: Mapping[str, Variant],
    *,
    run_folder: Path,
    setting: Setting,
    reference: np.ndarray,
    peaks: Mapping[str, int] | None = None,
) -> dict[str, Line]:
    """Measure formats by turns, each on the threads of its variant, and judge each on all of valid.

    Args:
        variants: by the names that the table shows; their stages are folders under `run_folder`.
        reference: scores (n_pairs,) of valid's judged pairs by the model itself in PyTorch.
        peaks: from `peak_memory`, for those that it was measured for.

    Raises:
        ValueError: a stage's files are not of the precision that its variant claims.
    """
    for variant in variants.values():
        variant.require_precision(run_folder)
    openers = {
        name: partial(variant.open, run_folder, max_tokens=setting.max_tokens) for name, variant in variants.items()
    }
    loads = timing.interleave_calls(openers, repeats=N_LOADS)
    rankers = {name: opener() for name, opener in openers.items()}
    queries = load.workload(
        setting.catalogue, n_queries=setting.profile.n_latency_queries, n_candidates=max(N_CANDIDATES)
    )
    single = [[pair] for pair in queries[0][:N_SINGLE]]
    one_pair = timing.interleave_queries(rankers, queries=single)
    timed = {n: timing.interleave_queries(rankers, queries=[pairs[:n] for pairs in queries]) for n in N_CANDIDATES}
    judged = {"pairs": setting.valid, "top_gain": setting.top_gain, "n_resamples": setting.profile.n_bootstrap}
    lines = {}
    for name, variant in variants.items():
        shipped = runtimes.shipped_files(run_folder / variant.stage, runtime=variant.runtime)
        lines[name] = Line(
            variant,
            cost.disk_bytes(shipped),
            loads[name],
            one_pair[name],
            {n: of[name] for n, of in timed.items()},
            fidelity.of(rankers[name], reference=reference, **judged),
            (peaks or {}).get(name),
        )
    return lines


def reference_scores(folder: Path, *, setting: Setting, threads: int = 1) -> np.ndarray:
    """Scores (n_pairs,) of valid's judged pairs by a model folder's own weights in PyTorch."""
    limits = {"threads": threads, "max_tokens": setting.max_tokens}
    return runtimes.open_ranker(folder, runtime="pytorch", **limits).score(texts_of(setting.valid))


def peak_memory(
    variants: Mapping[str, Variant], *, run_folder: Path, pairs: Sequence[Pair], max_tokens: int, at_once: int = 1
) -> dict[str, int]:
    """Peak bytes of each format in a process of its own, so many of them at a time; no clock runs."""

    def peak(variant: Variant) -> int:
        return memory.peak_rss_bytes(run_folder, variant, pairs=pairs, max_tokens=max_tokens)

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return dict(zip(variants, pool.map(peak, variants.values()), strict=True))
