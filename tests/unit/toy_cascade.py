"""A cascade as an engine: a first ranker scores every pair, a second one the best of each query anew."""

import json
from pathlib import Path

import numpy as np

from utils.rank import runtimes
from utils.rank.runtimes.base import Part, Runtime


class Cascade:
    def __init__(self, first, second, *, share):
        self.first, self.second, self.share = first, second, share

    @property
    def batch_size(self):
        return self.first.batch_size

    @batch_size.setter
    def batch_size(self, size):
        self.first.batch_size = self.second.batch_size = size

    def score(self, pairs):
        scores = self.first.score(pairs)
        rows_of = {}
        for row, (query, _) in enumerate(pairs):
            rows_of.setdefault(query, []).append(row)
        for rows in rows_of.values():
            best = sorted(rows, key=lambda row: -scores[row])[: max(1, round(self.share * len(rows)))]
            again = self.second.score([pairs[row] for row in best])
            scores[best] = scores[rows].max() + 1 + again - again.min()
        return scores.astype(np.float32)


def parts(folder: Path):
    listed = json.loads((folder / "cascade.json").read_text())
    return [Part(folder.parent / one["stage"], one["runtime"], one["share"]) for one in listed]


def open_cascade(folder: Path, *, threads, max_tokens, batch_size, device):
    limits = {"threads": threads, "max_tokens": max_tokens, "batch_size": batch_size, "device": device}
    first, second = (runtimes.open_ranker(one.folder, runtime=one.runtime, **limits) for one in parts(folder))
    return Cascade(first, second, share=parts(folder)[1].share)


RUNTIME = Runtime(
    name="toy_cascade",
    library="torch",
    distribution="torch",
    weights=("cascade.json",),
    open=open_cascade,
    precision=lambda folder: "fp32",
    parts=parts,
    also_ships=(),
)
