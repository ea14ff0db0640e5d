"""What a student learns from: pairs of queries and products, judged or not, and the teacher's score of each.

Queries come from the train split and from the products themselves; no text of a valid or test query is among them. The
scores take minutes, so they are kept on disk with what they were made from. Learning from them is in `distillation`.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from datasets import Dataset, Features, Value

from utils import disk, freshness
from utils.data import candidates
from utils.data.catalogue import Catalogue, normal_text
from utils.rank.ranker import Ranker

FEATURES = Features({"group": Value("int32"), "query": Value("string"), "product": Value("string")})
FEATURES |= {"gain": Value("int32"), "source": Value("string")}
NO_LABEL = -1  # stands in the column `gain` where nobody judged
DEPTH = 40  # BM25's best candidates of a query, from which its pairs are drawn
TAKEN = 8  # pairs drawn at a time for one query, as many as a list of training holds
CROP_WORDS = (2, 5)  # words of a crop, at least and at most
SCORED_AT_ONCE = 32_768  # pairs; their tokens are in memory together
UNSPACED = re.compile(f"[{candidates.UNSPACED}]")
FILES = ("pairs.parquet", "teaching.json")
CAUSES = {  # why kept scores are refused, by what differs
    "teacher": "are of another teacher",
    "data": "are of other data",
    "code": "were made by other code",
    "pairs": "are damaged: the file is not the one that was written",
}

Asked = tuple[str, list[str]]  # a query's text and products' texts
Row = tuple[str, str, int, str]  # query, product, gain, source
Find = Callable[[str], list[str]]  # the texts of a query's candidates


def pairs(catalogue: Catalogue, *, n_unlabelled: int, seed: int) -> Dataset:
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
    held_out = {normal_text(query) for split in ("valid", "test") for query in set(catalogue.pairs[split]["query"][:])}
    rows = list(_judged(catalogue, held_out=held_out, at_most=n_unlabelled, rng=rng))
    known = {(query, product) for query, product, _, _ in rows} | _labelled(catalogue)
    rows += _unlabelled(catalogue, known=known, held_out=held_out, n_pairs=n_unlabelled, rng=rng)
    if not rows:
        raise ValueError(
            "queries.csv: every train query is also a valid or test query; give train queries of their own"
        )
    assert held_out.isdisjoint(normal_text(query) for query, *_ in rows)
    groups: dict[str, int] = {}
    columns = zip(*rows, strict=True)
    found = dict(zip(("query", "product", "gain", "source"), map(list, columns), strict=True))
    numbers = [groups.setdefault(query, len(groups)) for query in found["query"]]
    return Dataset.from_dict({"group": numbers} | found, features=FEATURES)


def teach(ranker: Ranker, pairs: Dataset) -> Dataset:
    """The pairs with a column `score`: the teacher's logits, float32.

    Raises:
        ValueError: a score is not a finite number.
    """
    texts = list(zip(pairs["query"][:], pairs["product"][:], strict=True))
    parts = [ranker.score(texts[at : at + SCORED_AT_ONCE]) for at in range(0, len(texts), SCORED_AT_ONCE)]
    scores = np.concatenate(parts).astype(np.float32)
    if not np.isfinite(scores).all():
        raise ValueError("the teacher gave a score that is not a finite number; look at its model folder")
    return pairs.add_column("score", scores)


def taught(folder: Path, *, pairs: Dataset, teacher_hash: str, data_hash: str, ranker: Callable[[], Ranker]) -> Dataset:
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
    found = teach(ranker(), pairs)
    save(found, folder=folder, teacher_hash=teacher_hash, data_hash=data_hash)
    return found


def save(taught: Dataset, *, folder: Path, teacher_hash: str, data_hash: str) -> Path:
    """Keep scored pairs in `folder`, whole or not at all, beside the hashes of teacher, data and code."""
    with disk.whole_folder(folder) as partial:
        taught.to_parquet(partial / FILES[0])
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
    code = freshness.of_code(f"{__name__}:teach", "utils.rank.ranker:BatchedRanker")
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
    return set(zip(train["query"][:], train["product"][:], strict=True))


def _unlabelled(
    catalogue: Catalogue, *, known: set[tuple[str, str]], held_out: set[str], n_pairs: int, rng: random.Random
) -> list[Row]:
    """Up to `n_pairs` pairs that nobody judged, the sources taking turns; no pair twice."""
    find = _finder(catalogue)
    open_sources = {
        "bm25": _of_train_queries(catalogue, find=find, known=known, rng=rng),
        "title": _of_texts(_titles(catalogue, rng=rng), find=find, rng=rng),
        "crop": _of_texts(_crops(catalogue, rng=rng), find=find, rng=rng),
    }
    found: dict[tuple[str, str], str] = {}
    while open_sources and len(found) < n_pairs:
        for name in list(open_sources):
            query, products = next(open_sources[name], ("", None))
            if products is None:
                del open_sources[name]
            elif normal_text(query) not in held_out:
                new = [(query, p) for p in products if (query, p) not in known and (query, p) not in found]
                found |= dict.fromkeys(new[: n_pairs - len(found)], name)
    return [(query, product, NO_LABEL, source) for (query, product), source in found.items()]


def _of_train_queries(
    catalogue: Catalogue, *, find: Find, known: set[tuple[str, str]], rng: random.Random
) -> Iterator[Asked]:
    """Train queries with unjudged candidates, TAKEN at a time: some of every query before more of the first."""
    queries = list(dict.fromkeys(catalogue.pairs["train"]["query"][:]))
    rng.shuffle(queries)
    waiting: list[Asked] = []
    for query in queries:
        products = [product for product in find(query) if (query, product) not in known]
        rng.shuffle(products)
        yield query, products[:TAKEN]
        waiting.append((query, products[TAKEN:]))
    while waiting := [(query, products) for query, products in waiting if products]:
        yield from ((query, products[:TAKEN]) for query, products in waiting)
        waiting = [(query, products[TAKEN:]) for query, products in waiting]


def _of_texts(queries: Iterator[str], *, find: Find, rng: random.Random) -> Iterator[Asked]:
    for query in queries:
        products = find(query)
        yield query, rng.sample(products, min(TAKEN, len(products))) if len(products) > 1 else []


def _finder(catalogue: Catalogue) -> Find:
    """BM25's best candidates of a query: their texts, each once, best first."""
    bm25 = candidates.build(catalogue)
    texts = bm25.products["text"][:]

    def find(query: str) -> list[str]:
        (best,) = candidates.top(bm25, [query], n_candidates=DEPTH)
        return list(dict.fromkeys(texts[bm25.rows[product_id]] for product_id, _ in best))

    return find


