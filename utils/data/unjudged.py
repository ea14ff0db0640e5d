"""Pairs that nobody judged, from three sources: train queries, products' titles and crops of products' texts.

Each source gives a query's text with some of BM25's candidates; no text of a valid or test query is among them. The
train queries are those of the shop's log as well, most of all.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Sequence

from utils.data import candidates
from utils.data.catalogue import Catalogue, normal_text

NO_LABEL = -1  # stands in the column `gain` where nobody judged
DEPTH = 40  # BM25's best candidates of a query, from which its pairs are drawn
TAKEN = 8  # pairs drawn at a time for one query, as many as a list of training holds
CROP_WORDS = (2, 5)  # words of a crop, at least and at most
UNSPACED = re.compile(f"[{candidates.UNSPACED}]")

Asked = tuple[str, list[str]]  # a query's text and products' texts
Row = tuple[str, str, int, str]  # query, product, gain, source
Find = Callable[[str], list[str]]  # the texts of a query's candidates


def draw(catalogue: Catalogue, *, known: set[tuple[str, str]], n_pairs: int, rng: random.Random) -> list[Row]:
    """Up to `n_pairs` pairs that nobody judged, the sources taking turns; no pair twice.

    Args:
        known: pairs to leave out, which were judged.
    """
    find, kept_back = _finder(catalogue), held_out(catalogue)
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
            elif normal_text(query) not in kept_back:
                new = [(query, p) for p in products if (query, p) not in known and (query, p) not in found]
                found |= dict.fromkeys(new[: n_pairs - len(found)], name)
    return [(query, product, NO_LABEL, source) for (query, product), source in found.items()]


def held_out(catalogue: Catalogue) -> set[str]:
    """The texts of valid and test queries, which nothing may learn from."""
    return {normal_text(query) for split in ("valid", "test") for query in set(catalogue.pairs[split]["query"][:])}


def grouped(queries: Sequence[str]) -> list[int]:
    """A number for every pair, the same for all pairs of one query's text."""
    groups: dict[str, int] = {}
    return [groups.setdefault(query, len(groups)) for query in queries]


def _of_train_queries(
    catalogue: Catalogue, *, find: Find, known: set[tuple[str, str]], rng: random.Random
) -> Iterator[Asked]:
    """Train queries with unjudged candidates, TAKEN at a time: some of every query before more of the first."""
    queries = catalogue.train_queries()
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
                _part(word, length=length, rng=rng) if is_cut or UNSPACED.search(word) else word for word in drawn
            )


def _part(word: str, *, length: int, rng: random.Random) -> str:
    start = rng.randrange(max(1, len(word) - length + 1))
    return word[start : start + length]
