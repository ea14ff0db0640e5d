"""Whether a checkpoint can read a shop's texts at all: the share of their words that its tokenizer does not know.

To a ranker unknown words are all alike, or letters without a meaning. Where they are many, another checkpoint helps.
"""

from __future__ import annotations

from collections.abc import Sequence

from utils.data.catalogue import Catalogue
from utils.data.csv_files import Tables
from utils.rank import models

MANY = 0.10  # of the words; a shop in a language that the checkpoint was trained on has under 0.03
N_TEXTS = 5_000  # queries, and as many titles, spread evenly over the files
N_CHARACTERS = 500  # of each text, from its beginning
MULTILINGUAL = "google-bert/bert-base-multilingual-cased"


def of_catalogue(catalogue: Catalogue, *, checkpoint: str = models.MINILM) -> str:
    """`sentences` on the queries and titles of a run."""
    return sentences(catalogue.queries["query"][:], catalogue.products["title"][:], checkpoint=checkpoint)


def of_tables(tables: Tables, *, checkpoint: str = models.MINILM) -> str:
    """`sentences` on the queries and titles of a data set that was read."""
    queries, titles = (
        [row[column] for row in tables[file]] for file, column in (("queries.csv", "query"), ("products.csv", "title"))
    )
    return sentences(queries, titles, checkpoint=checkpoint)


def sentences(queries: Sequence[str], titles: Sequence[str], *, checkpoint: str) -> str:
    """How many of the words the checkpoint does not know, and above MANY a warning with the remedy."""
    tokenizer = models.open_tokenizer(checkpoint)
    in_queries, in_titles = (models.unknown_share(tokenizer, _some(texts)) for texts in (queries, titles))
    name = checkpoint.rstrip("/").split("/")[-1]
    told = f"words that the checkpoint {name} does not know: {in_queries:.1%} in queries, {in_titles:.1%} in titles"
    if max(in_queries, in_titles) <= MANY:
        return told
    return (
        f"{told}\nWarning: they are all alike to it, or letters without a meaning, and training helps little; give "
        f"notebook 01 as CHECKPOINT one that was trained on this shop's language, such as {MULTILINGUAL}"
    )


def _some(texts: Sequence[str]) -> Sequence[str]:
    return [text[:N_CHARACTERS] for text in texts[:: -(-len(texts) // N_TEXTS) or 1]]