def _titles(catalogue: Catalogue, *, rng: random.Random) -> Iterator[str]:
    """Every distinct title once, in random order."""
    titles = list(dict.fromkeys(catalogue.products["title"][:]))
    rng.shuffle(titles)
    yield from titles


def _crops(catalogue: Catalogue, *, rng: random.Random) -> Iterator[str]:
    """Some words of a product's text in random order, as a shopper might type them; each product DEPTH times at most.

    Of a text without spaces it is a run of characters, twice as many; of a title and further columns in Chinese or
    Japanese, a run of each column that was drawn, together about as many.

    Source: Lee, Chang, Toutanova, "Latent Retrieval for Weakly Supervised Open Domain Question Answering" (whose
    inverse cloze task takes a part of a text for a query of it), ACL 2019, https://arxiv.org/abs/1906.00300
    """
    texts = catalogue.products["text"][:]
    for _ in range(DEPTH):
        rng.shuffle(texts)
        for text in texts:
            words, n_words = text.split(), rng.randint(*CROP_WORDS)
            drawn = rng.sample(words, min(n_words, len(words))) if len(words) > 1 else words
            length = 2 * math.ceil(n_words / len(drawn))
            is_cut = len(words) == 1
            yield " ".join(
                _run(word, length=length, rng=rng) if is_cut or UNSPACED.search(word) else word for word in drawn
            )


def _run(word: str, *, length: int, rng: random.Random) -> str:
    start = rng.randrange(max(1, len(word) - length + 1))
    return word[start : start + length]
