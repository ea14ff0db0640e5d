"""A cascade: a cheap ranker scores all candidates of a query, and a dear one the best of them once more.

What the second one never sees stays in the first one's order, below all that it saw. As an engine a cascade names two
models that lie in the folders beside its own.

Source: Wang, Lin, Metzler, "A cascade ranking model for efficient ranked retrieval", SIGIR 2011,
https://doi.org/10.1145/2009916.2009934
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils import disk
from utils.rank import metrics, ranker, runtimes
from utils.rank.metrics import Quality
from utils.rank.ranker import Pair
from utils.rank.runtimes.base import Part, Runtime, SizedRanker
from utils.settings import N_CANDIDATES

FACTS = "cascade.json"
STEPS = ("first", "second")
AGAIN = "make it again with cascade.make"


@dataclass
class Cascade:
    """A ranker whose `second` scores the `depth` best of each query's pairs in the order of its `first`.

    Scores of one call are comparable within a query. Where a query has no more than `depth` pairs they are the
    second's own.

    Raises:
        ValueError: `depth` is below 1.
    """

    first: SizedRanker
    second: SizedRanker
    depth: int

    def __post_init__(self) -> None:
        require_depth(self.depth)

    @property
    def batch_size(self) -> int:
        """Of both rankers."""
        return self.first.batch_size

    @batch_size.setter
    def batch_size(self, size: int) -> None:
        self.first.batch_size = self.second.batch_size = size

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Scores (len(pairs),), float32, higher is better, in the order of `pairs`."""
        scores = np.array(self.first.score(pairs), dtype=np.float32)
        if not len(pairs):
            return scores
        groups = [np.array(places) for places in ranker.by_query(pairs).values()]
        chosen = [are_best(scores[places], depth=self.depth) for places in groups]
        best = [places[is_chosen] for places, is_chosen in zip(groups, chosen, strict=True)]
        again = self.second.score([pairs[place] for place in np.concatenate(best).tolist()])
        ends = np.cumsum([len(places) for places in best])[:-1]
        for places, is_chosen, of_query in zip(groups, chosen, np.split(again, ends), strict=True):
            scores[places] = put_above(scores[places], is_chosen, of_query)
        return scores


def are_best(scores: np.ndarray, *, depth: int) -> np.ndarray:
    """Whether each of one query's pairs is among the `depth` best, (n_pairs,); of equal ones the first are."""
    is_chosen = np.zeros(len(scores), dtype=bool)
    is_chosen[np.argsort(-scores, kind="stable")[:depth]] = True
    return is_chosen


def put_above(scores: np.ndarray, is_chosen: np.ndarray, again: np.ndarray) -> np.ndarray:
    """One query's scores (n_pairs,), float32, in which the chosen pairs stand with new scores above all others.

    The chosen ones have their new scores as they are; the others keep their order and their distances.

    Args:
        is_chosen: (n_pairs,), true or false.
        again: the new scores of the chosen pairs in the order of their places.
    """
    merged = np.asarray(scores, dtype=np.float64).copy()
    if len(again) and len(again) < len(merged):
        merged += np.min(again) - 1.0 - merged[~is_chosen].max()
    merged[is_chosen] = again
    return merged.astype(np.float32)


def merge(first: np.ndarray, second: np.ndarray, *, queries: Sequence[str], depth: int) -> np.ndarray:
    """The scores of a cascade where both rankers' scores of all pairs are known, to compare depths: (n_pairs,).

    Args:
        first, second: of every pair, (n_pairs,).
        queries: of every pair, its text or its id.

    Raises:
        ValueError: `depth` is below 1.
    """
    require_depth(depth)
    merged = np.empty(len(first), dtype=np.float32)
    for places in ranker.by_query([(query, "") for query in queries]).values():
        is_chosen = are_best(first[places], depth=depth)
        merged[places] = put_above(first[places], is_chosen, second[places][is_chosen])
    return merged


def choose_depth(
    quality_at: Mapping[int, Quality],
    *,
    whole: Quality,
    keep: float = 0.99,
    at_least: float = 0.98,
    n_resamples: int = 2_000,
) -> int:
    """The smallest depth that keeps what the course calls the whole quality.

    The share of NDCG@10 that is kept must be `keep`, and the lower end of its paired 95% interval `at_least`.

    Args:
        quality_at: of the cascade by depth, on valid; `whole`: of the second ranker over all candidates, or of a
            teacher, on the same queries.

    Raises:
        ValueError: no depth does; names the best one and what it keeps.
    """
    shares = {
        depth: metrics.pooled_share([(quality_at[depth], whole)], n_resamples=n_resamples)
        for depth in sorted(quality_at)
    }
    for depth, share in shares.items():
        if share.mean >= keep and share.low >= at_least:
            return depth
    found = "no depth was looked at"
    if shares:
        depth = max(shares, key=lambda depth: shares[depth].mean)
        found = f"{depth} keeps {shares[depth].mean:.1%}, its interval from {shares[depth].low:.1%}"
    raise ValueError(
        f"no depth keeps {keep:.0%} with its interval above {at_least:.0%} ({found}); look at deeper ones, take a "
        "better first ranker, or judge more queries"
    )


