"""What a student learns from: pairs of queries and products, judged or not, and the teacher's score of each.

Queries come from the train split and from the products themselves; no text of a valid or test query is among them. The
scores take minutes, so they are kept on disk with what they were made from. Learning from them is in `distillation`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, Value

from utils import disk, freshness
from utils.data import unjudged
from utils.data.catalogue import Catalogue, normal_text, texts_of
from utils.data.unjudged import Row
from utils.rank.ranker import Ranker

FEATURES = Features({"group": Value("int32"), "query": Value("string"), "product": Value("string")})
FEATURES |= {"gain": Value("int32"), "source": Value("string")}
SCORED_AT_ONCE = 32_768  # pairs; their tokens are in memory together
FILES = ("pairs.parquet", "made_from.json")
CAUSES = {  # why kept scores are refused, by what differs
    "teacher": "are of another teacher",
    "data": "are of other data",
    "code": "were made by other code",
    "pairs": "are damaged: the file is not the one that was written",
}


def draw(catalogue: Catalogue, *, n_unlabelled: int, seed: int) -> Dataset:
    """Pairs for a teacher to score: judged train pairs, and `n_unlabelled` others if there are as many.

    Judged pairs are thinned, by whole queries at random, to at most `n_unlabelled`. The others come in equal parts from
    three sources: BM25's candidates of train queries that nobody judged; products' titles as queries, and random crops
    of products' texts as queries, each with some of BM25's candidates, two at least, for a list of one teaches no
    order. Where a source runs dry the others go on.

    Returns:
        group (a number, the same for all pairs of one query text), query, product, gain (-1 where nobody judged),
        source ("judged", "bm25", "title", "crop").

    Raises:
        ValueError: `n_unlabelled` is not above 0, or nothing is left that no valid or test query says.
    """
    if n_unlabelled < 1:
        raise ValueError(
            f"n_unlabelled is {n_unlabelled}; give at least 1 pair, or there is nothing for a teacher to add"
        )
    rng = random.Random(seed)
    held_out = unjudged.held_out(catalogue)
    rows = list(_judged(catalogue, held_out=held_out, at_most=n_unlabelled, rng=rng))
    known = {(query, product) for query, product, _, _ in rows} | _labelled(catalogue)
    rows += unjudged.draw(catalogue, known=known, n_pairs=n_unlabelled, rng=rng)
    if not rows:
        raise ValueError(
            "queries.csv: every train query is also a valid or test query; give train queries of their own"
        )
    assert held_out.isdisjoint(normal_text(query) for query, *_ in rows)
    columns = zip(*rows, strict=True)
    found = dict(zip(("query", "product", "gain", "source"), map(list, columns), strict=True))
    return Dataset.from_dict({"group": unjudged.grouped(found["query"])} | found, features=FEATURES)


def score(ranker: Ranker, pairs: Dataset) -> Dataset:
    """The pairs with a column `score`: the teacher's logits, float32.

    Raises:
        ValueError: a score is not a finite number.
    """
    texts = texts_of(pairs)
    parts = [ranker.score(texts[at : at + SCORED_AT_ONCE]) for at in range(0, len(texts), SCORED_AT_ONCE)]
    scores = np.concatenate(parts).astype(np.float32)
    if not np.isfinite(scores).all():
        raise ValueError("the teacher gave a score that is not a finite number; look at its model folder")
    return pairs.add_column("score", scores)


def kept_or_scored(
    folder: Path, *, pairs: Dataset, teacher_hash: str, data_hash: str, ranker: Callable[[], Ranker]
) -> Dataset:
    """These pairs with this teacher's scores: those kept in `folder` when they are the same, else scored and kept now.

    Args:
        ranker: opens the teacher; called only when there is something to score.
    """
    try:
        kept = load(folder, teacher_hash=teacher_hash, data_hash=data_hash)
        if _digest(kept) == _digest(pairs):
            return kept
    except (FileNotFoundError, ValueError):
        pass
    found = score(ranker(), pairs)
    save(found, folder=folder, teacher_hash=teacher_hash, data_hash=data_hash)
    return found


def save(scored: Dataset, *, folder: Path, teacher_hash: str, data_hash: str) -> Path:
    """Keep scored pairs in `folder`, whole or not at all, beside the hashes of teacher, data and code."""
    with disk.whole_folder(folder) as partial:
        scored.to_parquet(partial / FILES[0])
        made_from = _made_from(partial / FILES[0], teacher_hash=teacher_hash, data_hash=data_hash)
        (partial / FILES[1]).write_text(json.dumps(made_from, indent=1) + "\n", encoding="utf-8")
    return folder


def load(folder: Path, *, teacher_hash: str, data_hash: str) -> Dataset:
    """The scored pairs kept in `folder`.

    Raises:
        FileNotFoundError: there are none. ValueError: they are damaged, of another teacher or other data, or
            other code made them.
    """
    remedy = "run notebook 04 again"
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder.name}/{name} is missing; {remedy}")
    kept = disk.read_object(folder / FILES[1])
    if not CAUSES.keys() <= kept.keys():
        raise ValueError(f"{folder.name}/{FILES[1]} cannot be read; {remedy}")
    here = _made_from(folder / FILES[0], teacher_hash=teacher_hash, data_hash=data_hash)
    for name, cause in CAUSES.items():
        if kept[name] != here[name]:
            raise ValueError(f"the scores in {folder.name}/{FILES[0]} {cause}; {remedy}")
    return _read(folder / FILES[0])


def _made_from(pairs: Path, *, teacher_hash: str, data_hash: str) -> dict[str, str]:
    """What decides the scores in a file, and the file itself, by the names in CAUSES."""
    code = freshness.of_code(f"{__name__}:score", "utils.rank.ranker:BatchedRanker")
    return {"teacher": teacher_hash, "data": data_hash, "code": code, "pairs": disk.sha256(pairs)}


def _read(path: Path) -> Dataset:
    """The table in memory: the library's own reader would copy it into a cache of the user's."""
    import pyarrow.parquet

    return Dataset(pyarrow.parquet.read_table(path))


def _digest(found: Dataset) -> str:
    """What pairs these are, whatever was added to them."""
    return freshness.key(**{name: freshness.key(values=found[name][:]) for name in FEATURES})


def _judged(catalogue: Catalogue, *, held_out: set[str], at_most: int, rng: random.Random) -> Iterator[Row]:
    """Judged train pairs of whole queries; queries come in random order when not all of them fit."""
    train = catalogue.pairs["train"]
    of_query: dict[str, list[Row]] = {}
    columns = (train[name][:] for name in ("query_id", "query", "product", "gain"))
    for query_id, query, product, gain in zip(*columns, strict=True):
        if normal_text(query) not in held_out:
            of_query.setdefault(query_id, []).append((query, product, gain, "judged"))
    lists = list(of_query.values())
    if sum(map(len, lists)) > at_most:
        rng.shuffle(lists)
    left = at_most
    for rows in lists:
        if len(rows) <= left:
            left -= len(rows)
            yield from rows


def _labelled(catalogue: Catalogue) -> set[tuple[str, str]]:
    train = catalogue.pairs["train"]
    return set(texts_of(train))
