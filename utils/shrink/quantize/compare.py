"""Ways of quantizing one model side by side: bytes, drift, NDCG@10 on valid and time, each beside fp32.

A way is a file of a graph; who made it, and how, is not asked here. Stages are measured in `course.measure_stage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from utils.data.catalogue import texts_of
from utils.measure import load, timing
from utils.measure.timing import Ratio
from utils.rank import metrics, runtimes
from utils.rank.metrics import Interval, Quality
from utils.rank.setting import Setting
from utils.shrink.quantize import sensitivity

ENGINES = {".onnx": "ONNX Runtime", ".xml": "OpenVINO"}  # by the ending of a graph's file


@dataclass(frozen=True)
class Scored:
    """The scores of one way beside those of fp32.

    Attributes:
        scores: (n_pairs,), of all of valid.
        drift: as in `sensitivity.drift`.
        change: NDCG@10 on valid less that of fp32, with its interval.
    """

    scores: np.ndarray
    drift: float
    quality: Quality
    change: Interval

    @property
    def loses(self) -> bool:
        """Whether NDCG@10 on valid is lower than that of fp32 beyond chance."""
        return self.change.high < 0

    def as_row(self, name: str) -> dict[str, str]:
        """Its line of a table."""
        is_fp32 = self.change.low == self.change.high == self.drift == 0
        return {
            "way": name,
            "drift": f"{self.drift:.3f}",
            "NDCG@10 on valid": f"{self.quality.ndcg10:.3f}",
            "less fp32 [95%]": "–" if is_fp32 else self.change.signed(),
        }


@dataclass(frozen=True)
class Judged(Scored):
    """A graph beside that of fp32: its scores, its bytes, its time.

    Attributes:
        n_bytes: of the graph's files, tokenizer and configuration aside.
        faster: how many times the time of a query of this one is that of fp32, on one thread.
        engine: what runs it, a name in ENGINES.
    """

    n_bytes: int
    faster: Ratio
    engine: str

    def as_row(self, name: str) -> dict[str, str]:
        """Its line of a table."""
        faster = f"{self.faster.median:.2f} [{self.faster.low:.2f}, {self.faster.high:.2f}]"
        return super().as_row(name) | {"MB": f"{self.n_bytes / 1e6:.1f}", "times as fast [95%]": faster}


def scored(scores: np.ndarray, *, reference: np.ndarray, setting: Setting) -> Scored:
    """Scores (n_pairs,) of all of valid beside those of fp32 (n_pairs,)."""
    quality, exact = (
        metrics.evaluate(setting.valid, found, top_gain=setting.top_gain) for found in (scores, reference)
    )
    change = metrics.paired_bootstrap(quality, exact, n_resamples=setting.profile.n_bootstrap)
    return Scored(scores, sensitivity.drift(scores, reference=reference), quality, change)


def judge(
    ways: Mapping[str, Path], *, reference: str, tokenizer: PreTrainedTokenizerBase, setting: Setting
) -> dict[str, Judged]:
    """Score all of valid in every way, and time some queries by turns on one thread.

    Args:
        ways: a graph for ONNX Runtime (.onnx) or OpenVINO (.xml) by the name of the way.
        reference: the name of the one in fp32 that all others stand beside.
    """
    limits = {"tokenizer": tokenizer, "threads": 1, "max_tokens": setting.max_tokens}
    rankers = {name: runtimes.open_graph(path, **limits) for name, path in ways.items()}
    scores = {name: ranker.score(texts_of(setting.valid)) for name, ranker in rankers.items()}
    queries = load.workload(setting.catalogue, n_queries=setting.profile.n_latency_queries)
    timings = timing.interleave_queries(rankers, queries=queries)
    judged = {}
    for name, path in ways.items():
        found = scored(scores[name], reference=scores[reference], setting=setting)
        faster = timing.ratio(timings[reference], timings[name])
        judged[name] = Judged(**vars(found), n_bytes=n_bytes(path), faster=faster, engine=ENGINES[path.suffix])
    return judged


def choose(judged: Mapping[str, Judged], *, engine: str) -> str:
    """Of an engine's ways that lose nothing beyond chance the fastest; of those as fast to a tenth the smallest.

    Where all of them lose beyond chance, the one that loses least.

    Raises:
        ValueError: nothing to choose from.
    """
    own = {name: one for name, one in judged.items() if one.engine == engine}
    if not own:
        raise ValueError(f"compare.choose: no way of {engine or 'no engine'}; give those of compare.judge")
    sound = {name: one for name, one in own.items() if not one.loses}
    if not sound:
        return max(own, key=lambda name: own[name].change.mean)
    return min(sound, key=lambda name: (-round(sound[name].faster.median, 1), sound[name].n_bytes))


def n_bytes(path: Path) -> int:
    """Of a graph's file, and of the weights beside it where it is OpenVINO's."""
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    return sum(file.stat().st_size for file in files)