def require_depth(depth: int) -> None:
    """Refuse a depth below 1."""
    if depth < 1:
        raise ValueError(f"depth is {depth}; the second ranker must see one pair of a query at least")


def make(folder: Path, *, first: tuple[str, str], second: tuple[str, str], depth: int) -> Path:
    """Make the folder of a cascade, whole or not at all; `fill` says what of."""
    with disk.whole_folder(Path(folder)) as new:
        fill(new, first=first, second=second, depth=depth)
    return Path(folder)


def fill(folder: Path, *, first: tuple[str, str], second: tuple[str, str], depth: int) -> Path:
    """Write into a folder which models a cascade runs, each as (stage, runtime) in a folder beside it, and its depth.

    Raises:
        ValueError: `depth` is below 1, or an engine is not known. FileNotFoundError: a model is not there.
    """
    require_depth(depth)
    models = {step: _identity(Path(folder).parent, *one) for step, one in zip(STEPS, (first, second), strict=True)}
    disk.write_whole(Path(folder) / FACTS, disk.json_text(models | {"depth": depth}))
    return Path(folder)


def _identity(run_folder: Path, stage: str, runtime: str) -> dict[str, str]:
    return {"stage": stage, "runtime": runtime, "weights": runtimes.weights_hash(run_folder / stage, runtime=runtime)}


def _facts(folder: Path) -> dict:
    facts = disk.read_object(Path(folder) / FACTS)
    if not {*STEPS, "depth"} <= facts.keys():
        raise ValueError(f"{folder}: {FACTS} is missing, damaged, or names no two models; {AGAIN}")
    return facts


def steps(folder: Path) -> list[Part]:
    """The first and the second model, each with the share of a query's pairs that it scores, of N_CANDIDATES.

    Raises:
        ValueError: the folder does not say which ones.
    """
    facts, beside = _facts(folder), Path(folder).parent
    shares = (1.0, min(1.0, facts["depth"] / N_CANDIDATES))
    models = ((beside / facts[step]["stage"], facts[step]["runtime"]) for step in STEPS)
    return [Part(*model, share) for model, share in zip(models, shares, strict=True)]


def parts(folder: Path) -> list[Part]:
    """What the two models consist of themselves: of one with stored ids, the model that reads them."""
    nested = [(step, part) for step in steps(folder) for part in runtimes.named(step.runtime).parts_of(step.folder)]
    return [Part(part.folder, part.runtime, step.share * part.share) for step, part in nested]


def shipped_files(folder: Path) -> list[Path]:
    """All files to ship, those that are stored beside a model too, which `parts` does not name."""
    of_steps = [runtimes.shipped_files(step.folder, runtime=step.runtime) for step in steps(folder)]
    return list(dict.fromkeys([Path(folder) / FACTS, *of_steps[0], *of_steps[1]]))


def open_cascade(folder: Path, *, threads: int, max_tokens: int, batch_size: int, device: str) -> Cascade:
    """Both models, opened.

    Raises:
        ValueError: a model is another one than the depth was chosen for, or cannot be opened.
    """
    facts = _facts(folder)
    for step in STEPS:
        one = facts[step]
        found = _identity(Path(folder).parent, one["stage"], one["runtime"])["weights"]
        if found != one["weights"]:
            raise ValueError(
                f"{folder}: its depth was chosen for weights {one['weights']} of {one['stage']}, which has {found}; "
                "choose the depth anew, then make it again with cascade.make"
            )
    limits = {"threads": threads, "max_tokens": max_tokens, "batch_size": batch_size, "device": device}
    first, second = (runtimes.open_ranker(part.folder, runtime=part.runtime, **limits) for part in steps(folder))
    return Cascade(first, second, facts["depth"])


def stored_precision(folder: Path) -> str:
    """That of both models, such as "int8"; where they differ "int8+fp32", the first one's first."""
    found = [runtimes.named(part.runtime).precision(part.folder) for part in parts(folder)]
    return "+".join(dict.fromkeys(found))


RUNTIME = Runtime(
    name="cascade",
    library="numpy",
    distribution="numpy",
    weights=(FACTS,),
    open=open_cascade,
    precision=stored_precision,
    parts=parts,
    also_ships=(),
)
